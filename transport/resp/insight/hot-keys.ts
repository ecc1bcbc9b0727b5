/**
 * The keys that clients of this node name most often, with an estimate of how often: Space-Saving
 * (Metwally, Agrawal, El Abbadi: "Efficient Computation of Frequent and Top-k Elements in Data
 * Streams", 2005) over a sample of the commands, which forgets within seconds. Bounded in keys and
 * in bytes per key, and in work per second.
 */
import { Sampler } from './sampler.ts';

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
  readonly #sampler = new Sampler(SAMPLES_PER_SECOND);
  #forgotMs = 0;

  /** To be asked once for each command that names keys: whether to `add` one of them. */
  takes(): boolean {
    return this.#sampler.takes();
  }

  /** One key of the command, of as many as it names. */
  add(database: number, key: string, keys: number): void {
    const weight = this.#sampler.weight * keys;
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
    this.#sampler.adjust(sinceMs);
    this.#forgotMs = nowMs;
    const kept = KEPT ** (sinceMs / 1_000);
    for (const [name, count] of this.#counts) {
      const left = count * kept;
      if (left < COUNT_MIN) this.#counts.delete(name);
      else this.#counts.set(name, left);
    }
  }

  /** In [0, 1). */
  draw(): number {
    return this.#sampler.draw();
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
