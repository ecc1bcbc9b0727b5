/**
 * The memo of the linearizability search. A configuration is a *core* (what must be equal) and the
 * open operations taken (a sorted list of numbers). A configuration is known when one with the same
 * core and no other open operations was there before: whatever can follow the larger one can follow
 * the smaller one, since open operations need not happen. Everything lies in typed arrays: the
 * search asks millions of times. Vectors are compared whole: a search that trusted a hash could
 * call a good history bad.
 */

export const WORDS_MAX_DEFAULT = 1 << 26;

const SLOTS_MIN = 64;
/** Sets of open operations compared per core; what comes later is only looked up exactly. */
const SETS_COMPARED_MAX = 64;
/** Words before a core in its arena: its length, its first open set, the number of those. */
const HEADER = 3;

export type Added = 'added' | 'known' | 'full';

export class ConfigurationSet {
  readonly #cores: VectorSet;
  /** Entries: offset of the next entry of the same core or 0, length, the open operations. */
  readonly #sets: Arena;
  readonly #exact: VectorSet;

  /** @param wordsMax how many 32-bit words the entries may take together (default 256 MiB). */
  constructor(wordsMax: number = WORDS_MAX_DEFAULT) {
    const budget = { wordsLeft: wordsMax };
    this.#cores = new VectorSet(budget);
    this.#sets = new Arena(budget);
    this.#exact = new VectorSet(budget);
  }

  /** `words`: the core up to `coreLength`, then the open operations, ascending, up to `length`. */
  add(words: Int32Array, coreLength: number, length: number): Added {
    const core = this.#cores.findOrAdd(words, coreLength);
    if (core === 0) return 'full';
    const { words: cores } = this.#cores.arena;
    for (let set = cores[core + 1] ?? 0; set !== 0; set = this.#sets.words[set] ?? 0) {
      if (this.#isSubset(set, words, coreLength, length)) return 'known';
    }
    const compared = cores[core + 2] ?? 0;
    if (compared >= SETS_COMPARED_MAX) {
      const before = this.#exact.size;
      if (this.#exact.findOrAdd(words, length) === 0) return 'full';
      return this.#exact.size > before ? 'added' : 'known';
    }
    const set = this.#sets.reserve(2 + length - coreLength);
    if (set === 0) return 'full';
    this.#sets.words[set] = cores[core + 1] ?? 0;
    this.#sets.words[set + 1] = length - coreLength;
    this.#sets.words.set(words.subarray(coreLength, length), set + 2);
    cores[core + 1] = set;
    cores[core + 2] = compared + 1;
    return 'added';
  }

  /** Whether all of the stored set is among `words[from..to]`; both ascend. */
  #isSubset(set: number, words: Int32Array, from: number, to: number): boolean {
    const { words: sets } = this.#sets;
    const end = set + 2 + (sets[set + 1] ?? 0);
    let at = from;
    for (let member = set + 2; member < end; member += 1) {
      const wanted = sets[member] ?? 0;
      while (at < to && (words[at] ?? 0) < wanted) at += 1;
      if (at === to || words[at] !== wanted) return false;
      at += 1;
    }
    return true;
  }
}

interface Budget {
  wordsLeft: number;
}

/** Words handed out one behind the other, never taken back; offset 0 means none. */
class Arena {
  words = new Int32Array(256);
  end = 1;
  readonly #budget: Budget;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** The offset of `length` fresh words, or 0 when the budget is used up. */
  reserve(length: number): number {
    if (length > this.#budget.wordsLeft) return 0;
    this.#budget.wordsLeft -= length;
    const offset = this.end;
    this.end += length;
    if (this.end > this.words.length) {
      const grown = new Int32Array(Math.max(this.end, this.words.length * 2));
      grown.set(this.words);
      this.words = grown;
    }
    return offset;
  }
}

/** A hash set of vectors with open addressing; each is stored behind a header of two free words. */
class VectorSet {
  readonly arena: Arena;
  size = 0;
  /** Offset of an entry in the arena, or 0. */
  #slots = new Int32Array(SLOTS_MIN);

  constructor(budget: Budget) {
    this.arena = new Arena(budget);
  }

  /** The offset of the entry of the first `length` words, or 0 when it does not fit. */
  findOrAdd(words: Int32Array, length: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash(words, 0, length) & mask;
    for (;;) {
      const offset = this.#slots[slot] ?? 0;
      if (offset === 0) break;
      if (this.#equals(offset, words, length)) return offset;
      slot = (slot + 1) & mask;
    }
    const offset = this.arena.reserve(HEADER + length);
    if (offset === 0) return 0;
    this.arena.words[offset] = length;
    this.arena.words.set(words.subarray(0, length), offset + HEADER);
    this.#slots[slot] = offset;
    this.size += 1;
    if (this.size * 2 > this.#slots.length) this.#rehash();
    return offset;
  }

  #equals(offset: number, words: Int32Array, length: number): boolean {
    const { words: stored } = this.arena;
    if (stored[offset] !== length) return false;
    for (let at = 0; at < length; at += 1) {
      if (stored[offset + HEADER + at] !== words[at]) return false;
    }
    return true;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2);
    const mask = slots.length - 1;
    const { words, end } = this.arena;
    for (let offset = 1; offset < end; offset += HEADER + (words[offset] ?? 0)) {
      const from = offset + HEADER;
      let slot = hash(words, from, from + (words[offset] ?? 0)) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = offset;
    }
    this.#slots = slots;
  }
}

/** Multiply and fold per word, with the finaliser of MurmurHash3. */
function hash(words: Int32Array, from: number, to: number): number {
  let value = to - from;
  for (let at = from; at < to; at += 1) {
    value = Math.imul(value ^ (words[at] ?? 0), 0x9e3779b1);
    value ^= value >>> 15;
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
