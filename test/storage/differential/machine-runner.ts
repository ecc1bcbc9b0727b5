/** A state machine whose replies are told in the protocol, with flushes and restarts between. */
import { Arguments } from '../../../storage/arguments.ts';
import { ReplyWriter } from '../../../transport/resp/codec/encoder.ts';
import { body, Machine, versionAt } from '../harness.ts';
import { parseReply, type Value } from './replies.ts';

export interface Upkeep {
  /** The cache holds nothing after a flush. */
  readonly evicts: boolean;
  /** Commands from one flush to the next, and from one restart to the next; 0: none. */
  readonly flushEvery: number;
  readonly restartEvery: number;
}

export class MachineRunner {
  readonly #args = new Arguments();
  readonly #upkeep: Upkeep;
  readonly #protocol: 2 | 3;
  #machine: Machine;
  #ran = 0;

  constructor(protocol: 2 | 3, upkeep: Upkeep) {
    this.#protocol = protocol;
    this.#upkeep = upkeep;
    this.#machine = new Machine({ startMs: Date.now(), ...this.#options() });
  }

  #options(): { cacheBytesMax: number } {
    return { cacheBytesMax: this.#upkeep.evicts ? 0 : 1_000_000 };
  }

  run(commands: readonly (readonly string[])[]): Value[] {
    return commands.map((words) => this.#runOne(words));
  }

  #runOne(words: readonly string[]): Value {
    this.#ran += 1;
    const { flushEvery, restartEvery } = this.#upkeep;
    const restarts = restartEvery !== 0 && this.#ran % restartEvery === 0;
    if (restarts || (flushEvery !== 0 && this.#ran % flushEvery === 0)) this.#machine.flush();
    if (restarts) this.#machine = this.#machine.restarted(this.#options());
    const machine = this.#machine;
    const writer = new ReplyWriter(this.#protocol);
    machine.machine.begin(versionAt(++machine.nowUs));
    this.#args.next(body(words), 0);
    machine.machine.run(this.#args, writer);
    machine.machine.commit(machine.machine.appliedSequence + 1);
    const parsed = parseReply(Buffer.from(writer.take()).toString('latin1'), 0);
    if (parsed === undefined) throw new Error(`no whole reply to ${words.join(' ')}`);
    return parsed.value;
  }
}
