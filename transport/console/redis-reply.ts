/**
 * Replies of RESP 2 as a client reads them: for the console, which runs commands on its own node as
 * the user that is logged in. Texts have one character per byte. Pure.
 */
import { encodeRequest } from '../resp/codec/inline-request.ts';

export type RedisReply =
  | string
  | number
  | null
  | { readonly error: string }
  | readonly RedisReply[];

interface Parsed {
  readonly reply: RedisReply;
  readonly end: number;
}

export function requestOf(words: readonly string[]): Buffer {
  return encodeRequest(words.map((word) => Buffer.from(word, 'latin1')));
}

/** The reply that begins at `at`; undefined: it is not whole yet. */
export function replyAt(text: string, at: number): Parsed | undefined {
  const lineEnd = text.indexOf('\r\n', at);
  if (lineEnd < 0) return undefined;
  const line = text.slice(at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (text[at]) {
    case '+':
      return { reply: line, end };
    case '-':
      return { reply: { error: line }, end };
    case ':':
      return { reply: Number(line), end };
    case '$':
      return bulkAt(text, end, Number(line));
    default:
      return arrayAt(text, end, Number(line));
  }
}

function bulkAt(text: string, start: number, length: number): Parsed | undefined {
  if (length < 0) return { reply: null, end: start };
  if (text.length < start + length + 2) return undefined;
  return { reply: text.slice(start, start + length), end: start + length + 2 };
}

function arrayAt(text: string, start: number, length: number): Parsed | undefined {
  if (length < 0) return { reply: null, end: start };
  const items: RedisReply[] = [];
  let end = start;
  for (let index = 0; index < length; index += 1) {
    const item = replyAt(text, end);
    if (item === undefined) return undefined;
    items.push(item.reply);
    end = item.end;
  }
  return { reply: items, end };
}
