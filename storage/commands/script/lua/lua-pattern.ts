/**
 * Patterns of Lua 5.1 as its own C code matches them (lstrlib.c), over bytes. Each step is counted:
 * a short pattern may try more ways than there is time for. Pure.
 */

const CAPTURES_MAX = 32;
/** How deep a match may call itself; that of C ends with its stack. */
const DEPTH_MAX = 200;
/** One item of a pattern costs about as much as so many instructions. */
const ITEM_STEPS = 4;
const UNFINISHED = -1;
/** A capture `()`: where it is, not what. */
const POSITION = -2;

const NUL = 0;
const [DOLLAR, PERCENT, OPEN, CLOSE, STAR, PLUS, MINUS, DOT, QUESTION] = [
  36, 37, 40, 41, 42, 43, 45, 46, 63,
];
const [BRACKET, BRACKET_END, CARET, LETTER_B, LETTER_F] = [91, 93, 94, 98, 102];
const NOTHING = -1;

/** The pattern makes no sense. */
export class PatternError {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

interface Capture {
  at: number;
  length: number;
}

interface Captured {
  readonly at: number;
  /** undefined: the capture is the place alone. */
  readonly length: number | undefined;
}

/** One search: the subject and the pattern are intervals of the same bytes. */
export class PatternSearch {
  #bytes: Uint8Array;
  readonly #from: number;
  readonly #end: number;
  readonly #patternEnd: number;
  readonly #charge: (steps: number) => void;
  readonly #captures: Capture[] = [];
  #depth = 0;

  constructor(
    bytes: Uint8Array,
    subject: { readonly at: number; readonly length: number },
    patternEnd: number,
    charge: (steps: number) => void,
  ) {
    this.#bytes = bytes;
    this.#from = subject.at;
    this.#end = subject.at + subject.length;
    this.#patternEnd = patternEnd;
    this.#charge = charge;
  }

  /**
   * Where the match ends that begins at `at`; undefined: there is none. `bytes`: the memory, which
   * may have moved since.
   */
  matchAt(bytes: Uint8Array, at: number, pattern: number): number | undefined {
    this.#bytes = bytes;
    this.#captures.length = 0;
    this.#depth = 0;
    const end = this.#match(at, pattern);
    return end === NOTHING ? undefined : end;
  }

  get captures(): number {
    return this.#captures.length;
  }

  /** Of the last match `[at, end)`; without any capture, all of it is the first one. */
  captured(index: number, at: number, end: number): Captured {
    const capture = this.#captures[index];
    if (capture === undefined) {
      if (index > 0) throw new PatternError('invalid capture index');
      return { at, length: end - at };
    }
    if (capture.length === UNFINISHED) throw new PatternError('unfinished capture');
    if (capture.length === POSITION) return { at: capture.at - this.#from + 1, length: undefined };
    return capture;
  }

  #byte(at: number): number {
    return at < this.#patternEnd ? (this.#bytes[at] as number) : NUL;
  }

  #match(subject: number, pattern: number): number {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new PatternError('pattern too complex');
    const end = this.#matchItems(subject, pattern);
    this.#depth -= 1;
    return end;
  }

  /** Item by item; only what may have to go back calls itself. */
  #matchItems(subject: number, pattern: number): number {
    let s = subject;
    let p = pattern;
    while (p < this.#patternEnd) {
      this.#charge(ITEM_STEPS);
      const item = this.#byte(p);
      if (item === OPEN) return this.#startCapture(s, p + 1);
      if (item === CLOSE) return this.#endCapture(s, p + 1);
      if (item === DOLLAR && p + 1 === this.#patternEnd) return s === this.#end ? s : NOTHING;
      if (item === PERCENT && this.#isSpecial(p + 1)) {
        s = this.#matchSpecial(s, p + 1);
        if (s === NOTHING) return NOTHING;
        p = this.#behindSpecial(p + 1);
        continue;
      }
      const next = this.#classEnd(p);
      const suffix = this.#byte(next);
      if (suffix === STAR) return this.#matchMost(s, p, next);
      if (suffix === MINUS) return this.#matchLeast(s, p, next);
      const isMatch = s < this.#end && this.#matchesOne(this.#bytes[s] as number, p, next);
      if (suffix === PLUS) return isMatch ? this.#matchMost(s + 1, p, next) : NOTHING;
      if (suffix === QUESTION) {
        const end = isMatch ? this.#match(s + 1, next + 1) : NOTHING;
        if (end !== NOTHING) return end;
        p = next + 1;
        continue;
      }
      if (!isMatch) return NOTHING;
      s += 1;
      p = next;
    }
    return s;
  }

  /** `%b`, `%f` and `%1`. */
  #isSpecial(p: number): boolean {
    const letter = this.#byte(p);
    return letter === LETTER_B || letter === LETTER_F || isDigit(letter);
  }

  #behindSpecial(p: number): number {
    const letter = this.#byte(p);
    if (letter === LETTER_B) return p + 3;
    return letter === LETTER_F ? this.#classEnd(p + 1) : p + 1;
  }

  #matchSpecial(s: number, p: number): number {
    const letter = this.#byte(p);
    if (letter === LETTER_B) return this.#matchBalance(s, p + 1);
    if (letter === LETTER_F) return this.#matchFrontier(s, p + 1) ? s : NOTHING;
    return this.#matchCapture(s, letter);
  }

  #matchFrontier(s: number, p: number): boolean {
    if (this.#byte(p) !== BRACKET) throw new PatternError("missing '[' after '%f' in pattern");
    const last = this.#classEnd(p) - 1;
    this.#charge(ITEM_STEPS);
    const before = s === this.#from ? NUL : (this.#bytes[s - 1] as number);
    const here = s < this.#end ? (this.#bytes[s] as number) : NUL;
    return !this.#isInSet(before, p, last) && this.#isInSet(here, p, last);
  }

  #matchBalance(s: number, p: number): number {
    if (this.#patternEnd - p < 2) throw new PatternError('unbalanced pattern');
    const open = this.#byte(p);
    const close = this.#byte(p + 1);
    if (s >= this.#end || this.#bytes[s] !== open) return NOTHING;
    let depth = 1;
    for (let at = s + 1; at < this.#end; at += 1) {
      this.#charge(1);
      const byte = this.#bytes[at];
      if (byte === close) depth -= 1;
      else if (byte === open) depth += 1;
      if (depth === 0) return at + 1;
    }
    return NOTHING;
  }

  #matchMost(s: number, p: number, next: number): number {
    let end = s;
    while (end < this.#end && this.#matchesOne(this.#bytes[end] as number, p, next)) end += 1;
    this.#charge(end - s);
    for (; end >= s; end -= 1) {
      const matched = this.#match(end, next + 1);
      if (matched !== NOTHING) return matched;
    }
    return NOTHING;
  }

  #matchLeast(s: number, p: number, next: number): number {
    for (let at = s; ; at += 1) {
      const matched = this.#match(at, next + 1);
      if (matched !== NOTHING) return matched;
      if (at >= this.#end || !this.#matchesOne(this.#bytes[at] as number, p, next)) return NOTHING;
    }
  }

  #startCapture(s: number, p: number): number {
    if (this.#captures.length >= CAPTURES_MAX) throw new PatternError('too many captures');
    const isPlace = this.#byte(p) === CLOSE;
    this.#captures.push({ at: s, length: isPlace ? POSITION : UNFINISHED });
    const end = this.#match(s, isPlace ? p + 1 : p);
    if (end === NOTHING) this.#captures.pop();
    return end;
  }

  #endCapture(s: number, p: number): number {
    const capture = this.#captures.findLast(({ length }) => length === UNFINISHED);
    if (capture === undefined) throw new PatternError('invalid pattern capture');
    capture.length = s - capture.at;
    const end = this.#match(s, p);
    if (end === NOTHING) capture.length = UNFINISHED;
    return end;
  }

  #matchCapture(s: number, digit: number): number {
    const capture = this.#captures[digit - 49];
    if (capture === undefined || capture.length === UNFINISHED) {
      throw new PatternError('invalid capture index');
    }
    const { at, length } = capture;
    if (length < 0 || this.#end - s < length) return NOTHING;
    this.#charge(length);
    for (let i = 0; i < length; i += 1) {
      if (this.#bytes[at + i] !== this.#bytes[s + i]) return NOTHING;
    }
    return s + length;
  }

  /** Behind the class or character that begins at `p`. */
  #classEnd(p: number): number {
    let at = p + 1;
    const first = this.#byte(p);
    if (first === PERCENT) {
      if (at >= this.#patternEnd) throw new PatternError("malformed pattern (ends with '%')");
      return at + 1;
    }
    if (first !== BRACKET) return at;
    if (this.#byte(at) === CARET) at += 1;
    do {
      if (at >= this.#patternEnd) throw new PatternError("malformed pattern (missing ']')");
      at += this.#byte(at) === PERCENT && at + 1 < this.#patternEnd ? 2 : 1;
    } while (this.#byte(at) !== BRACKET_END || at >= this.#patternEnd);
    this.#charge((at - p) >> 2);
    return at + 1;
  }

  #matchesOne(byte: number, p: number, next: number): boolean {
    const first = this.#byte(p);
    if (first === DOT) return true;
    if (first === PERCENT) return isOfClass(byte, this.#byte(p + 1));
    return first === BRACKET ? this.#isInSet(byte, p, next - 1) : first === byte;
  }

  /** `p`: of the bracket, `last`: of the one that closes it. */
  #isInSet(byte: number, p: number, last: number): boolean {
    let at = p + 1;
    const isNegated = this.#byte(at) === CARET;
    if (isNegated) at += 1;
    this.#charge((last - at) >> 2);
    for (; at < last; at += 1) {
      const first = this.#byte(at);
      if (first === PERCENT) {
        at += 1;
        if (isOfClass(byte, this.#byte(at))) return !isNegated;
      } else if (this.#byte(at + 1) === MINUS && at + 2 < last) {
        at += 2;
        if (first <= byte && byte <= this.#byte(at)) return !isNegated;
      } else if (first === byte) {
        return !isNegated;
      }
    }
    return isNegated;
  }
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57;
}

function isLower(byte: number): boolean {
  return byte >= 97 && byte <= 122;
}

function isUpper(byte: number): boolean {
  return byte >= 65 && byte <= 90;
}

function isHex(byte: number): boolean {
  return isDigit(byte) || (byte >= 97 && byte <= 102) || (byte >= 65 && byte <= 70);
}

/** In the locale of C. */
function isPunctuation(byte: number): boolean {
  return byte > 32 && byte < 127 && !isDigit(byte) && !isLower(byte) && !isUpper(byte);
}

function isSpace(byte: number): boolean {
  return byte === 32 || (byte >= 9 && byte <= 13);
}

function isOfClass(byte: number, letter: number): boolean {
  const lower = isUpper(letter) ? letter + 32 : letter;
  const isIn = classOf(lower, byte);
  if (isIn === undefined) return byte === letter;
  return isUpper(letter) ? !isIn : isIn;
}

function classOf(letter: number, byte: number): boolean | undefined {
  switch (String.fromCharCode(letter)) {
    case 'a':
      return isLower(byte) || isUpper(byte);
    case 'c':
      return byte < 32 || byte === 127;
    case 'd':
      return isDigit(byte);
    case 'l':
      return isLower(byte);
    case 'p':
      return isPunctuation(byte);
    case 's':
      return isSpace(byte);
    case 'u':
      return isUpper(byte);
    case 'w':
      return isLower(byte) || isUpper(byte) || isDigit(byte);
    case 'x':
      return isHex(byte);
    case 'z':
      return byte === 0;
    default:
      return undefined;
  }
}
