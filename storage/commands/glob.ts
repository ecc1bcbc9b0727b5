/**
 * Redis' glob patterns (KEYS, SCAN MATCH): `*`, `?`, `[a-z]`, `[^a]`, `\` to quote. Case matters,
 * keys are byte strings. A pattern is compiled once. The part between two stars is searched for
 * from where the part before it was found first, in time linear in the text: no text and pattern
 * take their product. Pure.
 */

const STAR = 42;
const QUESTION = 63;
const OPEN = 91;
const CLOSE = 93;
const CARET = 94;
const DASH = 45;
const BACKSLASH = 92;

/**
 * Elements between two stars of which one is `?` or a class: each text byte costs one step per 32
 * of them. Longer ones are refused.
 */
export const WILD_ELEMENTS_MAX = 1024;
/** Up to this length a plain search is the fastest. */
const SHORT = 16;
const WORD_BITS = 32;

/** The bytes that an element takes: one, or a set. */
type Element = number | Uint8Array;

const ANY = new Uint8Array(256).fill(1);

export class Glob {
  readonly #isStarOnly: boolean;
  readonly #isEmpty: boolean;
  readonly #parts: readonly Part[];
  /** Bytes of the shortest text that matches. */
  readonly #lengthMin: number;
  /** The reason why the pattern cannot be used. */
  readonly problem: string | undefined;

  constructor(pattern: string) {
    this.#isStarOnly = pattern === '*';
    this.#isEmpty = pattern.length === 0;
    this.#parts = partsOf(pattern);
    this.#lengthMin = this.#parts.reduce((sum, { length }) => sum + length, 0);
    const isTooLong = this.#parts.some(
      ({ isWild, length }) => isWild && length > WILD_ELEMENTS_MAX,
    );
    this.problem = isTooLong
      ? `ERR the pattern has more than ${WILD_ELEMENTS_MAX} elements with ? or [] between two stars`
      : undefined;
  }

  matches(text: string): boolean {
    // Like Redis' matcher, which ignores the rest of the pattern at the end of the text.
    if (text.length === 0) return this.#isEmpty || this.#isStarOnly;
    if (text.length < this.#lengthMin) return false;
    const parts = this.#parts;
    const [first] = parts;
    const last = parts.at(-1);
    if (first === undefined || last === undefined) return false;
    if (parts.length === 1) return text.length === first.length && first.isAt(text, 0);
    if (!first.isAt(text, 0) || !last.isAt(text, text.length - last.length)) return false;
    const end = text.length - last.length;
    let at = first.length;
    for (let i = 1; i < parts.length - 1; i += 1) {
      const part = parts[i] as Part;
      const found = part.findIn(text, at, end);
      if (found === -1) return false;
      at = found + part.length;
    }
    return at <= end;
  }
}

export function matchesGlob(pattern: string, text: string): boolean {
  return new Glob(pattern).matches(text);
}

/** The elements between two stars. */
class Part {
  readonly #elements: readonly Element[];
  readonly isWild: boolean;
  /** For a search; made by the first one. */
  #failures: Int32Array | undefined;
  #masks: Int32Array | undefined;

  constructor(elements: readonly Element[]) {
    this.#elements = elements;
    this.isWild = elements.some((element) => typeof element !== 'number');
  }

  get length(): number {
    return this.#elements.length;
  }

  isAt(text: string, at: number): boolean {
    const elements = this.#elements;
    for (let i = 0; i < elements.length; i += 1) {
      if (!takes(elements[i] as Element, text.charCodeAt(at + i))) return false;
    }
    return true;
  }

  /** The first place between `from` and `end` where it is; -1: none. */
  findIn(text: string, from: number, end: number): number {
    if (this.length === 0) return from;
    if (this.length <= SHORT) return this.#findShort(text, from, end);
    return this.isWild ? this.#findWild(text, from, end) : this.#findPlain(text, from, end);
  }

  #findShort(text: string, from: number, end: number): number {
    for (let at = from; at <= end - this.length; at += 1) if (this.isAt(text, at)) return at;
    return -1;
  }

  /** Knuth, Morris, Pratt. */
  #findPlain(text: string, from: number, end: number): number {
    const wanted = this.#elements as readonly number[];
    this.#failures ??= failuresOf(wanted);
    const failures = this.#failures;
    let matched = 0;
    for (let at = from; at < end; at += 1) {
      const byte = text.charCodeAt(at);
      while (matched > 0 && wanted[matched] !== byte) matched = failures[matched - 1] as number;
      if (wanted[matched] === byte) matched += 1;
      if (matched === wanted.length) return at + 1 - matched;
    }
    return -1;
  }

  /** Shift-And (Baeza-Yates, Gonnet): bit i is set while the first i + 1 elements have matched. */
  #findWild(text: string, from: number, end: number): number {
    const words = Math.ceil(this.length / WORD_BITS);
    this.#masks ??= masksOf(this.#elements, words);
    const masks = this.#masks;
    const state = new Int32Array(words);
    const lastBit = 1 << ((this.length - 1) % WORD_BITS);
    for (let at = from; at < end; at += 1) {
      const base = text.charCodeAt(at) * words;
      let carry = 1;
      for (let word = 0; word < words; word += 1) {
        const before = state[word] as number;
        state[word] = ((before << 1) | carry) & (masks[base + word] as number);
        carry = before >>> (WORD_BITS - 1);
      }
      if (((state[words - 1] as number) & lastBit) !== 0) return at + 1 - this.length;
    }
    return -1;
  }
}

function takes(element: Element, byte: number): boolean {
  return typeof element === 'number' ? element === byte : element[byte] === 1;
}

function failuresOf(wanted: readonly number[]): Int32Array {
  const failures = new Int32Array(wanted.length);
  let matched = 0;
  for (let i = 1; i < wanted.length; i += 1) {
    while (matched > 0 && wanted[matched] !== wanted[i]) matched = failures[matched - 1] as number;
    if (wanted[matched] === wanted[i]) matched += 1;
    failures[i] = matched;
  }
  return failures;
}

/** For each byte, the elements that take it. */
function masksOf(elements: readonly Element[], words: number): Int32Array {
  const masks = new Int32Array(256 * words);
  elements.forEach((element, i) => {
    const bit = 1 << (i % WORD_BITS);
    for (let byte = 0; byte < 256; byte += 1) {
      if (!takes(element, byte)) continue;
      const at = byte * words + Math.floor(i / WORD_BITS);
      masks[at] = (masks[at] as number) | bit;
    }
  });
  return masks;
}

/** The pattern cut at its stars. */
function partsOf(pattern: string): Part[] {
  const parts: Part[] = [];
  let elements: Element[] = [];
  for (let p = 0; p < pattern.length; ) {
    const char = pattern.charCodeAt(p);
    p += 1;
    if (char === STAR) {
      parts.push(new Part(elements));
      elements = [];
    } else if (char === QUESTION) {
      elements.push(ANY);
    } else if (char === OPEN) {
      const bytes = new Uint8Array(256);
      p = readClass(pattern, p, bytes);
      elements.push(bytes);
    } else if (char === BACKSLASH && p < pattern.length) {
      elements.push(pattern.charCodeAt(p));
      p += 1;
    } else {
      elements.push(char);
    }
  }
  parts.push(new Part(elements));
  return parts;
}

/**
 * Marks the bytes of the class whose bracket is before `start`, and returns where it ends. A class
 * that is not closed ends with the pattern.
 */
function readClass(pattern: string, start: number, bytes: Uint8Array): number {
  const end = pattern.length;
  const isNegated = pattern.charCodeAt(start) === CARET;
  let p = isNegated ? start + 1 : start;
  while (p < end && pattern.charCodeAt(p) !== CLOSE) {
    const low = pattern.charCodeAt(p);
    if (low === BACKSLASH && p + 1 < end) {
      bytes[pattern.charCodeAt(p + 1)] = 1;
      p += 2;
    } else if (p + 2 < end && pattern.charCodeAt(p + 1) === DASH) {
      const high = pattern.charCodeAt(p + 2);
      bytes.fill(1, Math.min(low, high), Math.max(low, high) + 1);
      p += 3;
    } else {
      bytes[low] = 1;
      p += 1;
    }
  }
  for (let byte = 0; isNegated && byte < 256; byte += 1) bytes[byte] = 1 - (bytes[byte] as number);
  return Math.min(p + 1, end);
}
