/** A coordinator for tests that executes parts at once, with the real state machine. */
import { isSameGroup, META_GROUP, NO_GROUP } from '../../../actors/accord/topology/group-id.ts';
import { Arguments } from '../../../storage/arguments.ts';
import { bodySettingsOf } from '../../../storage/cluster-settings.ts';
import { MemoryEngine, MemoryStore } from '../../../storage/engine/memory-engine.ts';
import type { MachineGroup } from '../../../storage/engine.ts';
import { StateMachine } from '../../../storage/state-machine.ts';
import { ReplyWriter } from '../../../transport/resp/codec/encoder.ts';
import type { Part, ReplyFlow, StoreNews } from '../../../transport/resp/connection/part.ts';
import { PartRenderer } from '../../../transport/resp/connection/part-renderer.ts';
import { GROUP, META } from '../../storage/harness.ts';

const MIB = 1024 * 1024;
const START_US = 1_700_000_000_000_000;

function machineOf(group: MachineGroup): StateMachine {
  return new StateMachine({
    group,
    engine: new MemoryEngine({ store: new MemoryStore([1, 2]), defer: setImmediate }),
    cacheBytesMax: MIB,
    tableHashKey: [1, 2],
  });
}

export class StoreCoordinator {
  readonly machine = machineOf(GROUP);
  /** Of the meta group. */
  readonly table = machineOf(META);
  /** Parts that only read are served as reads. */
  reads = 0;
  /** Passes answers to the sender of the parts. */
  answer: (news: StoreNews) => void = () => undefined;
  /** Parts wait for `step` while it is set. */
  isHeld = false;
  readonly held: Part[] = [];
  #nowUs = START_US;
  readonly #news: StoreNews[] = [];
  #isDelivering = false;
  readonly #args = new Arguments();
  readonly #renderer = new PartRenderer(new ReplyWriter(2));

  readonly submit = (part: Part): boolean => {
    if (this.isHeld) this.held.push(part);
    else this.#execute(part);
    return true;
  };

  readonly flow = (message: ReplyFlow): void => {
    if (message.type !== 'StopWaiting' && message.type !== 'PassWait') return;
    const { connection, sequence } = message.unit;
    const wait = { connection, attempt: sequence };
    if (message.type === 'StopWaiting') return this.machine.stopWaiting(wait);
    const { to } = message;
    this.machine.passWait(wait, { connection: to.connection, attempt: to.sequence });
  };

  /** Executes the oldest part that waits. */
  step(): void {
    const part = this.held.shift();
    if (part !== undefined) this.#execute(part);
  }

  #execute(part: Part): void {
    this.#nowUs += 1;
    if (!this.#read(part)) this.#write(part);
  }

  /** Moves the time of all that follows. */
  advance(seconds: number): void {
    this.#nowUs += seconds * 1_000_000;
  }

  #tell(news: StoreNews): void {
    this.#news.push(news);
  }

  /** In order: a client that hears something may send the next part at once. */
  #deliver(): void {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    for (let news = this.#news.shift(); news !== undefined; news = this.#news.shift()) {
      this.answer(news);
    }
    this.#isDelivering = false;
  }

  #machineOf(part: Part): StateMachine {
    return part.groups.some((group) => isSameGroup(group, META_GROUP)) ? this.table : this.machine;
  }

  #read(part: Part): boolean {
    if (!part.readOnly) return false;
    const machine = this.#machineOf(part);
    this.#renderer.begin(part);
    let at = 0;
    for (let i = 0; i < part.count; i += 1) {
      at = this.#args.next(part.bytes, at);
      this.#renderer.next();
      machine.mayWait = part.waits;
      const served = machine.read(this.#args, this.#nowUs / 1000, this.#renderer.writer);
      if (served) continue;
      this.#renderer.writer.take();
      return false;
    }
    this.reads += 1;
    const { connection, sequence } = part.unit;
    const waiting = part.waits ? machine.waiting({ connection, attempt: sequence }) : undefined;
    const answer = this.#renderer.answer(part);
    this.#tell(waiting === undefined ? answer : { ...answer, waiting });
    this.#deliver();
    return true;
  }

  #write(part: Part): void {
    const machine = this.#machineOf(part);
    const thresholds = bodySettingsOf(this.table.settings);
    const executeAt = { hlc: this.#nowUs, flags: 2, node: 1, store: 0 };
    machine.begin(executeAt, undefined, undefined, false, thresholds);
    this.#renderer.begin(part);
    let at = 0;
    for (let i = 0; i < part.count; i += 1) {
      at = this.#args.next(part.bytes, at);
      this.#renderer.next();
      machine.mayWait = part.waits;
      machine.run(this.#args, this.#renderer.writer);
    }
    const { connection, sequence } = part.unit;
    const waiting = part.waits ? machine.waiting({ connection, attempt: sequence }) : undefined;
    const answer = this.#renderer.answer(part);
    machine.commit(machine.appliedSequence + 1);
    const [events, lines] = [machine.sideEffects.takeMessages(), machine.sideEffects.takeLines()];
    const denials = machine.sideEffects.takeDenials();
    const keys = this.machine.ready();
    this.#tell(waiting === undefined ? answer : { ...answer, waiting });
    if (events.length > 0) this.#tell({ type: 'KeysChanged', group: NO_GROUP, events });
    if (lines.length > 0) this.#tell({ type: 'ScriptsLogged', lines });
    if (denials.length > 0) this.#tell({ type: 'ScriptsDenied', denials });
    if (keys === 'lost') this.#tell({ type: 'WaitsLost' });
    else if (keys.length > 0) {
      this.#tell({ type: 'KeysReady', group: NO_GROUP, atUs: this.#nowUs, keys });
    }
    this.#deliver();
  }
}
