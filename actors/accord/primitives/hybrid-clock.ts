/**
 * The one source of timestamps of a node: transaction ids, ballots and votes (a vote may become an
 * executeAt, so it must be as unique as an id). Shared by every actor of the node; single-threaded.
 *
 * Reservation: a timestamp may leave the node only when a limit above it is on disk. After a
 * restart timestamps lie above that limit, so that none is ever used twice, whatever the wall
 * clock did (accord.md §2.17; CASSANDRA-21198, CockroachDB #23744). The node waits until the limit
 * has passed before it takes part, so that restarts do not move the cluster's time ahead.
 *
 * Bounds: what is only proposed (an id, a vote, a fence, a ballot) is refused when it lies too far
 * ahead of the present. A decided timestamp is a fact and is observed unchecked.
 */
import { CLOCK_LIMITS } from './cluster-time.ts';
import { Flags, type Timestamp } from './timestamp.ts';

interface HybridClockOptions {
  readonly node: number;
  /** The store of the node that this clock mints for. */
  readonly store: number;
  /** The time of the cluster as far as this node knows it, microseconds (`cluster-time.ts`). */
  readonly nowUs: () => number;
  /** How far ahead a reservation reaches. */
  readonly reserveUs: number;
  /** A proposal further ahead of the present than this is refused. */
  readonly skewUsMax?: number;
}

/** A node that has minted nothing for this long reserves nothing either. */
const IDLE_US = 10_000_000;

export class HybridClock {
  readonly #options: HybridClockOptions;
  readonly #skewUsMax: number;
  #lastUs = 0;
  #mintedUs = 0;
  #limitUs = 0;
  #durableLimitUs = 0;
  #begun = false;

  constructor(options: HybridClockOptions) {
    this.#options = options;
    this.#skewUsMax = options.skewUsMax ?? CLOCK_LIMITS.skewUsMax;
  }

  get store(): number {
    return this.#options.store;
  }

  get lastUs(): number {
    return this.#lastUs;
  }

  /** The highest timestamp that was given out in this life; 0 before the first. */
  get mintedUs(): number {
    return this.#mintedUs;
  }

  /** The highest limit that was asked for; 0 before the first. */
  get limitUs(): number {
    return this.#limitUs;
  }

  /** A lower bound of the next timestamp, in microseconds. */
  get presentUs(): number {
    return Math.max(this.#options.nowUs(), this.#lastUs);
  }

  /** A timestamp that this node never gave out before, above `atLeast` and all it has seen. */
  uniqueNow(atLeast?: Timestamp, kind = 0): Timestamp {
    const floorUs = atLeast === undefined ? 0 : atLeast.hlc + 1;
    const hlc = Math.max(this.#options.nowUs(), this.#lastUs + 1, floorUs);
    this.#lastUs = hlc;
    this.#mintedUs = hlc;
    const { node, store } = this.#options;
    return { hlc, flags: kind & ~Flags.REJECTED, node, store };
  }

  /** Moves the clock past a timestamp that is a fact. */
  observe(t: Timestamp): void {
    if (t.hlc > this.#lastUs) this.#lastUs = t.hlc;
  }

  /** Moves the clock past what another node proposes, unless that is too far ahead. */
  heed(t: Timestamp): void {
    if (!this.isTooFar(t)) this.observe(t);
  }

  /** Further ahead of the present than any clock that is right. */
  isTooFar(t: Timestamp): boolean {
    return t.hlc > this.presentUs + this.#skewUsMax;
  }

  // ---- the reservation --------------------------------------------------------------------

  /** Every timestamp given out so far lies below a limit that is on disk. */
  get covered(): boolean {
    return this.covers(this.#mintedUs);
  }

  /** All is covered, and nothing was given out of late: no reservation is needed for now. */
  get isIdle(): boolean {
    return this.covered && this.presentUs - this.#mintedUs > IDLE_US;
  }

  covers(hlcUs: number): boolean {
    return hlcUs < this.#durableLimitUs;
  }

  /**
   * The next limit to put on disk, or undefined while the present one reaches far enough (more
   * than half a reservation).
   */
  nextReservation(): number | undefined {
    const now = this.presentUs;
    if (now + this.#options.reserveUs / 2 < this.#limitUs) return undefined;
    this.#limitUs = now + this.#options.reserveUs;
    return this.#limitUs;
  }

  /** The node's limit is on disk: for this store and for all others. */
  reservationDurable(limitUs: number): void {
    this.#durableLimitUs = Math.max(this.#durableLimitUs, limitUs);
    // Another store of the node may have asked for it.
    this.#limitUs = Math.max(this.#limitUs, limitUs);
  }

  /**
   * A limit found in the log: a later life must not issue a timestamp below it again. Reservations
   * beyond the log's limits are lost. When only an actor restarts, within one life of the process,
   * the clock itself knows the timestamps that it has issued.
   */
  restore(limitUs: number): void {
    if (!this.#begun) this.#lastUs = Math.max(this.#lastUs, limitUs);
    this.#durableLimitUs = Math.max(this.#durableLimitUs, limitUs);
    this.#limitUs = this.#durableLimitUs;
  }

  /**
   * Whether the limit of the life before has passed, `elapsedUs` after this life began. A limit
   * that lies further ahead than one reservation is not waited for: what is given out then leads.
   */
  mayBegin(elapsedUs: number): boolean {
    if (this.#begun || elapsedUs >= this.#options.reserveUs) return true;
    return this.#options.nowUs() >= this.#limitUs;
  }

  /** From now on timestamps are given out. */
  begin(): void {
    this.#begun = true;
  }

  get begun(): boolean {
    return this.#begun;
  }
}
