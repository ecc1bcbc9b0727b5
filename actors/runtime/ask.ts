/**
 * Questions from outside of all actors, with a deadline: who waits for which reply. Ids are
 * counted, never drawn, so two questions cannot be confused; deadlines sit on the system's timer
 * wheel, and callbacks run in turns of their own. For control and admin paths: it allocates per
 * question.
 */
import type { ActorRef } from './actor-ref.ts';
import type { Scheduler, Waker } from './ports/ports.ts';
import { type TimerWheel, WheelTimer } from './ports/timer-wheel.ts';

const ASKS_MAX = 65_536;

/** Builds the question around the address and the id that the answer must name. */
export type MakeQuestion<Q, R> = (replyTo: ActorRef<R>, id: number) => Q;

interface AskEvents {
  lateReply(path: string, reply: unknown): void;
}

export class AskTable {
  readonly #path: string;
  readonly #wheel: TimerWheel;
  readonly #waker: Waker;
  readonly #max: number;
  readonly #events: AskEvents;
  readonly #open = new Map<number, PendingAsk>();
  /** Answered or timed out; their callbacks have not run yet. */
  readonly #settled: PendingAsk[] = [];
  #lastId = 0;
  #timeouts = 0;

  constructor(
    path: string,
    scheduler: Scheduler,
    wheel: TimerWheel,
    events: AskEvents,
    max: number = ASKS_MAX,
  ) {
    this.#path = path;
    this.#wheel = wheel;
    this.#waker = scheduler.waker(`${path}/ask`, () => this.#turn());
    this.#events = events;
    this.#max = max;
  }

  /** Questions that wait for a reply. */
  get outstanding(): number {
    return this.#open.size;
  }

  get timeouts(): number {
    return this.#timeouts;
  }

  /**
   * Exactly one of the callbacks is called, unless the system ends first. `false`: not sent (too
   * many questions are out, or the target refused it); then neither is called.
   */
  ask<Q, R>(
    target: ActorRef<Q>,
    make: MakeQuestion<Q, R>,
    deadlineMs: number,
    onReply: (reply: R) => void,
    onTimeout: () => void,
  ): boolean {
    if (this.#open.size >= this.#max) return false;
    this.#lastId += 1;
    const id = this.#lastId;
    const path = `${this.#path}/ask/${id}`;
    const pending = new PendingAsk(() => {
      this.#open.delete(id);
      this.#timeouts += 1;
      this.#settle(pending, onTimeout);
    });
    const replyTo: ActorRef<R> = {
      path,
      tell: (reply) => {
        if (!this.#open.delete(id)) {
          this.#events.lateReply(path, reply);
          return false;
        }
        this.#wheel.cancel(pending);
        this.#settle(pending, () => onReply(reply));
        return true;
      },
    };
    this.#open.set(id, pending);
    this.#wheel.start(pending, deadlineMs);
    if (target.tell(make(replyTo, id))) return true;
    this.#open.delete(id);
    this.#wheel.cancel(pending);
    pending.completion = undefined;
    return false;
  }

  /** Calls no callback any more. */
  stop(): void {
    this.#settled.length = 0;
    this.#waker.stop();
  }

  #settle(pending: PendingAsk, completion: () => void): void {
    pending.completion = completion;
    this.#settled.push(pending);
    this.#waker.wake();
  }

  /** An error thrown by a callback belongs to no message: it ends this turn as if uncaught. */
  #turn(): void {
    const settled = this.#settled;
    for (let next = settled.shift(); next !== undefined; next = settled.shift()) {
      if (settled.length > 0) this.#waker.wake();
      next.completion?.();
    }
  }
}

/** One question on its way: its deadline on the wheel, and what is left to be called. */
class PendingAsk extends WheelTimer {
  completion: (() => void) | undefined;
  readonly #onExpired: () => void;

  constructor(onExpired: () => void) {
    super();
    this.#onExpired = onExpired;
  }

  expire(): void {
    this.#onExpired();
  }
}
