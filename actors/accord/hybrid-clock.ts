/**
 * The one source of timestamps of a node: transaction ids, ballots and votes (a vote may become an
 * executeAt, so it must be as unique as an id). Shared by every actor of the node; single-threaded.
 *
 * Reservation: a timestamp may leave the node only when a limit above it is on disk. A restart
 * starts at that limit, so that no timestamp is ever used twice, whatever the wall clock did
 * (accord.md §2.17; CASSANDRA-21198, CockroachDB #23744).
 */
import { Flags, type Timestamp } from './timestamp.ts';

export interface HybridClockOptions {
  readonly node: number;
  readonly epoch: number;
  /** Wall clock, microseconds. */
  readonly nowUs: () => number;
  /** How far ahead a reservation reaches. */
  readonly reserveUs: number;
}

export class HybridClock {
  readonly #options: HybridClockOptions;
  #lastUs = 0;
  #limitUs = 0;
  #durableLimitUs = 0;

  constructor(options: HybridClockOptions) {
    this.#options = options;
  }

  get lastUs(): number {
    return this.#lastUs;
  }

  /** The highest limit that was asked for; 0 before the first. */
  get limitUs(): number {
    return this.#limitUs;
  }

  /** What the next timestamp will at least be, in microseconds. */
  get presentUs(): number {
    return Math.max(this.#options.nowUs(), this.#lastUs);
  }

  /** A timestamp that this node never gave out before, above `atLeast` and all it has seen. */
  uniqueNow(atLeast?: Timestamp, kind = 0): Timestamp {
    const floorUs = atLeast === undefined ? 0 : atLeast.hlc + 1;
    const hlc = Math.max(this.#options.nowUs(), this.#lastUs + 1, floorUs);
    this.#lastUs = hlc;
    const epoch = Math.max(this.#options.epoch, atLeast?.epoch ?? 0);
    return { epoch, hlc, flags: kind & ~Flags.REJECTED, node: this.#options.node };
  }

  /** Moves the clock past a timestamp that another node has used. */
  observe(t: Timestamp): void {
    if (t.hlc > this.#lastUs) this.#lastUs = t.hlc;
  }

  /** Every timestamp given out so far lies below a limit that is on disk. */
  get covered(): boolean {
    return this.#lastUs < this.#durableLimitUs;
  }

  covers(hlcUs: number): boolean {
    return hlcUs < this.#durableLimitUs;
  }

  /**
   * The next limit to put on disk, or undefined while the present one reaches far enough (more
   * than half a reservation).
   */
  nextReservation(): number | undefined {
    const now = Math.max(this.#options.nowUs(), this.#lastUs);
    if (now + this.#options.reserveUs / 2 < this.#limitUs) return undefined;
    this.#limitUs = now + this.#options.reserveUs;
    return this.#limitUs;
  }

  /** The limit is on disk. */
  reservationDurable(limitUs: number): void {
    this.#durableLimitUs = Math.max(this.#durableLimitUs, limitUs);
  }

  /**
   * A limit found in the log at start: nothing below it may be given out again. What was reserved
   * beyond the log's limits has been lost.
   */
  restore(limitUs: number): void {
    this.#lastUs = Math.max(this.#lastUs, limitUs);
    this.#durableLimitUs = Math.max(this.#durableLimitUs, limitUs);
    this.#limitUs = this.#durableLimitUs;
  }
}
