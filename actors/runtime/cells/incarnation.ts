/**
 * One life of an actor: the context of its behavior, with the timers and watches that end with
 * this life. Made by the cell at each start; never touches the mailbox itself.
 */
import type { ActorRef } from '../actor-ref.ts';
import type { ActorContext, ActorExit, TimerKey, Timers } from '../behavior.ts';
import type { Host } from '../host.ts';
import type { Clock, Rng } from '../ports/ports.ts';
import { WheelTimer } from '../ports/timer-wheel.ts';
import type { Signal } from '../signal.ts';
import type { TraceRecorder } from '../trace/trace-recorder.ts';
import { Outlet } from './outlet.ts';

export const TIMERS_MAX = 65_536;
export const WATCHES_MAX = 1_024;

/** An actor that can be watched. */
export interface WatchTarget {
  /** Reports at once, in a later turn of the watcher, when the target has retired. */
  addWatcher(watcher: Watcher): void;
  removeWatcher(watcher: Watcher): void;
}

export interface Watcher {
  exited(exit: ActorExit): void;
}

/** The cell as its incarnation sees it. */
export interface IncarnationOwner<M> {
  readonly ref: ActorRef<M>;
  readonly traceId: number;
  /** Tells a message that is dropped if this incarnation ends before receiving it. */
  tellOwn(message: M): boolean;
  /** Runs the signal in a later turn of this incarnation. */
  post(signal: Signal): void;
  receive(message: M): void;
  deadLetter(message: unknown, reason: 'stale'): void;
  /** Ends this incarnation, and with it the system. */
  fatal(error: unknown): void;
  watchTarget(ref: ActorRef<never>): WatchTarget;
}

/** Thrown by `fatal` to unwind the handler; the cell recognises it. */
class FatalUnwind extends Error {
  override readonly name = 'FatalUnwind';
}

export class Incarnation<M> implements ActorContext<M> {
  readonly self: ActorRef<M>;
  readonly thisIncarnation: ActorRef<M>;
  readonly incarnation: number;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly timers: TimerSet<M>;
  readonly recorder: TraceRecorder;
  readonly #owner: IncarnationOwner<M>;
  readonly #host: Host;
  readonly #watches = new Map<string, Watch<M>>();
  readonly #outlets: Array<{ readonly path: string; close(): readonly unknown[] }> = [];
  #ended = false;

  constructor(owner: IncarnationOwner<M>, host: Host, incarnation: number) {
    this.#owner = owner;
    this.#host = host;
    this.self = owner.ref;
    this.incarnation = incarnation;
    this.clock = host.clock;
    this.rng = host.rng;
    this.recorder = host.recorder;
    this.timers = new TimerSet(owner, host);
    this.thisIncarnation = {
      path: owner.ref.path,
      tell: (message) => {
        if (!this.#ended) return owner.tellOwn(message);
        owner.deadLetter(message, 'stale');
        return false;
      },
    };
  }

  watch(ref: ActorRef<never>, make: (exit: ActorExit) => M): void {
    this.#watches.get(ref.path)?.end();
    this.#watches.delete(ref.path);
    if (this.#watches.size >= WATCHES_MAX) throw new Error(`over ${WATCHES_MAX} watches`);
    const watch = new Watch(this.#owner, this.#owner.watchTarget(ref), make);
    this.#watches.set(ref.path, watch);
    watch.begin();
  }

  outlet<T>(target: ActorRef<T>, keptMax?: number): Outlet<T> {
    const outlet = new Outlet(target, keptMax);
    this.#outlets.push(outlet);
    return outlet;
  }

  fatal(error: unknown): never {
    if (!this.#ended) this.#owner.fatal(error);
    throw new FatalUnwind('the actor declared a fatal failure', { cause: error });
  }

  trace(txn: string, step: string): void {
    const atMs = this.#host.clock.monotonicMs();
    this.#host.recorder.txn(this.#owner.traceId, atMs, txn, step);
  }

  /** Cancels everything that belongs to this life. */
  end(): void {
    this.#ended = true;
    this.timers.cancelAll();
    for (const watch of this.#watches.values()) watch.end();
    this.#watches.clear();
    for (const outlet of this.#outlets) {
      for (const message of outlet.close()) this.#host.deadLetter(outlet.path, message, 'stale');
    }
  }
}

class TimerSet<in out M> implements Timers<M> {
  readonly #owner: IncarnationOwner<M>;
  readonly #host: Host;
  readonly #timers = new Map<TimerKey, KeyedTimer<M>>();
  #ended = false;

  constructor(owner: IncarnationOwner<M>, host: Host) {
    this.#owner = owner;
    this.#host = host;
  }

  get size(): number {
    return this.#timers.size;
  }

  start(key: TimerKey, delayMs: number, message: M): void {
    this.#start(key, delayMs, undefined, message);
  }

  startPeriodic(key: TimerKey, periodMs: number, message: M): void {
    if (!(periodMs >= 1)) throw new RangeError(`timer period ${periodMs} ms is not >= 1`);
    this.#start(key, periodMs, periodMs, message);
  }

  cancelAll(): void {
    this.#ended = true;
    for (const timer of [...this.#timers.values()]) this.#cancel(timer);
  }

  expired(timer: KeyedTimer<M>): void {
    if (timer.periodMs !== undefined) this.#host.wheel.start(timer, timer.periodMs);
    if (timer.isQueued) return;
    timer.isQueued = true;
    this.#owner.post(timer);
  }

  deliver(timer: KeyedTimer<M>): void {
    timer.isQueued = false;
    if (timer.isCancelled) return;
    if (timer.periodMs === undefined) this.#timers.delete(timer.key);
    this.#owner.receive(timer.message);
  }

  #start(key: TimerKey, delayMs: number, periodMs: number | undefined, message: M): void {
    // A callback of an ended life may still hold its context; it must not start anything.
    if (this.#ended) return;
    const old = this.#timers.get(key);
    if (old !== undefined && !old.isQueued) {
      old.message = message;
      old.periodMs = periodMs;
      this.#host.wheel.start(old, delayMs);
      return;
    }
    if (old !== undefined) this.#cancel(old);
    if (this.#timers.size >= TIMERS_MAX) throw new Error(`over ${TIMERS_MAX} timers`);
    const timer = new KeyedTimer(this, key, message);
    timer.periodMs = periodMs;
    this.#host.wheel.start(timer, delayMs);
    this.#timers.set(key, timer);
  }

  #cancel(timer: KeyedTimer<M>): void {
    this.#timers.delete(timer.key);
    timer.isCancelled = true;
    this.#host.wheel.cancel(timer);
  }
}

class KeyedTimer<in out M> extends WheelTimer implements Signal {
  readonly key: TimerKey;
  message: M;
  periodMs: number | undefined;
  isQueued = false;
  isCancelled = false;
  readonly #set: TimerSet<M>;

  constructor(set: TimerSet<M>, key: TimerKey, message: M) {
    super();
    this.#set = set;
    this.key = key;
    this.message = message;
  }

  expire(): void {
    this.#set.expired(this);
  }

  deliver(): void {
    this.#set.deliver(this);
  }

  letter(): M {
    return this.message;
  }
}

class Watch<M> implements Watcher {
  readonly #owner: IncarnationOwner<M>;
  readonly #target: WatchTarget;
  readonly #make: (exit: ActorExit) => M;
  #ended = false;

  constructor(owner: IncarnationOwner<M>, target: WatchTarget, make: (exit: ActorExit) => M) {
    this.#owner = owner;
    this.#target = target;
    this.#make = make;
  }

  begin(): void {
    this.#target.addWatcher(this);
  }

  end(): void {
    this.#ended = true;
    this.#target.removeWatcher(this);
  }

  exited(exit: ActorExit): void {
    this.#owner.post({
      deliver: () => {
        if (!this.#ended) this.#owner.receive(this.#make(exit));
      },
      letter: () => exit,
    });
  }
}
