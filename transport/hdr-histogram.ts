/**
 * A histogram of durations with a bounded relative error (HDR): 32 buckets per power of two, so any
 * value is known to 3 percent, from a microsecond to hours. One call records the latency of all
 * commands of a batch; the histogram of `node:perf_hooks` takes one value at a time.
 */
const SUB_BITS = 5;
const SUB = 2 ** SUB_BITS;
/** Up to 2^36 us, 19 hours; what is longer counts as that. */
const POWERS = 36;
const MAX_US = 2 ** POWERS - 1;
const BUCKETS = (POWERS - SUB_BITS + 1) * SUB;

export class HdrHistogram {
  readonly #counts = new Float64Array(BUCKETS);
  #total = 0;
  #maxUs = 0;

  /** `count` values of so many microseconds. */
  record(us: number, count = 1): void {
    const value = Math.max(us, 0);
    const at = bucketOf(value);
    this.#counts[at] = (this.#counts[at] as number) + count;
    this.#total += count;
    if (value > this.#maxUs) this.#maxUs = value;
  }

  get count(): number {
    return this.#total;
  }

  get maxUs(): number {
    return this.#maxUs;
  }

  /** Per power of two up to which there are new values: it in microseconds, values below it. */
  *powers(): Generator<readonly [belowUs: number, count: number]> {
    let total = 0;
    let at = 0;
    for (let power = 0; power <= POWERS; power += 1) {
      const before = total;
      for (; at < firstOf(power); at += 1) total += this.#counts[at] as number;
      if (total > before) yield [2 ** power, total];
    }
  }

  /** Buckets with a count, as pairs of number and count in one list: what another node can add. */
  sparse(): number[] {
    const pairs: number[] = [];
    this.#counts.forEach((count, at) => {
      if (count > 0) pairs.push(at, count);
    });
    return pairs;
  }

  /** Adds the values of `now` that are not in `before`; both as `sparse` has them. */
  addSince(now: readonly number[], before: readonly number[]): void {
    const known = new Map<number, number>();
    for (let i = 0; i < before.length; i += 2) known.set(Number(before[i]), Number(before[i + 1]));
    for (let i = 0; i < now.length; i += 2) {
      const at = Number(now[i]);
      const count = Number(now[i + 1]) - (known.get(at) ?? 0);
      if (!(count > 0) || !(at >= 0 && at < BUCKETS)) continue;
      this.record(upperUs(Math.floor(at)), count);
    }
  }

  /** The value that so much of all are not above, `share` in (0, 1]; 0 where there is none. */
  quantileUs(share: number): number {
    let left = Math.ceil(share * this.#total);
    if (left === 0) return 0;
    for (let at = 0; at < BUCKETS; at += 1) {
      left -= this.#counts[at] as number;
      if (left <= 0) return Math.min(upperUs(at), this.#maxUs);
    }
    return this.#maxUs;
  }
}

function bucketOf(us: number): number {
  if (us < SUB) return Math.floor(us);
  const whole = Math.min(Math.floor(us), MAX_US);
  // Without logarithms and powers: each command passes here, more than once.
  const high = Math.floor(whole / 2 ** 32);
  const power = high > 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(whole);
  const shift = power - SUB_BITS;
  const upper = high > 0 ? Math.floor(whole / 2 ** shift) : whole >>> shift;
  return (shift + 1) * SUB + (upper - SUB);
}

/** The first bucket of values of 2^power us and more. */
function firstOf(power: number): number {
  return power <= SUB_BITS ? 2 ** power : (power - SUB_BITS + 1) * SUB;
}

function upperUs(at: number): number {
  if (at < SUB) return at;
  const shift = Math.floor(at / SUB) - 1;
  return (SUB + (at % SUB) + 1) * 2 ** shift - 1;
}
