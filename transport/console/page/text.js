/**
 * Bytes of keys and values as people read and write them, without loss: UTF-8 is text, and each
 * other byte, as each one of a character that is not seen, is `\xNN`. A backslash is itself, but
 * where it would begin such an escape. Pure.
 */

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
/** As long as UTF-8 makes a character; whether it is one, the decoder says. */
const ONE =
  /\\(?=x[0-9a-fA-F]{2})|[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}|[^\x20-\x7e]/g;
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/u;
const ESCAPE = /\\x([0-9a-fA-F]{2})/g;

/** @param {string} bytes one character per byte */
export function shown(bytes) {
  return bytes.replace(ONE, seenOf);
}

/** As a text area takes it, with its lines. @param {string} bytes one character per byte */
export function shownLines(bytes) {
  return bytes.replace(ONE, (one) => (one === '\n' || one === '\t' ? one : seenOf(one)));
}

/** @param {string} text @returns {string} one character per byte */
export function bytesOf(text) {
  return rawOf(text).replace(ESCAPE, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)));
}

/** @param {string} text */
function rawOf(text) {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('');
}

/** @param {string} one */
function seenOf(one) {
  const text = characterOf(one);
  if (text !== undefined && text !== '\\' && !UNSEEN.test(text)) return text;
  return Array.from(one, escaped).join('');
}

/** @param {string} bytes @returns {string | undefined} */
function characterOf(bytes) {
  try {
    return UTF8.decode(Uint8Array.from(bytes, (each) => each.charCodeAt(0)));
  } catch {
    return undefined;
  }
}

/** @param {string} each */
function escaped(each) {
  return `\\x${each.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
