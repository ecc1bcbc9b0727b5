/**
 * Redis' glob patterns (KEYS, SCAN MATCH): `*`, `?`, `[a-z]`, `[^a]`, `\` to quote. Case matters,
 * keys are byte strings. It backtracks to the last star only, so that the time is bounded by
 * pattern length times key length, where plain recursion is exponential. Pure.
 */

const STAR = 42;
const QUESTION = 63;
const OPEN = 91;
const CLOSE = 93;
const CARET = 94;
const DASH = 45;
const BACKSLASH = 92;

export function matchesGlob(pattern: string, text: string): boolean {
  // Like Redis' matcher, which ignores the rest of the pattern at the end of the text.
  if (text.length === 0) return pattern.length === 0 || pattern === '*';
  let p = 0;
  let t = 0;
  let starAt = -1;
  let starText = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern.charCodeAt(p) === STAR) {
      starAt = p++;
      starText = t;
      if (p === pattern.length) return true;
      continue;
    }
    const next = p < pattern.length ? matchOne(pattern, p, text.charCodeAt(t)) : -1;
    if (next !== -1) {
      p = next;
      t += 1;
    } else if (starAt === -1) {
      return false;
    } else {
      p = starAt + 1;
      t = ++starText;
    }
  }
  while (p < pattern.length && pattern.charCodeAt(p) === STAR) p += 1;
  return p === pattern.length;
}

/** The next position in the pattern if its element at `p` matches the byte; else -1. */
function matchOne(pattern: string, p: number, byte: number): number {
  switch (pattern.charCodeAt(p)) {
    case QUESTION:
      return p + 1;
    case OPEN:
      return matchClass(pattern, p + 1, byte);
    case BACKSLASH:
      if (p + 1 < pattern.length) return pattern.charCodeAt(p + 1) === byte ? p + 2 : -1;
      return byte === BACKSLASH ? p + 1 : -1;
    default:
      return pattern.charCodeAt(p) === byte ? p + 1 : -1;
  }
}

/** `p` is behind the bracket. A class that is not closed ends with the pattern. */
function matchClass(pattern: string, start: number, byte: number): number {
  const end = pattern.length;
  const negated = pattern.charCodeAt(start) === CARET;
  let p = negated ? start + 1 : start;
  let matched = false;
  while (p < end && pattern.charCodeAt(p) !== CLOSE) {
    const low = pattern.charCodeAt(p);
    if (low === BACKSLASH && p + 1 < end) {
      if (pattern.charCodeAt(p + 1) === byte) matched = true;
      p += 2;
    } else if (p + 2 < end && pattern.charCodeAt(p + 1) === DASH) {
      const high = pattern.charCodeAt(p + 2);
      if (byte >= Math.min(low, high) && byte <= Math.max(low, high)) matched = true;
      p += 3;
    } else {
      if (low === byte) matched = true;
      p += 1;
    }
  }
  if (matched === negated) return -1;
  return Math.min(p + 1, end);
}
