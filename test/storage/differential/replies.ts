/** Replies of either protocol as values that can be compared, whatever order they may come in. */
import type { Reply } from '../harness.ts';

/** Maps and sets keep their type: in RESP3 it is part of the reply. */
export type Value =
  | string
  | number
  | null
  | boolean
  | readonly Value[]
  | { readonly [type: string]: string | readonly Value[] };

interface Parsed {
  readonly value: Value;
  readonly end: number;
}

/** The reply that begins at `at` in a byte string (latin1); undefined: it is not complete. */
export function parseReply(text: string, at: number): Parsed | undefined {
  const line = text.indexOf('\r\n', at);
  if (line === -1) return undefined;
  const head = text.slice(at + 1, line);
  const end = line + 2;
  switch (text[at]) {
    case '+':
      return { value: { simple: head }, end };
    case '-':
      return { value: { error: head }, end };
    case ':': {
      const number = Number(head);
      return { value: Number.isSafeInteger(number) ? number : { integer: head }, end };
    }
    case '_':
      return { value: null, end };
    case '#':
      return { value: head === 't', end };
    case ',':
      return { value: { double: head }, end };
    case '$':
    case '=': {
      if (head === '-1') return { value: null, end };
      const stop = end + Number(head);
      return stop + 2 > text.length ? undefined : { value: text.slice(end, stop), end: stop + 2 };
    }
    case '*':
    case '>':
      if (head === '-1') return { value: null, end };
      return parseItems(text, end, Number(head), (items) => items);
    case '~':
      return parseItems(text, end, Number(head), (items) => ({ set: sorted(items) }));
    case '%':
      return parseItems(text, end, 2 * Number(head), (items) => ({ map: inPairs(items) }));
    default:
      throw new Error(`not a reply: ${text.slice(at, at + 40)}`);
  }
}

function parseItems(
  text: string,
  from: number,
  count: number,
  made: (items: Value[]) => Value,
): Parsed | undefined {
  const items: Value[] = [];
  let end = from;
  for (let i = 0; i < count; i += 1) {
    const item = parseReply(text, end);
    if (item === undefined) return undefined;
    items.push(item.value);
    end = item.end;
  }
  return { value: made(items), end };
}

export function isError(reply: Value): reply is { readonly error: string } {
  return (reply as { error?: unknown } | null)?.error !== undefined;
}

/** A reply of RESP2 as the harness writes it. */
export function plain(value: Value): Reply {
  if (Array.isArray(value)) return (value as readonly Value[]).map(plain);
  if (typeof value === 'boolean') throw new Error('RESP2 has no booleans');
  if (value === null || typeof value !== 'object') return value;
  const { simple, error, integer } = value as Readonly<Record<string, string | undefined>>;
  if (simple !== undefined) return `+${simple}`;
  if (error !== undefined) return `-${error}`;
  if (integer !== undefined) return BigInt(integer);
  throw new Error(`not of RESP2: ${JSON.stringify(value)}`);
}

function sorted(items: readonly Value[]): Value[] {
  return items.toSorted((a, b) => compareText(JSON.stringify(a), JSON.stringify(b)));
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Pairs of neighbours, in order of their text. */
function inPairs(items: readonly Value[]): Value[] {
  const pairs: Value[] = [];
  for (let i = 0; i < items.length; i += 2) pairs.push([items[i] ?? null, items[i + 1] ?? null]);
  return sorted(pairs);
}

const ITEMS = ['SMEMBERS', 'SINTER', 'SUNION', 'SDIFF', 'HKEYS', 'HVALS', 'ZRANDMEMBER'];
/** Which ones are picked is up to the server; how many, and in which form, is not. */
const RANDOM = ['SRANDMEMBER', 'HRANDFIELD'];
/** Longer ones have digits that only Redis before 7.2 tells. */
const FRACTION_CHARACTERS = 15;

/** The reply of a command without the order that it does not promise. */
export function normalised([name = '']: readonly string[], reply: Value): Value {
  const upper = name.toUpperCase();
  if (RANDOM.includes(upper)) return formOf(reply);
  // The second passes between the servers. EXPIRETIME tells the same exactly.
  if (upper === 'TTL' && typeof reply === 'number' && reply > 0) return 'some time';
  if (upper === 'XPENDING') return withoutIdleTimes(reply);
  if (upper === 'XINFO') return withoutTimes(reply);
  const told = upper.startsWith('Z') ? withShortFractions(reply) : reply;
  if (!Array.isArray(told)) return told;
  const items = told as readonly Value[];
  if (ITEMS.includes(upper)) return sorted(items);
  if (upper === 'HGETALL') return inPairs(items);
  if (upper === 'SSCAN') return [items[0] ?? null, sorted(items[1] as readonly Value[])];
  if (upper === 'HSCAN' || upper === 'ZSCAN') {
    return [items[0] ?? null, inPairs(items[1] as readonly Value[])];
  }
  return told;
}

/** Of pending entries, each with its id, its consumer, its time and its deliveries. */
function withoutIdleTimes(reply: Value): Value {
  if (!Array.isArray(reply)) return reply;
  return (reply as readonly Value[]).map((entry) =>
    Array.isArray(entry) && entry.length === 4 ? entry.with(2, 'some time') : entry,
  );
}

/** The times of a stream, and what only Redis has: the nodes of its tree. */
const PASSING = ['idle', 'inactive', 'seen-time', 'active-time', 'radix-tree-nodes'];
/** Milliseconds, and no counter, are as large. */
const TIME_MIN = 1e11;

function withoutTimes(reply: Value): Value {
  if (typeof reply === 'number') return reply > TIME_MIN ? 'some time' : reply;
  if (Array.isArray(reply)) {
    const items = reply as readonly Value[];
    return items.map((item, i) => {
      const isPassing = PASSING.includes(String(items[i - 1])) && Number(item) >= 0;
      return isPassing ? 'some time' : withoutTimes(item);
    });
  }
  const { map } = (reply ?? {}) as { map?: readonly Value[] };
  return map === undefined ? reply : { map: map.map(withoutTimes) };
}

function formOf(reply: Value): Value {
  if (reply === null || isError(reply)) return reply;
  return Array.isArray(reply) ? reply.map(formOf) : typeof reply;
}

/** Redis 7.0 tells scores with 17 digits, its successors with as few as they need. */
function withShortFractions(reply: Value): Value {
  if (Array.isArray(reply)) return reply.map(withShortFractions);
  if (typeof reply === 'string') return shortened(reply);
  const { double } = (reply ?? {}) as { double?: string };
  return double === undefined ? reply : { double: shortened(double) };
}

function shortened(text: string): string {
  const isLong = text.length > FRACTION_CHARACTERS && /^-?[0-9.]+(e[+-]?[0-9]+)?$/.test(text);
  return isLong ? String(Number(text)) : text;
}
