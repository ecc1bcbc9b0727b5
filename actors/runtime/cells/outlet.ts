/**
 * A channel to one actor that loses no message for lack of room: messages that a full mailbox
 * refuses are kept here, in order, and offered again as soon as there is room. There is no polling;
 * the mailbox notifies its waiters in turn.
 */
import type { ActorRef, Offered, RoomWaiter } from '../actor-ref.ts';

/** Messages that one outlet keeps. */
const KEPT_MAX = 65_536;
/** Places in front that have been given away before the list is shortened. */
const GIVEN_MAX = 1_024;

export class OutletError extends Error {
  override readonly name = 'OutletError';
}

export class Outlet<in out M> implements ActorRef<M>, RoomWaiter {
  readonly #target: ActorRef<M>;
  readonly #keptMax: number;
  #messages: M[] = [];
  #given = 0;
  #closed = false;

  constructor(target: ActorRef<M>, keptMax: number = KEPT_MAX) {
    if (!Number.isInteger(keptMax) || keptMax < 1) throw new RangeError(`outlet of ${keptMax}`);
    this.#target = target;
    this.#keptMax = keptMax;
  }

  get path(): string {
    return this.#target.path;
  }

  /** Messages that wait for room. */
  get kept(): number {
    return this.#messages.length - this.#given;
  }

  /** `false`: as many wait as may, or the actor has ended. */
  tell(message: M): boolean {
    return this.#put(message) === 'taken';
  }

  /**
   * For messages that must not be lost: throws when more wait than the sender should ever have in
   * flight. Does nothing when the actor has ended for good.
   */
  send(message: M): void {
    if (this.#put(message) === 'full') {
      throw new OutletError(`over ${this.#keptMax} messages wait for ${this.path}`);
    }
  }

  /** The sender has ended: returns what was still to be given. */
  close(): readonly M[] {
    const left = this.#messages.slice(this.#given);
    this.#closed = true;
    this.#messages = [];
    this.#given = 0;
    return left;
  }

  room(): void {
    const messages = this.#messages;
    while (this.#given < messages.length) {
      if (this.#offer(messages[this.#given] as M) === 'full') break;
      this.#given += 1;
    }
    if (this.#given < messages.length && this.#given < GIVEN_MAX) return;
    messages.splice(0, this.#given);
    this.#given = 0;
  }

  /** `taken` also says that it is kept. */
  #put(message: M): Offered {
    if (this.#closed) return 'gone';
    if (this.kept === 0) {
      const offered = this.#offer(message);
      if (offered !== 'full') return offered;
    }
    if (this.kept >= this.#keptMax) return 'full';
    this.#messages.push(message);
    return 'taken';
  }

  #offer(message: M): Offered {
    const target = this.#target;
    if (target.offer !== undefined) return target.offer(message, this);
    return target.tell(message) ? 'taken' : 'gone';
  }
}

/** The senders that a mailbox has refused, in the order of their arrival. */
export class WaitingLine {
  readonly #waiters = new Set<RoomWaiter>();

  get isEmpty(): boolean {
    return this.#waiters.size === 0;
  }

  add(waiter: RoomWaiter): void {
    this.#waiters.add(waiter);
  }

  /** One after the other; a sender that is refused again goes to the end of the line. */
  call(hasRoom: () => boolean): void {
    for (const waiter of this.#waiters) {
      if (!hasRoom()) return;
      this.#waiters.delete(waiter);
      waiter.room();
    }
  }
}
