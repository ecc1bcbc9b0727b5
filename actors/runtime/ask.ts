/**
 * Questions with a deadline, by the reply they wait for. Ids are counted, never drawn, so two
 * questions cannot be confused; deadlines sit on the system's timer wheel. Actors ask through
 * their context, the edges of the process through `ActorSystem.ask`. For control and admin paths:
 * it allocates per question.
 */
import type { ActorRef } from './actor-ref.ts';
import type { Scheduler, Waker } from './ports/ports.ts';
import { type TimerWheel, WheelTimer } from './ports/timer-wheel.ts';
import type { Signal } from './signal.ts';

const ASKS_MAX = 65_536;

/** In whose turn the callbacks run. */
export interface Asker {
  /** Runs `signal.deliver()` in a later turn. */
  post(signal: Signal): void;
}

/** Builds the question around the address and the id that the answer must name. */
export type MakeQuestion<Q, R> = (replyTo: ActorRef<R>, id: number) => Q;

interface AskEvents {
  lateReply(path: string, reply: unknown): void;
}

export class AskTable {
  readonly #path: string;
  readonly #wheel: TimerWheel;
  readonly #max: number;
  readonly #events: AskEvents;
  readonly #open = new Map<number, PendingAsk>();
  #lastId = 0;
  #timeouts = 0;

  constructor(path: string, wheel: TimerWheel, events: AskEvents, max: number = ASKS_MAX) {
    this.#path = path;
    this.#wheel = wheel;
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
   * Returns the pending question, or undefined when it was not sent: too many questions are out
   * or the target refused it. Without a question neither callback is called.
   */
  ask<Q, R>(
    asker: Asker,
    target: ActorRef<Q>,
    make: MakeQuestion<Q, R>,
    deadlineMs: number,
    onReply: (reply: R) => void,
    onTimeout: () => void,
  ): PendingAsk | undefined {
    if (this.#open.size >= this.#max) return undefined;
    this.#lastId += 1;
    const id = this.#lastId;
    const path = `${this.#path}/ask/${id}`;
    const pending = new PendingAsk(id, asker, () => {
      this.#open.delete(id);
      this.#timeouts += 1;
      pending.settle(onTimeout);
    });
    const replyTo: ActorRef<R> = {
      path,
      tell: (reply) => {
        if (!this.#open.delete(id)) {
          this.#events.lateReply(path, reply);
          return false;
        }
        this.#wheel.cancel(pending);
        pending.settle(() => onReply(reply));
        return true;
      },
    };
    this.#open.set(id, pending);
    this.#wheel.start(pending, deadlineMs);
    if (target.tell(make(replyTo, id))) return pending;
    this.cancel(pending);
    return undefined;
  }

  /** Neither callback is called after this; a reply becomes a dead letter. */
  cancel(pending: PendingAsk): void {
    this.#open.delete(pending.id);
    this.#wheel.cancel(pending);
    pending.cancel();
  }
}

/** One question on its way: its deadline on the wheel, its completion in the asker's turn. */
export class PendingAsk extends WheelTimer implements Signal {
  readonly id: number;
  readonly #asker: Asker;
  readonly #onExpired: () => void;
  #completion: (() => void) | undefined;

  constructor(id: number, asker: Asker, onExpired: () => void) {
    super();
    this.id = id;
    this.#asker = asker;
    this.#onExpired = onExpired;
  }

  expire(): void {
    this.#onExpired();
  }

  settle(completion: () => void): void {
    this.#completion = completion;
    this.#asker.post(this);
  }

  cancel(): void {
    this.#completion = undefined;
  }

  deliver(): void {
    this.#completion?.();
  }

  letter(): undefined {
    return undefined;
  }
}

/** The asker for code that is no actor: completions run in a turn of their own. */
export class EdgeAsker implements Asker {
  readonly #waker: Waker;
  #signals: Signal[] = [];

  constructor(path: string, scheduler: Scheduler) {
    this.#waker = scheduler.waker(`${path}/ask`, () => this.#turn());
  }

  post(signal: Signal): void {
    this.#signals.push(signal);
    this.#waker.wake();
  }

  stop(): void {
    this.#signals = [];
    this.#waker.stop();
  }

  /** An error thrown by a callback belongs to no message: it ends this turn as if uncaught. */
  #turn(): void {
    for (let signal = this.#signals.shift(); signal !== undefined; signal = this.#signals.shift()) {
      if (this.#signals.length > 0) this.#waker.wake();
      signal.deliver();
    }
  }
}
