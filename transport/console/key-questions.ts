/** Questions about keys, as commands: a page of a scan, one key with a preview, its changes. */
import type { Args } from './console-protocol.ts';
import type { RedisReply } from './redis-reply.ts';

type Run = (commands: readonly (readonly string[])[]) => Promise<RedisReply[]>;

const SCANNED = 100;
const PREVIEW_ITEMS = 100;
const PREVIEW_BYTES = 4_096;
const INDEX_MAX = 1024 * 1024;

/** `types`, `ttlsMs` and `sizes` are in the order of `keys`. */
interface KeyPage {
  readonly cursor: string;
  readonly keys: readonly RedisReply[];
  readonly types: readonly RedisReply[];
  readonly ttlsMs: readonly RedisReply[];
  readonly sizes: readonly RedisReply[];
}

export async function scanKeys(run: Run, args: Args): Promise<KeyPage> {
  const { cursor = '0', pattern = '*', type = '', database = 0 } = args;
  const select = ['SELECT', String(database)];
  const filter = type === '' ? [] : ['TYPE', String(type)];
  const scan = ['SCAN', String(cursor), 'MATCH', String(pattern), 'COUNT', String(SCANNED)];
  const [, page] = await run([select, [...scan, ...filter]]);
  const [next, found] = whole(page) as [string, string[]];
  const ask = (command: (key: string) => readonly string[]) => found.map((key) => command(key));
  const replies = await run([
    select,
    ...ask((key) => ['TYPE', key]),
    ...ask((key) => ['PTTL', key]),
    ...ask((key) => ['MEMORY', 'USAGE', key]),
  ]);
  const part = (index: number) =>
    replies.slice(1 + index * found.length, 1 + (index + 1) * found.length);
  return { cursor: next, keys: found, types: part(0), ttlsMs: part(1), sizes: part(2) };
}

export async function showKey(run: Run, args: Args): Promise<Readonly<Record<string, unknown>>> {
  const { key, select } = keyOf(args);
  const [, type, ttlMs, bytes] = await run([
    select,
    ['TYPE', key],
    ['PTTL', key],
    ['MEMORY', 'USAGE', key],
  ]);
  const kind = String(whole(type));
  const [, length, preview] = await run([select, ...previewOf(kind, key)]);
  return { key, type: kind, ttlMs, bytes, length, preview };
}

/** How long it is, and its beginning. */
function previewOf(type: string, key: string): readonly (readonly string[])[] {
  const items = String(PREVIEW_ITEMS);
  const last = String(PREVIEW_ITEMS - 1);
  switch (type) {
    case 'string':
      return [
        ['STRLEN', key],
        ['GETRANGE', key, '0', String(PREVIEW_BYTES - 1)],
      ];
    case 'hash':
      return [
        ['HLEN', key],
        ['HSCAN', key, '0', 'COUNT', items],
      ];
    case 'list':
      return [
        ['LLEN', key],
        ['LRANGE', key, '0', last],
      ];
    case 'set':
      return [
        ['SCARD', key],
        ['SSCAN', key, '0', 'COUNT', items],
      ];
    case 'zset':
      return [
        ['ZCARD', key],
        ['ZRANGE', key, '0', last, 'WITHSCORES'],
      ];
    case 'stream':
      return [
        ['XLEN', key],
        ['XRANGE', key, '-', '+', 'COUNT', items],
      ];
    default:
      return [
        ['EXISTS', key],
        ['EXISTS', key],
      ];
  }
}

/** The command of a change; undefined: there is no such change. */
export function changeOfKey(action: string, args: Args): readonly string[] | undefined {
  const { key } = keyOf(args);
  const { value = '', ttlMs = 0 } = args;
  switch (action) {
    case 'key.set':
      return ['SET', key, String(value), 'KEEPTTL'];
    case 'key.delete':
      return ['DEL', key];
    case 'key.expire':
      return Number(ttlMs) > 0 ? ['PEXPIRE', key, String(ttlMs)] : ['PERSIST', key];
    default:
      return undefined;
  }
}

export function keyOf({ key, database = 0 }: Args): { key: string; select: string[] } {
  if (typeof key !== 'string') throw new Error('no key is named');
  if (!(Number(database) >= 0 && Number(database) < INDEX_MAX)) throw new Error('no such database');
  return { key, select: ['SELECT', String(database)] };
}

/** @throws Error where the reply is one. */
export function whole(reply: RedisReply | undefined): Exclude<RedisReply, { error: string }> {
  if (reply === undefined) throw new Error('there is no reply');
  if (typeof reply === 'object' && reply !== null && 'error' in reply) throw new Error(reply.error);
  return reply as Exclude<RedisReply, { error: string }>;
}
