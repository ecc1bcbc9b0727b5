/**
 * All timers of one actor system on one timer of its scheduler: a hierarchical timing wheel
 * (Varghese and Lauck, 1987), one-millisecond ticks, O(1) start and cancel. Keyed timers of
 * actors, ask deadlines and supervisors' delays use it. An idle wheel asks for no wake-ups.
 */
import type { Clock, Scheduler, TimerHandle } from './ports.ts';

const SLOTS = 64;
const LEVELS = 5;
/** Ticks covered by one slot of each level; the last entry is what the whole wheel covers. */
const SPANS: readonly number[] = [1, 64, 64 ** 2, 64 ** 3, 64 ** 4, 64 ** 5];
/** A nanosecond: absorbs the rounding of floating-point time, never a whole tick. */
const EPSILON_MS = 1e-6;

/** A timer that can be started again and again without allocating. */
export abstract class WheelTimer {
  /** The wheel's own fields: place in the slot's ring, due tick, level (-1: not started). */
  next: WheelTimer | undefined;
  previous: WheelTimer | undefined;
  tick = 0;
  level = -1;

  get started(): boolean {
    return this.level !== -1;
  }

  /** Called by the wheel, outside of any turn; must not throw. */
  abstract expire(): void;
}

class Slot extends WheelTimer {
  constructor() {
    super();
    this.next = this;
    this.previous = this;
  }
  expire(): void {}
}

class CallbackTimer extends WheelTimer {
  readonly #callback: () => void;
  constructor(callback: () => void) {
    super();
    this.#callback = callback;
  }
  expire(): void {
    this.#callback();
  }
}

export class TimerWheel {
  readonly #clock: Clock;
  readonly #scheduler: Scheduler;
  readonly #originMs: number;
  readonly #slots: Slot[] = Array.from({ length: LEVELS * SLOTS }, () => new Slot());
  readonly #counts = new Array<number>(LEVELS).fill(0);
  #current = 0;
  #armedTick = Number.POSITIVE_INFINITY;
  #armed: TimerHandle | undefined;
  #advancing = false;
  #closed = false;

  constructor(clock: Clock, scheduler: Scheduler) {
    this.#clock = clock;
    this.#scheduler = scheduler;
    this.#originMs = clock.monotonicMs();
  }

  /** Timers that have been started and have neither expired nor been cancelled. */
  get size(): number {
    let sum = 0;
    for (const count of this.#counts) sum += count;
    return sum;
  }

  /**
   * Starts the timer, again if it was started. It expires at the first whole tick not before it.
   */
  start(timer: WheelTimer, delayMs: number): void {
    if (!(delayMs >= 0)) throw new RangeError(`timer delay ${delayMs} ms is not >= 0`);
    if (this.#closed) return;
    this.cancel(timer);
    const dueMs = this.#clock.monotonicMs() - this.#originMs + delayMs;
    if (this.size === 0 && !this.#advancing) this.#current = this.#nowTick();
    timer.tick = Math.max(Math.ceil(dueMs - EPSILON_MS), this.#current + 1);
    const wakeTick = this.#place(timer);
    if (wakeTick < this.#armedTick && !this.#advancing) this.#arm(wakeTick);
  }

  /** Starts a timer with a callback; for rare timers, as it allocates. */
  after(delayMs: number, callback: () => void): WheelTimer {
    const timer = new CallbackTimer(callback);
    this.start(timer, delayMs);
    return timer;
  }

  cancel(timer: WheelTimer): void {
    if (timer.level === -1) return;
    const { next, previous } = timer;
    if (next !== undefined) next.previous = previous;
    if (previous !== undefined) previous.next = next;
    timer.next = undefined;
    timer.previous = undefined;
    this.#counts[timer.level] = (this.#counts[timer.level] ?? 0) - 1;
    timer.level = -1;
  }

  /** No timer expires after this. */
  close(): void {
    this.#closed = true;
    this.#armed?.cancel();
    this.#armed = undefined;
    this.#armedTick = Number.POSITIVE_INFINITY;
  }

  /** Links the timer into its slot; returns the tick at which that slot must be looked at. */
  #place(timer: WheelTimer): number {
    const delta = Math.min(timer.tick - this.#current, SPANS_MAX);
    let level = 0;
    while (delta >= spanOf(level + 1)) level += 1;
    const span = spanOf(level);
    const slotNumber = Math.floor((this.#current + delta) / span);
    const slot = this.#slots[level * SLOTS + (slotNumber % SLOTS)];
    if (slot === undefined) throw new Error('timer wheel: no such slot');
    const last = slot.previous;
    timer.previous = last;
    timer.next = slot;
    if (last !== undefined) last.next = timer;
    slot.previous = timer;
    timer.level = level;
    this.#counts[level] = (this.#counts[level] ?? 0) + 1;
    return slotNumber * span;
  }

  #nowTick(): number {
    return Math.floor(this.#clock.monotonicMs() - this.#originMs + EPSILON_MS);
  }

  #arm(tick: number): void {
    this.#armed?.cancel();
    this.#armedTick = tick;
    const delayMs = Math.max(0, tick + this.#originMs - this.#clock.monotonicMs());
    this.#armed = this.#scheduler.after(delayMs, () => this.#ring());
  }

  #ring(): void {
    this.#armed = undefined;
    this.#armedTick = Number.POSITIVE_INFINITY;
    this.#advancing = true;
    const target = this.#nowTick();
    for (let next = this.#nextTick(); next <= target; next = this.#nextTick()) {
      this.#current = next;
      this.#cascade();
      this.#expireSlot(this.#slots[next % SLOTS]);
    }
    this.#current = Math.max(this.#current, target);
    this.#advancing = false;
    const next = this.#nextTick();
    if (next !== Number.POSITIVE_INFINITY && !this.#closed) this.#arm(next);
  }

  /** The next tick at which a timer expires or a slot of a higher level must be spread. */
  #nextTick(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (let level = 0; level < LEVELS; level += 1) {
      if (this.#counts[level] === 0) continue;
      const span = spanOf(level);
      const here = Math.floor(this.#current / span);
      // A full circle: a slot of the own number holds what is due one round later.
      for (let step = 1; step <= SLOTS; step += 1) {
        const slot = this.#slots[level * SLOTS + ((here + step) % SLOTS)];
        if (slot === undefined || slot.next === slot) continue;
        earliest = Math.min(earliest, (here + step) * span);
        break;
      }
    }
    return earliest;
  }

  /** Spreads the slots of higher levels that begin at the current tick over the lower ones. */
  #cascade(): void {
    for (let level = LEVELS - 1; level > 0; level -= 1) {
      const span = spanOf(level);
      if (this.#current % span !== 0) continue;
      const slot = this.#slots[level * SLOTS + ((this.#current / span) % SLOTS)];
      // A timer still beyond the wheel's reach moves on to the slot before this one.
      for (let timer = slot?.next; timer !== undefined && timer !== slot; timer = slot?.next) {
        this.cancel(timer);
        this.#place(timer);
      }
    }
  }

  #expireSlot(slot: Slot | undefined): void {
    for (let timer = slot?.next; timer !== undefined && timer !== slot; timer = slot?.next) {
      this.cancel(timer);
      if (!this.#closed) timer.expire();
    }
  }
}

const SPANS_MAX = spanOf(LEVELS) - 1;

function spanOf(level: number): number {
  return SPANS[level] ?? Number.POSITIVE_INFINITY;
}
