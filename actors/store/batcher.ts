/**
 * Turns waiting parts into transactions and read barriers: one for everything that waits, as soon
 * as there is room for another. So throughput grows with load while a lone command never waits.
 * Pure.
 */
import type { Part } from '../../transport/resp/connection/part.ts';
import {
  type Participants,
  participantsOf,
  WHOLE_STORE,
} from '../accord/primitives/participants.ts';
import { type KeyFinderLimits, KeyFinders } from './key-finders.ts';

/** A part that waits for its answer, with what the coordinator notes of it. */
export interface Pending {
  readonly part: Part;
  readonly receivedMs: number;
  readonly deadlineMs: number;
  /** Read barriers that were in vain. */
  tries: number;
  /** Its transaction has all keys of its group. */
  readonly isWide?: boolean;
}

export interface BatchLimits extends KeyFinderLimits {
  /** Command bytes of one transaction; a single larger part travels alone. */
  readonly batchBytesMax: number;
  /** Bytes of one transaction; a larger part is refused. */
  readonly transactionBytesMax: number;
  readonly batchCommandsMax: number;
  /** Keys that the commands of one transaction name. */
  readonly batchKeysMax: number;
  /** Own transactions that may be undecided at once. */
  readonly pipelineDepth: number;
  /**
   * Read barriers that may be under way at once. With more of them each covers fewer reads and
   * costs as much, at this node and at all others.
   */
  readonly readPipelineDepth: number;
  /** Barriers that a read of several slots may take before it becomes a transaction. */
  readonly readTriesMax: number;
  /** Own transactions over several groups that may be undecided at once. */
  readonly spanningDepth: number;
  /** Runs of a part whose keys only show while it runs; the last one has the whole store. */
  readonly footprintTriesMax: number;
  /** Parts waiting for a place; beyond it the caller is refused. */
  readonly waitingMax: number;
}

export const BATCH_LIMITS: BatchLimits = Object.freeze({
  batchBytesMax: 1024 * 1024,
  transactionBytesMax: 48 * 1024 * 1024,
  batchCommandsMax: 16_384,
  batchKeysMax: 16_384,
  pipelineDepth: 8,
  readPipelineDepth: 2,
  readTriesMax: 3,
  spanningDepth: 64,
  footprintTriesMax: 3,
  keyFindersMax: 1_024,
  wideRunsMax: 1_024,
  waitingMax: 65_536,
});

interface Batch {
  readonly pendings: readonly Pending[];
  readonly participants: Participants;
  readonly commands: number;
}

export class Batcher {
  readonly #limits: BatchLimits;
  readonly #writes: Pending[] = [];
  #reads: Pending[] = [];
  readonly #finders: KeyFinders;

  constructor(limits: Partial<BatchLimits> = {}) {
    this.#limits = { ...BATCH_LIMITS, ...limits };
    this.#finders = new KeyFinders(this.#limits);
  }

  get waiting(): number {
    return this.#writes.length + this.#reads.length;
  }

  /** Whether the part can be a transaction at all. */
  fits({ bytes }: Part): boolean {
    return bytes.length <= this.#limits.transactionBytesMax;
  }

  /** `false`: too much is waiting already. */
  add(pending: Pending): boolean {
    if (this.waiting >= this.#limits.waitingMax) return false;
    if (pending.part.readOnly) this.#reads.push(pending);
    else if (this.#finders.isWide(pending.part)) this.#writes.push({ ...pending, isWide: true });
    else this.#writes.push(pending);
    return true;
  }

  /** A reading part that needs a transaction after all (it met a key past its deadline). */
  addToTransactions(pending: Pending): void {
    this.#writes.push(pending);
  }

  /** A part whose run has shown that it needs further slots, with them. */
  withSlots({ part, isWide, ...pending }: Pending, slots: readonly number[] | 'all'): Pending {
    if (isWide === true) this.#finders.inVain(part);
    else this.#finders.met(part);
    const tries = pending.tries + 1;
    const isLast = tries >= this.#limits.footprintTriesMax;
    const wholeStore = part.wholeStore || slots === 'all' || isLast;
    const participants = slots === 'all' ? part.participants : [...part.participants, ...slots];
    return { ...pending, tries, part: { ...part, participants, wholeStore } };
  }

  /**
   * Reads of several slots that their barrier did not cover: they need a later one, before all
   * others. After `readTriesMax` they become transactions, unless no transaction may begin now.
   * Returns how many do.
   */
  readAgain(pendings: readonly Pending[], mayTransact: boolean): number {
    const again: Pending[] = [];
    for (const pending of pendings) {
      pending.tries += 1;
      const isTransaction = pending.tries >= this.#limits.readTriesMax && mayTransact;
      (isTransaction ? this.#writes : again).push(pending);
    }
    this.#reads = [...again, ...this.#reads];
    return pendings.length - again.length;
  }

  /** Takes out what `keep` refuses, for instance parts whose time is up. */
  drop(keep: (pending: Pending) => boolean): Pending[] {
    const dropped: Pending[] = [];
    for (const queue of [this.#writes, this.#reads]) {
      const kept = queue.filter((pending) => keep(pending) || dropped.push(pending) === 0);
      queue.splice(0, queue.length, ...kept);
    }
    return dropped;
  }

  /** Takes out all parts that wait for a transaction. */
  dropTransactions(): Pending[] {
    return this.#writes.splice(0);
  }

  /** The next transaction, when something waits and fewer than `pipelineDepth` are under way. */
  nextTransaction(underWay: number): Batch | undefined {
    if (underWay >= this.#limits.pipelineDepth) return undefined;
    return this.#take(this.#writes);
  }

  /** The reads of the next barrier. */
  nextRead(underWay: number): Batch | undefined {
    if (underWay >= this.#limits.readPipelineDepth) return undefined;
    return this.#take(this.#reads);
  }

  #take(queue: Pending[]): Batch | undefined {
    if (queue.length === 0) return undefined;
    const { batchBytesMax, batchCommandsMax, batchKeysMax } = this.#limits;
    let bytes = 0;
    let commands = 0;
    let keys = 0;
    let taken = 0;
    for (const { part } of queue) {
      const fits =
        bytes + part.bytes.length <= batchBytesMax &&
        commands + part.count <= batchCommandsMax &&
        keys + part.participants.length <= batchKeysMax;
      if (taken > 0 && !fits) break;
      bytes += part.bytes.length;
      commands += part.count;
      keys += part.participants.length;
      taken += 1;
    }
    // They stay in the queue until nothing can fail any more.
    const pendings = queue.slice(0, taken);
    const participants = unite(pendings);
    queue.splice(0, taken);
    return { pendings, participants, commands };
  }
}

function unite(pendings: readonly Pending[]): Participants {
  if (pendings.some(({ part, isWide }) => part.wholeStore || isWide)) return WHOLE_STORE;
  const [only] = pendings;
  if (pendings.length === 1 && only !== undefined) return participantsOf(only.part.participants);
  const slots: number[] = [];
  for (const { part } of pendings) for (const slot of part.participants) slots.push(slot);
  return participantsOf(slots);
}
