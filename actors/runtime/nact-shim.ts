/**
 * The only file that imports nact, and its only use: nact runs a turn of an actor in an event-loop
 * turn of its own, and the actors woken by that turn right behind it. One nact actor per
 * incarnation, directly under the nact system; the only message it ever gets is a constant. Nact's
 * supervision, mailboxes, names, queries and children are not used, so their defects cannot reach
 * us.
 */
import { performance } from 'node:perf_hooks';
import { dispatch, type Ref, spawn, start, stop } from 'nact';
import type { Scheduler, TimerHandle, Waker } from './ports/ports.ts';

const WAKE = 1;
/**
 * An actor that is woken by a turn runs behind it in the same event-loop turn, so that a message
 * that passes six actors does not cost six rounds of the loop. Bounded, so that sockets and timers
 * are never kept waiting: by this many turns, and by this much time (looked at now and then).
 */
const CHAIN_TURNS_MAX = 256;
const CHAIN_MS_MAX = 1;
const CHAIN_CLOCK_TURNS = 16;
/** The longest delay that setTimeout takes; a longer wait is made of several. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

export class NactScheduler implements Scheduler {
  readonly #system = start();
  readonly #wakers = new Set<NactWaker>();
  readonly #timers = new Set<NodeTimer>();
  readonly #chain = new Chain();
  #serial = 0;
  #closed = false;

  /** Incarnations that have not been stopped. */
  get wakerCount(): number {
    return this.#wakers.size;
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  waker(name: string, onTurn: () => void): Waker {
    if (this.#closed) throw new Error(`the scheduler is closed, "${name}" cannot start`);
    this.#serial += 1;
    // The serial makes every name new: a nact ref of a dead incarnation can never find a live one.
    const unique = `${name.replaceAll(/[^A-Za-z0-9_.-]/g, '.')}.${this.#serial}`;
    const waker = new NactWaker(this.#system, unique, onTurn, this.#wakers, this.#chain);
    this.#wakers.add(waker);
    return waker;
  }

  after(delayMs: number, callback: () => void): TimerHandle {
    if (this.#closed) throw new Error('the scheduler is closed, no timer can start');
    const timer = new NodeTimer(delayMs, callback, this.#timers);
    this.#timers.add(timer);
    return timer;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const waker of [...this.#wakers]) waker.stop();
    for (const timer of [...this.#timers]) timer.cancel();
    stop(this.#system);
  }
}

/** The turns that one turn of nact has brought about. */
class Chain {
  readonly #ready: NactWaker[] = [];
  #running: NactWaker | undefined;

  /** Takes an actor woken by a turn; `false` outside of all turns, and for the one that runs. */
  take(waker: NactWaker): boolean {
    if (this.#running === undefined || this.#running === waker) return false;
    this.#ready.push(waker);
    return true;
  }

  run(first: NactWaker): void {
    const endMs = performance.now() + CHAIN_MS_MAX;
    const ready = this.#ready;
    let turns = 0;
    for (let next: NactWaker | undefined = first; next !== undefined; next = ready[turns - 1]) {
      this.#running = next;
      next.turn();
      turns += 1;
      if (turns === CHAIN_TURNS_MAX) break;
      if (turns % CHAIN_CLOCK_TURNS === 0 && performance.now() >= endMs) break;
    }
    this.#running = undefined;
    for (let at = turns - 1; at < ready.length; at += 1) ready[at]?.dispatch();
    ready.length = 0;
  }
}

class NactWaker implements Waker {
  readonly #ref: Ref<typeof WAKE>;
  readonly #wakers: Set<NactWaker>;
  readonly #chain: Chain;
  readonly #onTurn: () => void;
  #pending = false;
  #stopped = false;

  constructor(
    system: Ref<never>,
    name: string,
    onTurn: () => void,
    wakers: Set<NactWaker>,
    chain: Chain,
  ) {
    this.#wakers = wakers;
    this.#chain = chain;
    this.#onTurn = onTurn;
    const onWake = (_state: undefined, _wake: typeof WAKE): undefined => {
      chain.run(this);
      return undefined;
    };
    this.#ref = spawn(system, onWake, name);
  }

  wake(): void {
    if (this.#pending || this.#stopped) return;
    this.#pending = true;
    if (!this.#chain.take(this)) this.dispatch();
  }

  /** Asks nact for an event-loop turn. */
  dispatch(): void {
    if (!this.#stopped) dispatch(this.#ref, WAKE);
  }

  turn(): void {
    this.#pending = false;
    if (this.#stopped) return;
    try {
      this.#onTurn();
    } catch (error) {
      failLoudly(error);
    }
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#wakers.delete(this);
    stop(this.#ref);
  }
}

/**
 * Actors catch what their handlers throw, so this is a defect of the runtime itself. nact would
 * print it and go on with a dead actor; the process must not.
 */
function failLoudly(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}

/** setTimeout with the promise that it never rings early, which Node does not give by itself. */
class NodeTimer implements TimerHandle {
  readonly #dueMs: number;
  readonly #callback: () => void;
  readonly #timers: Set<NodeTimer>;
  #timeout: NodeJS.Timeout;

  constructor(delayMs: number, callback: () => void, timers: Set<NodeTimer>) {
    this.#dueMs = performance.now() + delayMs;
    this.#callback = callback;
    this.#timers = timers;
    this.#timeout = this.#arm(delayMs);
  }

  cancel(): void {
    this.#timers.delete(this);
    clearTimeout(this.#timeout);
  }

  #arm(delayMs: number): NodeJS.Timeout {
    const wholeMs = Math.min(TIMEOUT_MS_MAX, Math.max(1, Math.ceil(delayMs)));
    return setTimeout(() => this.#ring(), wholeMs);
  }

  #ring(): void {
    const leftMs = this.#dueMs - performance.now();
    if (leftMs > 0) {
      this.#timeout = this.#arm(leftMs);
      return;
    }
    this.#timers.delete(this);
    this.#callback();
  }
}
