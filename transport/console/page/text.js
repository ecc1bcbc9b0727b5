/** Bytes of keys and values as people read them: UTF-8 where it is, escapes where it is not. Pure. */

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** @param {string} bytes one character per byte */
export function shown(bytes) {
  try {
    const text = UTF8.decode(Uint8Array.from(bytes, (each) => each.charCodeAt(0)));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is escaped
    return text.replace(/[\x00-\x1f\x7f]/g, escaped);
  } catch {
    return bytes.replace(/[^\x20-\x7e]/g, escaped);
  }
}

/** @param {string} text @returns {string} one character per byte */
export function bytesOf(text) {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

/** @param {string} each */
function escaped(each) {
  return `\\x${each.charCodeAt(0).toString(16).padStart(2, '0')}`;
}
