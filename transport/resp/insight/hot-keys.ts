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
const SAMPLES_PER_SECOND = 250;
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
  /** By database and key: the place of its count. */
  readonly #places = new Map<string, number>();
  /** By place; those in use come first. */
  readonly #names: string[] = [];
  readonly #counts = new Float64Array(KEYS_MAX);
  readonly #sampler = new Sampler(SAMPLES_PER_SECOND);
  #forgotMs = 0;

  /** To be asked once for each command that names keys: whether to `add` one of them. */
  takes(): boolean {
    return this.#sampler.takes();
  }

  /** Of how many commands the last one that was taken is one. */
  get weight(): number {
    return this.#sampler.weight;
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
    const known = this.#places.get(name);
    if (known !== undefined) {
      this.#counts[known] = this.#at(known) + weight;
    } else if (this.#names.length < KEYS_MAX) {
      this.#put(this.#names.length, name, weight);
    } else {
      const least = this.#least();
      this.#places.delete(this.#names[least] as string);
      this.#put(least, name, this.#at(least) + weight);
    }
  }

  #at(place: number): number {
    return this.#counts[place] as number;
  }

  #put(place: number, name: string, count: number): void {
    this.#places.set(name, place);
    this.#names[place] = name;
    this.#counts[place] = count;
  }

  /** The place of the smallest count: most samples of many keys look for it. */
  #least(): number {
    const counts = this.#counts;
    let least = 0;
    for (let place = 1; place < KEYS_MAX; place += 1) {
      if ((counts[place] as number) < (counts[least] as number)) least = place;
    }
    return least;
  }

  #drop(place: number): void {
    this.#places.delete(this.#names[place] as string);
    const last = this.#names.length - 1;
    if (place < last) this.#put(place, this.#names[last] as string, this.#at(last));
    this.#names.length = last;
  }

  /** To be called at least every second. */
  onTick(nowMs: number): void {
    const sinceMs = nowMs - this.#forgotMs;
    if (sinceMs < FORGET_EVERY_MS) return;
    this.#sampler.adjust(sinceMs);
    this.#forgotMs = nowMs;
    const kept = KEPT ** (sinceMs / 1_000);
    for (let place = this.#names.length - 1; place >= 0; place -= 1) {
      const left = this.#at(place) * kept;
      this.#counts[place] = left;
      if (left < COUNT_MIN) this.#drop(place);
    }
  }

  /** In [0, 1). */
  draw(): number {
    return this.#sampler.draw();
  }

  /** The hottest first. */
  top(count: number): HotKey[] {
    const sorted = [...this.#places].sort(([, a], [, b]) => this.#at(b) - this.#at(a));
    return sorted.slice(0, count).map(([name, place]) => {
      const blank = name.indexOf(' ');
      return {
        database: Number(name.slice(0, blank)),
        key: name.slice(blank + 1),
        perSecond: this.#at(place) * (1 - KEPT),
      };
    });
  }
}
