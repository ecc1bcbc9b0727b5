/**
 * A bounded FIFO of messages: two plain arrays that swap places, so that a turn reads one while
 * senders fill the other. Owned by one cell. Slots are reused and never shrink below what was once
 * needed, hence neither putting nor taking allocates in the steady state.
 */
export class Mailbox<M> {
  readonly max: number;
  /** Places beyond `max` for what only this life of the actor may receive. */
  readonly #ownMax: number;
  /** Messages taken so far. */
  taken = 0;
  #inbox: (M | undefined)[] = [];
  #inboxCount = 0;
  #batch: (M | undefined)[] = [];
  #batchCount = 0;
  #at = 0;
  /** Where the messages for one life stand in these arrays. */
  #ownInbox: number[] = [];
  #ownBatch: number[] = [];

  constructor(max: number, ownMax = 0) {
    if (!Number.isInteger(max) || max < 1) throw new RangeError(`mailbox bound ${max} is not >= 1`);
    this.max = max;
    this.#ownMax = ownMax;
  }

  get size(): number {
    return this.#inboxCount + this.#batchCount - this.#at;
  }

  /** The value of `taken` once the message offered last has been taken. */
  get lastOrdinal(): number {
    return this.taken + this.size;
  }

  /** `false`: full, the message was not taken. */
  offer(message: M): boolean {
    return this.#put(message, this.max);
  }

  #put(message: M, max: number): boolean {
    const count = this.#inboxCount;
    if (count + this.#batchCount - this.#at >= max) return false;
    if (count === this.#inbox.length) this.#inbox.push(message);
    else this.#inbox[count] = message;
    this.#inboxCount = count + 1;
    return true;
  }

  /**
   * The same for a message that only this incarnation of the actor may receive, such as an answer
   * to its own request: other senders that fill the mailbox must not keep it out.
   */
  offerOwn(message: M): boolean {
    if (!this.#put(message, this.max + this.#ownMax)) return false;
    this.#ownInbox.push(this.#inboxCount - 1);
    return true;
  }

  /**
   * The life has ended: replaces what only it may receive. The places stay, so that the messages
   * behind them keep their ordinals. Returns what was replaced.
   */
  replaceOwn(substitute: M): M[] {
    const replaced: M[] = [];
    for (const [slots, places, from] of [
      [this.#batch, this.#ownBatch, this.#at],
      [this.#inbox, this.#ownInbox, 0],
    ] as const) {
      for (const place of places) {
        if (place < from) continue;
        replaced.push(slots[place] as M);
        slots[place] = substitute;
      }
      places.length = 0;
    }
    return replaced;
  }

  /**
   * The number of messages that can be taken now, without those offered later, so that a turn over
   * this many messages ends even when its handlers send to their own actor.
   */
  open(): number {
    if (this.#at === this.#batchCount) {
      const emptied = this.#batch;
      this.#batch = this.#inbox;
      this.#batchCount = this.#inboxCount;
      this.#at = 0;
      this.#inbox = emptied;
      this.#inboxCount = 0;
      const places = this.#ownBatch;
      this.#ownBatch = this.#ownInbox;
      this.#ownInbox = places;
      places.length = 0;
    }
    return this.#batchCount - this.#at;
  }

  /** The oldest message. Call only as often as `open` has said. */
  take(): M {
    const at = this.#at;
    const message = this.#batch[at] as M;
    this.#batch[at] = undefined;
    this.#at = at + 1;
    this.taken += 1;
    return message;
  }
}
