/**
 * The cluster's time: the median of the members' wall clocks, this node's among them, where a
 * majority agrees with it. The links compare the clocks (`heard`). A node uses its own clock if
 * that is near the median and the median otherwise, so that a wrong clock moves no node's time, not
 * even its own. Pure; clocks come in as functions.
 *
 * Not needed for safety: timestamps stay unique and ascend whatever the result.
 */

export interface ClockLimits {
  /** How far ahead of the clock timestamps are reserved on disk, and so what a restart waits. */
  readonly reserveUs: number;
  /** A clock this far off is wrong; a vote or a proposal this far ahead is refused. */
  readonly skewUsMax: number;
  /** A clock at most this far off is used as it is. */
  readonly toleranceUs: number;
  /** Pause between two comparisons with a peer. */
  readonly probeEveryMs: number;
  /** A comparison that is older than this says nothing any more. */
  readonly readingMsMax: number;
  /** A comparison that took longer is used only where there is no other. */
  readonly roundTripMsMax: number;
}

export const CLOCK_LIMITS: ClockLimits = Object.freeze({
  reserveUs: 400_000,
  skewUsMax: 60_000_000,
  toleranceUs: 250_000,
  probeEveryMs: 500,
  readingMsMax: 10_000,
  roundTripMsMax: 500,
});

export type ClockVerdict =
  /** `aheadUs`: of the cluster's time; negative when it lags. */
  | { readonly type: 'right' | 'wrong'; readonly aheadUs: number }
  /** Too few clocks are known, or as many say one thing as another. */
  | { readonly type: 'unknown' };

interface ClusterTimeOptions {
  /** Of all members, this node among them, so many clocks must be known. */
  readonly quorum: number;
  readonly wallUs: () => number;
  readonly monotonicMs: () => number;
  readonly limits?: Partial<ClockLimits>;
}

/** How a peer's clock compares with this node's: data, which every store of the node is told. */
export interface ClockComparison {
  /** The peer's wall clock minus our monotonic one. */
  readonly offsetUs: number;
  readonly atMs: number;
}

export class ClusterTime {
  readonly limits: ClockLimits;
  readonly #options: ClusterTimeOptions;
  readonly #readings = new Map<number, ClockComparison>();
  /**
   * The median minus our monotonic clock. It stays when the clocks that are known do not suffice
   * any more: the monotonic clock alone keeps good time for long.
   */
  #offsetUs: number | undefined;

  constructor(options: ClusterTimeOptions) {
    this.#options = options;
    this.limits = { ...CLOCK_LIMITS, ...options.limits };
  }

  /** This node's own clock, right or wrong: what peers are told. */
  wallUs(): number {
    return this.#options.wallUs();
  }

  /** 0 before it is known. */
  nowUs(): number {
    const wallUs = this.#options.wallUs();
    if (this.#options.quorum === 1) return wallUs;
    const medianUs = this.#medianUs();
    if (medianUs === undefined) return 0;
    const near = Math.abs(wallUs - medianUs) <= this.limits.toleranceUs;
    return near ? wallUs : Math.floor(medianUs);
  }

  get isKnown(): boolean {
    return this.#options.quorum === 1 || this.#offsetUs !== undefined;
  }

  get verdict(): ClockVerdict {
    if (this.#options.quorum === 1) return { type: 'right', aheadUs: 0 };
    const medianUs = this.#medianUs();
    if (medianUs === undefined) return { type: 'unknown' };
    const aheadUs = this.#options.wallUs() - medianUs;
    return { type: Math.abs(aheadUs) > this.limits.skewUsMax ? 'wrong' : 'right', aheadUs };
  }

  /** Whether the clock of this peer is known to be wrong. */
  isWrong(peer: number): boolean {
    const reading = this.#readings.get(peer);
    if (reading === undefined || this.#offsetUs === undefined) return false;
    return Math.abs(reading.offsetUs - this.#offsetUs) > this.limits.skewUsMax;
  }

  /**
   * A peer's answer to what it was asked at `sentMs` of our monotonic clock: what it compares to,
   * unless it came too late to say anything.
   */
  heard(peer: number, wallUs: number, sentMs: number): ClockComparison | undefined {
    const nowMs = this.#options.monotonicMs();
    const roundTripMs = nowMs - sentMs;
    const isSlow = roundTripMs > this.limits.roundTripMsMax;
    this.refresh();
    if (roundTripMs < 0 || (isSlow && this.#readings.has(peer))) return undefined;
    const offsetUs = wallUs + (roundTripMs * 1_000) / 2 - nowMs * 1_000;
    const comparison = { offsetUs, atMs: nowMs };
    this.compared(peer, comparison);
    return comparison;
  }

  /** The same, computed elsewhere in this node. */
  compared(peer: number, comparison: ClockComparison): void {
    this.#readings.set(peer, comparison);
    this.#adopt(this.#options.monotonicMs());
  }

  /** Lets go of what is too old. */
  refresh(): void {
    const nowMs = this.#options.monotonicMs();
    for (const [peer, { atMs }] of this.#readings) {
      if (nowMs - atMs > this.limits.readingMsMax) this.#readings.delete(peer);
    }
    this.#adopt(nowMs);
  }

  #adopt(nowMs: number): void {
    const offsets = [this.#options.wallUs() - nowMs * 1_000];
    for (const { offsetUs } of this.#readings.values()) offsets.push(offsetUs);
    if (offsets.length < this.#options.quorum) return;
    offsets.sort((a, b) => a - b);
    const lower = offsets[(offsets.length - 1) >> 1] as number;
    const upper = offsets[offsets.length >> 1] as number;
    const { toleranceUs, skewUsMax } = this.limits;
    // Two wrong clocks, one of which may be right again by now, have the right ones at one end.
    const agreeing = offsets.filter((offsetUs) => Math.abs(offsetUs - lower) <= skewUsMax);
    if (agreeing.length < this.#options.quorum) return;
    // An even number of clocks has no middle where the two halves disagree.
    const apartMax = this.#offsetUs === undefined ? skewUsMax : toleranceUs;
    if (upper - lower <= apartMax) this.#offsetUs = lower;
  }

  #medianUs(): number | undefined {
    if (this.#offsetUs === undefined) return undefined;
    return this.#options.monotonicMs() * 1_000 + this.#offsetUs;
  }
}

/** The problem of the clock, for people; `undefined` when there is none. */
export function complaintOf(verdict: ClockVerdict): string | undefined {
  switch (verdict.type) {
    case 'right':
      return undefined;
    case 'unknown':
      return 'the clocks of a majority of the members cannot be compared yet, or disagree evenly';
    case 'wrong': {
      const seconds = Math.round(Math.abs(verdict.aheadUs) / 1_000_000);
      const where = verdict.aheadUs > 0 ? 'ahead of' : 'behind';
      return `the clock of this node is ${seconds} s ${where} its peers'`;
    }
  }
}
