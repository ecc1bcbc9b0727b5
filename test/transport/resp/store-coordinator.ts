/** A coordinator for tests that executes units at once, with the real state machine. */
import { Arguments } from '../../../storage/arguments.ts';
import { MemoryEngine, MemoryStore } from '../../../storage/engine/memory-engine.ts';
import { StateMachine } from '../../../storage/state-machine.ts';
import { ReplyWriter } from '../../../transport/resp/codec/encoder.ts';
import type { CommandUnit } from '../../../transport/resp/connection/command-unit.ts';
import { UnitReplies } from '../../../transport/resp/connection/unit-replies.ts';

const MIB = 1024 * 1024;
const START_US = 1_700_000_000_000_000;

export class StoreCoordinator {
  readonly machine = new StateMachine({
    engine: new MemoryEngine({ store: new MemoryStore([1, 2]), defer: setImmediate }),
    cacheBytesMax: MIB,
    dirtyBytesMax: MIB,
    tableHashKey: [1, 2],
  });
  /** Units that only read are served as reads. */
  reads = 0;
  #nowUs = START_US;
  readonly #args = new Arguments();
  readonly #replies = new UnitReplies(new ReplyWriter(2));

  readonly submit = (unit: CommandUnit): boolean => {
    this.#nowUs++;
    if (!this.#read(unit)) this.#write(unit);
    return true;
  };

  /** Moves the time of all that follows. */
  advance(seconds: number): void {
    this.#nowUs += seconds * 1_000_000;
  }

  #read(unit: CommandUnit): boolean {
    if (!unit.readOnly) return false;
    this.#replies.begin(unit);
    let at = 0;
    for (let i = 0; i < unit.count; i++) {
      at = this.#args.next(unit.bytes, at);
      this.#replies.next();
      const served = this.machine.read(this.#args, this.#nowUs / 1000, this.#replies.writer);
      if (served) continue;
      this.#replies.writer.take();
      return false;
    }
    this.reads++;
    unit.complete(this.#replies.finish());
    return true;
  }

  #write(unit: CommandUnit): void {
    this.machine.begin({ hlc: this.#nowUs, flags: 2, node: 1, store: 0 });
    this.#replies.begin(unit);
    let at = 0;
    for (let i = 0; i < unit.count; i++) {
      at = this.#args.next(unit.bytes, at);
      this.#replies.next();
      this.machine.run(this.#args, this.#replies.writer);
    }
    this.machine.commit(this.machine.appliedSequence + 1);
    unit.complete(this.#replies.finish());
  }
}
