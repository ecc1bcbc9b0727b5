/**
 * Turns what clients wait for into transactions and read barriers: one for all that waits, as soon
 * as there is room for another. That is why throughput grows with load while one lone command
 * never waits. Pure.
 */
import { type Participants, participantsOf, WHOLE_STORE } from '../primitives/participants.ts';

/** As much of a client's unit as the batcher looks at. */
export interface Work {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly readOnly: boolean;
  readonly wholeStore: boolean;
  readonly slots: readonly number[];
}

export interface BatchLimits {
  /** Command bytes of one transaction; a single larger unit travels alone. */
  readonly batchBytesMax: number;
  /** Bytes of one transaction; a larger unit is refused. */
  readonly transactionBytesMax: number;
  readonly batchCommandsMax: number;
  /** Own transactions that may be undecided at once. */
  readonly pipelineDepth: number;
  /** Read barriers that may be under way at once. */
  readonly readPipelineDepth: number;
  /** Barriers that a read of several slots may take before it becomes a transaction. */
  readonly readTriesMax: number;
  /** Units waiting for a place; beyond it the caller is refused. */
  readonly waitingMax: number;
}

const BATCH_LIMITS: BatchLimits = Object.freeze({
  batchBytesMax: 1024 * 1024,
  transactionBytesMax: 48 * 1024 * 1024,
  batchCommandsMax: 16_384,
  pipelineDepth: 8,
  readPipelineDepth: 4,
  readTriesMax: 3,
  waitingMax: 65_536,
});

interface Batch<W extends Work> {
  readonly works: readonly W[];
  readonly participants: Participants;
  readonly commands: number;
}

export class Batcher<W extends Work> {
  readonly #limits: BatchLimits;
  readonly #writes: W[] = [];
  #reads: W[] = [];
  /** Barriers that were in vain. */
  readonly #tries = new WeakMap<W, number>();

  constructor(limits: Partial<BatchLimits> = {}) {
    this.#limits = { ...BATCH_LIMITS, ...limits };
  }

  get waiting(): number {
    return this.#writes.length + this.#reads.length;
  }

  /** Whether the unit can be a transaction at all. */
  fits(work: W): boolean {
    return work.bytes.length <= this.#limits.transactionBytesMax;
  }

  /** `false`: too much is waiting already. */
  add(work: W): boolean {
    if (this.waiting >= this.#limits.waitingMax) return false;
    (work.readOnly ? this.#reads : this.#writes).push(work);
    return true;
  }

  /** A reading unit that needs a transaction after all (it met a key past its deadline). */
  addToTransactions(work: W): void {
    this.#writes.push(work);
  }

  /**
   * Reads of several slots that their barrier did not cover: they need a later one, before all
   * others. After `readTriesMax` they become transactions, unless no transaction may begin now.
   * Returns how many do.
   */
  readAgain(works: readonly W[], mayTransact: boolean): number {
    const again: W[] = [];
    for (const work of works) {
      const tries = (this.#tries.get(work) ?? 0) + 1;
      this.#tries.set(work, tries);
      if (tries >= this.#limits.readTriesMax && mayTransact) this.#writes.push(work);
      else again.push(work);
    }
    this.#reads = [...again, ...this.#reads];
    return works.length - again.length;
  }

  /** Takes out what `keep` refuses, for instance units whose time is up. */
  drop(keep: (work: W) => boolean): W[] {
    const dropped: W[] = [];
    for (const queue of [this.#writes, this.#reads]) {
      const kept = queue.filter((work) => keep(work) || dropped.push(work) === 0);
      queue.splice(0, queue.length, ...kept);
    }
    return dropped;
  }

  /** Takes out all that waits to become part of a transaction. */
  dropTransactions(): W[] {
    return this.#writes.splice(0);
  }

  /** The next transaction, when something waits and fewer than `pipelineDepth` are under way. */
  nextTransaction(underWay: number): Batch<W> | undefined {
    if (underWay >= this.#limits.pipelineDepth) return undefined;
    return this.#take(this.#writes);
  }

  /** The reads of the next barrier. */
  nextRead(underWay: number): Batch<W> | undefined {
    if (underWay >= this.#limits.readPipelineDepth) return undefined;
    return this.#take(this.#reads);
  }

  #take(queue: W[]): Batch<W> | undefined {
    if (queue.length === 0) return undefined;
    const { batchBytesMax, batchCommandsMax } = this.#limits;
    let bytes = 0;
    let commands = 0;
    let taken = 0;
    for (const work of queue) {
      const fits =
        bytes + work.bytes.length <= batchBytesMax && commands + work.count <= batchCommandsMax;
      if (taken > 0 && !fits) break;
      bytes += work.bytes.length;
      commands += work.count;
      taken += 1;
    }
    const works = queue.splice(0, taken);
    return { works, participants: unite(works), commands };
  }
}

function unite(works: readonly Work[]): Participants {
  if (works.some((work) => work.wholeStore)) return WHOLE_STORE;
  const [only] = works;
  if (works.length === 1 && only !== undefined) return participantsOf(only.slots);
  const slots: number[] = [];
  for (const work of works) for (const slot of work.slots) slots.push(slot);
  return participantsOf(slots);
}
