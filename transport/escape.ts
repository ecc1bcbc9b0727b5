/**
 * Escapes text from outside before it is shown. A control character in an error reply, in a log
 * line or on a terminal could move the cursor, change colours or imitate another line, so its
 * number is shown instead. Pure.
 */
import { isUtf8 } from 'node:buffer';

/** A byte string (latin1) as Redis prints one: bytes that are not printable ASCII become `\xNN`. */
export function escapeBytes(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, (byte) => `\\x${hex(byte, 2)}`);
}

/** A byte string as people read it: UTF-8 where it is, with what is not seen as `\xNN`. */
export function escapeUtf8(bytes: string): string {
  const raw = Buffer.from(bytes, 'latin1');
  if (!isUtf8(raw)) return escapeBytes(bytes);
  const unseen = (found: string): string => escapeBytes(Buffer.from(found).toString('latin1'));
  return raw.toString('utf8').replace(UNSEEN, unseen);
}

/**
 * Controls, invisible formatting, unassigned and private characters; letters of all scripts stay.
 */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}]/gu;

/** Text for people, on one line: line breaks become blanks, invisible characters `\uNNNN`. */
export function escapeLine(text: string): string {
  return escapeText(text.replace(/\s*[\r\n]+\s*/g, ' '));
}

/** Text of several lines, for people or as JSON, which means the same with these escapes. */
export function escapeText(text: string): string {
  return text.replace(UNSEEN, (found) => {
    if (found === '\n' || found === '\t') return found;
    let escaped = '';
    for (let i = 0; i < found.length; i += 1) escaped += `\\u${hex(found.charAt(i), 4)}`;
    return escaped;
  });
}

function hex(char: string, digits: number): string {
  return char.charCodeAt(0).toString(16).padStart(digits, '0');
}
