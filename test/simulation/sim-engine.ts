/**
 * The engine in memory with what a real one does at its worst: rows take long to come, a commit
 * takes long, finds no room, fails, or lands although it was reported as failed, or although its node has crashed meanwhile.
 */
import type { GroupId } from '../../actors/accord/topology/group-id.ts';
import type { Rng } from '../../actors/runtime/ports/ports.ts';
import { MemoryEngine, type MemoryStore } from '../../storage/engine/memory-engine.ts';
import type { Engine, FlushBatch, KeyRow } from '../../storage/engine.ts';
import { EngineError } from '../../storage/errors.ts';

export const COMMIT_FAULTS = ['slow', 'no room', 'failed', 'failed and landed'] as const;

export type CommitFault = (typeof COMMIT_FAULTS)[number];

export interface SimEngineOptions {
  readonly store: MemoryStore;
  readonly rng: Rng;
  readonly after: (delayMs: number, callback: () => void) => void;
  /** The fault of this commit, if any. */
  readonly nextFault: () => CommitFault | undefined;
  readonly count: (what: string) => void;
  /** Rows that are read ahead take up to this long; 0: nothing is. */
  readonly readMsMax: number;
}

type Done = (error: EngineError | undefined) => void;

const COMMIT_MS = 0.1;
const SLOW_MS_MAX = 2_500;
const LANDS_AFTER_CRASH_RATE = 0.3;

export class SimEngine implements Engine {
  readonly #engine: MemoryEngine;
  readonly #options: SimEngineOptions;
  /** Of a commit under way. */
  #batches: readonly FlushBatch[] | undefined;
  #closed = false;

  constructor(options: SimEngineOptions) {
    const { store } = options;
    this.#options = options;
    this.#engine = new MemoryEngine({ store, defer: (callback) => options.after(0, callback) });
  }

  get groups(): Engine['groups'] {
    return this.#engine.groups;
  }

  metaOf(group: GroupId): ReturnType<Engine['metaOf']> {
    return this.#engine.metaOf(group);
  }

  countsOf(group: GroupId): ReturnType<Engine['countsOf']> {
    return this.#engine.countsOf(group);
  }

  get appliedTotal(): number {
    return this.#engine.appliedTotal;
  }

  get(database: number, key: string): ReturnType<Engine['get']> {
    return this.#engine.get(database, key);
  }

  get isSlow(): boolean {
    return this.#options.readMsMax > 0;
  }

  readAhead(_rows: readonly KeyRow[], done: () => void): void {
    const { after, count, readMsMax, rng } = this.#options;
    count('rows read ahead');
    after(readMsMax * rng.next(), () => {
      if (!this.#closed) done();
    });
  }

  page(...range: Parameters<Engine['page']>): ReturnType<Engine['page']> {
    return this.#engine.page(...range);
  }

  rows(...which: Parameters<Engine['rows']>): ReturnType<Engine['rows']> {
    this.#options.count('collection read');
    return this.#engine.rows(...which);
  }

  get hasDropped(): boolean {
    return this.#engine.hasDropped;
  }

  snapshot(): ReturnType<Engine['snapshot']> {
    return this.#engine.snapshot();
  }

  commit(batches: readonly FlushBatch[], done: Done): void {
    const { after, count, nextFault, rng, store } = this.#options;
    if (this.#batches !== undefined) throw new Error('another commit is in progress');
    const injected = nextFault();
    for (const { dropped } of batches.flatMap(({ databases }) => databases)) {
      for (const _ of dropped) count('collection dropped');
    }
    if (injected !== undefined) count(`commit ${injected}`);
    const fault = injected ?? (store.full ? 'no room' : undefined);
    this.#batches = batches;
    after(fault === 'slow' ? SLOW_MS_MAX * rng.next() : COMMIT_MS, () => {
      if (this.#closed) return;
      this.#batches = undefined;
      const landed = fault !== 'no room' && fault !== 'failed';
      if (landed) store.apply(batches);
      done(errorOf(fault));
    });
  }

  /** As a whole or not at all. */
  close(closed?: () => void): void {
    this.#closed = true;
    const { count, rng, store } = this.#options;
    if (this.#batches !== undefined && rng.next() < LANDS_AFTER_CRASH_RATE) {
      count('commit landed at the end');
      store.apply(this.#batches);
    }
    this.#batches = undefined;
    this.#engine.close(closed);
  }
}

function errorOf(fault: CommitFault | undefined): EngineError | undefined {
  switch (fault) {
    case undefined:
    case 'slow':
      return undefined;
    case 'no room':
      return new EngineError('HOLO_STORE_DISK_FULL', 'a flush was not written: the disk is full');
    case 'failed':
    case 'failed and landed':
      return new EngineError('HOLO_STORE_WRITE_FAILED', 'injected write failure');
  }
}
