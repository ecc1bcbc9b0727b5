/**
 * The keys that clients of this node name most often, with an estimate of how often: Space-Saving
 * (Metwally, Agrawal, El Abbadi: "Efficient Computation of Frequent and Top-k Elements in Data
 * Streams", 2005) over a sample of the commands, which forgets within seconds. Bounded in keys and
 * in bytes per key, and in work per second.
 */
const KEYS_MAX = 128;
const KEY_BYTES_MAX = 256;
/** Commands that are looked at per second, about. */
const SAMPLES_PER_SECOND = 1_000;
const FORGET_EVERY_MS = 1_000;
/** Of a count is left after a second, so that a steady rate r counts r / (1 - KEPT). */
const KEPT = 0.9;
/** Below it a key is dropped. */
const COUNT_MIN = 0.05;

interface HotKey {
  readonly database: number;
  /** A byte string; cut at 256 bytes. */
  readonly key: string;
  /** Commands per second that name it, estimated over the last ten seconds or so. */
  readonly perSecond: number;
}

export class HotKeys {
  /** By database and key. */
  readonly #counts = new Map<string, number>();
  /** Commands until the next one that is looked at; a sample stands for `#every` of them. */
  #left = 1;
  #every = 1;
  #seen = 0;
  /** Samples since it last forgot. */
  #taken = 0;
  #forgotMs = 0;
  #random = 1;

  /** To be asked once for each command that names keys: whether to `add` one of them. */
  takes(): boolean {
    this.#left -= 1;
    return this.#left <= 0;
  }

  /** One key of the command, of as many as it names. */
  add(database: number, key: string, keys: number): void {
    const weight = this.#every * keys;
    this.#seen += this.#every;
    this.#taken += 1;
    // A burst after a quiet second must not be looked at whole.
    if (this.#taken % SAMPLES_PER_SECOND === 0) this.#every *= 2;
    this.#left = 1 + Math.floor(this.draw() * (2 * this.#every - 1));
    // Copied: a slice would keep the whole key.
    const cut =
      key.length <= KEY_BYTES_MAX
        ? key
        : Buffer.from(key.slice(0, KEY_BYTES_MAX), 'latin1').toString('latin1');
    const name = `${database} ${cut}`;
    const counts = this.#counts;
    const known = counts.get(name);
    if (known !== undefined || counts.size < KEYS_MAX) {
      counts.set(name, (known ?? 0) + weight);
      return;
    }
    let least = '';
    let count = Infinity;
    for (const [other, its] of counts) if (its < count) [least, count] = [other, its];
    counts.delete(least);
    counts.set(name, count + weight);
  }

  /** To be called at least every second. */
  onTick(nowMs: number): void {
    const sinceMs = nowMs - this.#forgotMs;
    if (sinceMs < FORGET_EVERY_MS) return;
    const perSecond = (this.#seen * 1_000) / sinceMs;
    this.#every = Math.max(1, Math.ceil(perSecond / SAMPLES_PER_SECOND));
    this.#left = Math.min(this.#left, 2 * this.#every);
    this.#seen = 0;
    this.#taken = 0;
    this.#forgotMs = nowMs;
    const kept = KEPT ** (sinceMs / 1_000);
    for (const [name, count] of this.#counts) {
      const left = count * kept;
      if (left < COUNT_MIN) this.#counts.delete(name);
      else this.#counts.set(name, left);
    }
  }

  /** In [0, 1): random enough that no pattern of a pipeline matters (Numerical Recipes' LCG). */
  draw(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#random / 2 ** 32;
  }

  /** The hottest first. */
  top(count: number): HotKey[] {
    const sorted = [...this.#counts].sort(([, a], [, b]) => b - a).slice(0, count);
    return sorted.map(([name, its]) => {
      const blank = name.indexOf(' ');
      return {
        database: Number(name.slice(0, blank)),
        key: name.slice(blank + 1),
        perSecond: its * (1 - KEPT),
      };
    });
  }
}
