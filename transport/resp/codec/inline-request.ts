/**
 * Inline requests: a line of words, as typed into telnet or sent by `redis-cli --pipe`. Quoting
 * follows Redis (`sdssplitargs`). Used by the parser only; nothing here is hot.
 */

const TAB = 9;
const NEWLINE = 10;
const CARRIAGE_RETURN = 13;
const SPACE = 32;
const DOUBLE_QUOTE = 34;
const SINGLE_QUOTE = 39;
const BACKSLASH = 92;
const LETTER_X = 120;

/** `\n`, `\r`, `\t`, `\b`, `\a` inside double quotes; any other byte stands for itself. */
const ESCAPES = new Map<number, number>([
  [110, NEWLINE],
  [114, CARRIAGE_RETURN],
  [116, TAB],
  [98, 8],
  [97, 7],
]);

/**
 * Splits the bytes `[start, end)` of a line (without its newline) into words. `undefined`: quotes
 * are not balanced, or a closing quote is not followed by a blank.
 */
export function splitInline(buffer: Uint8Array, start: number, end: number): Buffer[] | undefined {
  const words: Buffer[] = [];
  const word = Buffer.allocUnsafe(end - start);
  let at = start;
  for (;;) {
    while (at < end && isBlank(buffer[at] as number)) at += 1;
    if (at === end) return words;
    let length = 0;
    while (at < end && !isBlank(buffer[at] as number)) {
      const byte = buffer[at] as number;
      if (byte === DOUBLE_QUOTE || byte === SINGLE_QUOTE) {
        const quoted = unquote(buffer, at, end, word, length);
        if (quoted === undefined) return undefined;
        at = quoted.at;
        length = quoted.length;
      } else {
        word[length++] = byte;
        at += 1;
      }
    }
    words.push(Buffer.from(word.subarray(0, length)));
  }
}

/** The words as a request array: the rest of the program reads RESP2 arrays only. */
export function encodeRequest(words: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`, 'latin1')];
  const lineEnd = Buffer.from('\r\n', 'latin1');
  for (const word of words) {
    parts.push(Buffer.from(`$${word.length}\r\n`, 'latin1'), word, lineEnd);
  }
  return Buffer.concat(parts);
}

function isBlank(byte: number): boolean {
  return byte === SPACE || (byte >= TAB && byte <= CARRIAGE_RETURN);
}

/** Copies the quoted text at `start` behind `length` bytes of `word`. */
function unquote(
  buffer: Uint8Array,
  start: number,
  end: number,
  word: Buffer,
  length: number,
): { at: number; length: number } | undefined {
  const quote = buffer[start] as number;
  let at = start + 1;
  let filled = length;
  while (at < end) {
    const byte = buffer[at] as number;
    const next = at + 1 < end ? (buffer[at + 1] as number) : -1;
    if (byte === quote) {
      return next === -1 || isBlank(next) ? { at: at + 1, length: filled } : undefined;
    }
    if (byte !== BACKSLASH || next === -1) {
      word[filled++] = byte;
      at += 1;
    } else if (quote === SINGLE_QUOTE) {
      // Only the quote itself can be escaped here; any other backslash is literal.
      word[filled++] = next === SINGLE_QUOTE ? SINGLE_QUOTE : BACKSLASH;
      at += next === SINGLE_QUOTE ? 2 : 1;
    } else {
      const hex = next === LETTER_X ? hexByte(buffer, at + 2, end) : -1;
      word[filled++] = hex >= 0 ? hex : (ESCAPES.get(next) ?? next);
      at += hex >= 0 ? 4 : 2;
    }
  }
  return undefined;
}

function hexByte(buffer: Uint8Array, at: number, end: number): number {
  if (at + 2 > end) return -1;
  const high = hexDigit(buffer[at] as number);
  const low = hexDigit(buffer[at + 1] as number);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const letter = byte | 32;
  return letter >= 97 && letter <= 102 ? letter - 87 : -1;
}
