/**
 * Short byte strings, read in JavaScript: every key and most values of every command pass here, and
 * a call into the runtime costs more than the reading (about 190 against 20 to 150 ns, including a
 * look-up by the string).
 */

export const SHORT_TEXT_BYTES_MAX = 16;

/** Reads four bytes per call: half as many calls again, and strings to join, cost more. */
export function shortText(bytes: Buffer, start: number, length: number): string {
  const end = start + length;
  let text = '';
  let at = start;
  for (; at + 4 <= end; at += 4) {
    text += String.fromCharCode(
      byteAt(bytes, at),
      byteAt(bytes, at + 1),
      byteAt(bytes, at + 2),
      byteAt(bytes, at + 3),
    );
  }
  switch (end - at) {
    case 1:
      return text + String.fromCharCode(byteAt(bytes, at));
    case 2:
      return text + String.fromCharCode(byteAt(bytes, at), byteAt(bytes, at + 1));
    case 3:
      return (
        text + String.fromCharCode(byteAt(bytes, at), byteAt(bytes, at + 1), byteAt(bytes, at + 2))
      );
    default:
      return text;
  }
}

/** `undefined` cannot be: the caller has checked the length. */
function byteAt(bytes: Buffer, at: number): number {
  return bytes[at] as number;
}
