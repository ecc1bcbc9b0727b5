/**
 * Short byte strings, read in JavaScript: many keys and values pass here, and a call into the
 * runtime costs more than the reading.
 */

/**
 * V8 joins longer strings by reference: they would keep their pieces (88 bytes instead of 32 for 16
 * characters), and whoever reads them would flatten them at the price of the call saved here.
 */
export const SHORT_TEXT_BYTES_MAX = 12;

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
