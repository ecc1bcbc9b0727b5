/**
 * A scheduler in virtual time: a binary heap of events, one seed, no promises and no real clock.
 * The simulator and the tests run whole actor systems on it; the same seed gives the same order
 * of turns. Events of the same instant run in the order of a seeded tie-break, or of their making.
 */
import type { Clock, Scheduler, TimerHandle, Waker } from '../../actors/runtime/ports/ports.ts';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';

const NOT_QUEUED = -1;
/** An arbitrary Tuesday: virtual time 0 as wall clock, in microseconds. */
const EPOCH_US = 1_700_000_000_000_000;

export interface VirtualSchedulerOptions {
  /** With a seed, events of the same instant run in random order; without, in order of making. */
  readonly seed?: number;
  /** A turn begins up to this much after its wake; needs a seed. 0 by default. */
  readonly wakeJitterMs?: number;
}

/** A process that can be stopped in its tracks (SIGSTOP): what falls due waits until it goes on. */
export interface PausableScheduler extends Scheduler {
  pause(): void;
  resume(): void;
}

class VirtualEvent {
  atMs = 0;
  tie = 0;
  order = 0;
  index = NOT_QUEUED;
  readonly run: () => void;
  constructor(run: () => void) {
    this.run = run;
  }
}

export class VirtualScheduler implements Scheduler {
  /** Virtual time without skew. */
  readonly clock: Clock = this.clockWith({});
  readonly #heap: VirtualEvent[] = [];
  readonly #rng: SeededRng | undefined;
  readonly #wakeJitterMs: number;
  readonly #whole: VirtualScope;
  #nowMs = 0;
  #made = 0;

  constructor(options: VirtualSchedulerOptions = {}) {
    this.#rng = options.seed === undefined ? undefined : new SeededRng(options.seed);
    this.#wakeJitterMs = options.wakeJitterMs ?? 0;
    if (this.#wakeJitterMs > 0 && this.#rng === undefined) throw new Error('jitter needs a seed');
    this.#whole = new VirtualScope(this);
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Events that have not run. */
  get pending(): number {
    return this.#heap.length;
  }

  /**
   * A node's own clock: its wall clock may be off and drift; monotonic time is the same for all.
   */
  clockWith(skew: { readonly offsetUs?: number; readonly driftPpm?: number }): Clock {
    const { offsetUs = 0, driftPpm = 0 } = skew;
    return {
      wallUs: () => EPOCH_US + offsetUs + Math.floor(this.#nowMs * (1_000 + driftPpm / 1_000)),
      monotonicMs: () => this.#nowMs,
    };
  }

  /** A scheduler for one node: closing it takes away that node's events and no others. */
  scope(): PausableScheduler {
    return new VirtualScope(this);
  }

  waker(name: string, onTurn: () => void): Waker {
    return this.#whole.waker(name, onTurn);
  }

  after(delayMs: number, callback: () => void): TimerHandle {
    return this.#whole.after(delayMs, callback);
  }

  close(): void {
    this.#whole.close();
    for (const event of this.#heap) event.index = NOT_QUEUED;
    this.#heap.length = 0;
  }

  /** Runs the next event; `false` when there is none. */
  step(): boolean {
    const event = this.#heap[0];
    if (event === undefined) return false;
    this.dequeue(event);
    this.#nowMs = event.atMs;
    event.run();
    return true;
  }

  /** Runs everything due until then and sets the time to it; returns how many events ran. */
  run(untilMs: number): number {
    let count = 0;
    for (let event = this.#heap[0]; event !== undefined && event.atMs <= untilMs; count += 1) {
      this.step();
      event = this.#heap[0];
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
    return count;
  }

  /** Runs until nothing is left; throws after `eventsMax`, as periodic timers never end. */
  runUntilIdle(eventsMax = 1_000_000): number {
    for (let count = 0; count < eventsMax; count += 1) if (!this.step()) return count;
    throw new Error(`not idle after ${eventsMax} events`);
  }

  // --- for scopes ---

  enqueueTurn(event: VirtualEvent): void {
    const jitterMs = this.#wakeJitterMs === 0 ? 0 : this.#wakeJitterMs * (this.#rng?.next() ?? 0);
    this.enqueue(event, jitterMs);
  }

  enqueue(event: VirtualEvent, delayMs: number): void {
    event.atMs = this.#nowMs + Math.max(0, delayMs);
    event.tie = this.#rng === undefined ? 0 : this.#rng.next();
    this.#made += 1;
    event.order = this.#made;
    this.#heap.push(event);
    this.#rise(event, this.#heap.length - 1);
  }

  dequeue(event: VirtualEvent): void {
    const at = event.index;
    if (at === NOT_QUEUED) return;
    event.index = NOT_QUEUED;
    const last = this.#heap.pop();
    if (last === undefined || last === event) return;
    this.#sink(last, at);
    if (last.index === at) this.#rise(last, at);
  }

  #rise(event: VirtualEvent, from: number): void {
    const heap = this.#heap;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(event, parent)) break;
      heap[at] = parent;
      parent.index = at;
      at = above;
    }
    heap[at] = event;
    event.index = at;
  }

  #sink(event: VirtualEvent, from: number): void {
    const heap = this.#heap;
    let at = from;
    for (;;) {
      let below = 2 * at + 1;
      let child = heap[below];
      if (child === undefined) break;
      const right = heap[below + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        below += 1;
      }
      if (!isBefore(child, event)) break;
      heap[at] = child;
      child.index = at;
      at = below;
    }
    heap[at] = event;
    event.index = at;
  }
}

class VirtualScope implements PausableScheduler {
  readonly #scheduler: VirtualScheduler;
  readonly #events = new Set<VirtualEvent>();
  /** Fell due during the pause, in that order. */
  readonly #held = new Set<VirtualEvent>();
  #paused = false;
  #closed = false;

  constructor(scheduler: VirtualScheduler) {
    this.#scheduler = scheduler;
  }

  waker(_name: string, onTurn: () => void): Waker {
    const event = new VirtualEvent(() => {
      if (!this.#hold(event)) onTurn();
    });
    let stopped = this.#closed;
    this.#events.add(event);
    return {
      wake: () => {
        if (stopped || this.#closed || event.index !== NOT_QUEUED || this.#held.has(event)) return;
        this.#scheduler.enqueueTurn(event);
      },
      stop: () => {
        stopped = true;
        this.#drop(event);
      },
    };
  }

  after(delayMs: number, callback: () => void): TimerHandle {
    const event = new VirtualEvent(() => {
      if (this.#hold(event)) return;
      this.#events.delete(event);
      callback();
    });
    if (!this.#closed) {
      this.#events.add(event);
      this.#scheduler.enqueue(event, delayMs);
    }
    return { cancel: () => this.#drop(event) };
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    const held = [...this.#held];
    this.#held.clear();
    for (const event of held) this.#scheduler.enqueue(event, 0);
  }

  close(): void {
    this.#closed = true;
    for (const event of this.#events) this.#scheduler.dequeue(event);
    this.#events.clear();
    this.#held.clear();
  }

  #hold(event: VirtualEvent): boolean {
    if (this.#paused) this.#held.add(event);
    return this.#paused;
  }

  #drop(event: VirtualEvent): void {
    this.#events.delete(event);
    this.#held.delete(event);
    this.#scheduler.dequeue(event);
  }
}

function isBefore(left: VirtualEvent, right: VirtualEvent): boolean {
  if (left.atMs !== right.atMs) return left.atMs < right.atMs;
  if (left.tie !== right.tie) return left.tie < right.tie;
  return left.order < right.order;
}
