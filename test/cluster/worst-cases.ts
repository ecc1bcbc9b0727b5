/** The worst that one client can do to a node, and to all that share the node with it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { SeededRandom } from '../../storage/seeded-random.ts';
import { type RawClient, repeated, request, requestOf } from './raw-client.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
/** Arguments of one command that fills a collection or the key space. */
const CHUNK = 10_000;

export interface WorstCase {
  readonly name: string;
  /** Makes the data of the case; nothing of this is measured. */
  readonly prepare?: (client: RawClient, scale: number) => Promise<void>;
  /** The data are gone after one run. */
  readonly usesUp?: boolean;
  /** Its worst, once; `more` gives further connections of the same client. */
  readonly run: (client: RawClient, more: () => RawClient, scale: number) => Promise<void>;
}

/** Less of what writes hundreds of megabytes, in a run that is to be short. */
function share(scale: number): number {
  return Math.max(scale, 0.1);
}

async function fill(client: RawClient, total: number, make: (at: number) => Buffer): Promise<void> {
  for (let at = 0; at < total; at += CHUNK) await client.run(make(at));
}

function numbered(from: number, make: (at: number) => string[]): string[] {
  return Array.from({ length: CHUNK }, (_, at) => make(from + at)).flat();
}

const keys = (client: RawClient, total: number): Promise<void> =>
  fill(client, total, (from) => request('MSET', ...numbered(from, (at) => [`worst:${at}`, 'v'])));

const members = (client: RawClient, total: number): Promise<void> =>
  fill(client, total, (from) =>
    request('ZADD', 'zset', ...numbered(from, (at) => [String(at), `member:${at}`])),
  );

const items = (client: RawClient, total: number): Promise<void> =>
  fill(client, total, (from) => request('RPUSH', 'list', ...numbered(from, () => ['same item'])));

const member = (at: number): string[] => [`member:${at}`];

const oneSet = (client: RawClient, total: number): Promise<void> =>
  fill(client, total, (from) => request('SADD', 'set', ...numbered(from, member)));

const twoSets = async (client: RawClient, total: number): Promise<void> => {
  await oneSet(client, total);
  await fill(client, total, (from) =>
    request('SADD', 'set2', ...numbered(from, (at) => member(at + total / 2))),
  );
};

const numbers = (client: RawClient, total: number): Promise<void> =>
  fill(client, total, (from) =>
    request('RPUSH', 'numbers', ...numbered(from, (at) => [String((at * 7_919) % total)])),
  );

const fields = (client: RawClient, total: number): Promise<void> =>
  fill(client, total, (from) =>
    request('HSET', 'hash', ...numbered(from, (at) => [`field:${at}`, 'v'])),
  );

type Fill = (client: RawClient, total: number) => Promise<void>;

/** One command about a million of what `fill` makes. */
function million(name: string, fillIn: Fill, words: readonly string[], usesUp = true): WorstCase {
  return {
    name,
    usesUp,
    prepare: (client, scale) => fillIn(client, 1_000_000 * scale),
    run: async (client) => {
      await client.run(request(...words));
    },
  };
}

export const WORST_CASES: readonly WorstCase[] = [
  {
    name: 'INCR, SET and 70 GETs of 1 MiB in one send',
    prepare: async (client) => {
      await client.run(request('SET', 'mib', Buffer.alloc(MIB)));
    },
    run: async (client) => {
      const gets = repeated(70, () => request('GET', 'mib'));
      await client.run(request('INCR', 'n'), request('SET', 's', '1'), gets);
    },
  },
  {
    name: 'ten SETRANGEs of 64 MiB in 490 bytes',
    run: async (client, _, scale) => {
      const at = String(Math.floor(67_108_800 * share(scale)));
      await client.run(repeated(10, (key) => request('SETRANGE', `sr${key}`, at, 'x')));
      await client.run(request('DEL', ...Array.from({ length: 10 }, (_, at) => `sr${at}`)));
    },
  },
  {
    name: '40 half-sent values of 15 MB',
    run: async (_, more, scale) => {
      const half = Buffer.alloc(15 * MIB - 1);
      for (let at = 0; at < 40 * share(scale); at += 1) {
        const { socket } = more();
        socket.write(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${15 * MIB}\r\n`);
        socket.write(half);
      }
      await sleep(2_000);
    },
  },
  {
    name: 'MGET of a value of 16 MiB 1,000 times, unread',
    prepare: async (client) => {
      await client.run(request('SET', 'big', Buffer.alloc(16 * MIB)));
    },
    run: async (_, more) => {
      const { socket } = more();
      socket.pause();
      socket.write(request('MGET', ...Array.from({ length: 1_000 }, () => 'big')));
      await sleep(3_000);
    },
  },
  {
    name: '300 SETRANGEs of a value of 16 MiB',
    prepare: async (client) => {
      await client.run(request('SET', 'big', Buffer.alloc(16 * MIB)));
    },
    run: async (client) => {
      await client.run(repeated(300, (at) => request('SETRANGE', 'big', String(at * 1_000), 'x')));
    },
  },
  {
    name: 'KEYS *a{10000}b at a key of 60 KB',
    prepare: async (client) => {
      await client.run(request('SET', 'a'.repeat(60_000), 'v'));
    },
    run: async (client) => {
      await client.run(request('KEYS', `${'*a'.repeat(10_000)}b`));
    },
  },
  {
    name: 'KEYS over 100,000 keys',
    prepare: (client, scale) => keys(client, 100_000 * scale),
    run: async (client) => {
      await client.run(request('KEYS', '*'));
    },
  },
  {
    name: '10,000 RANDOMKEYs over 100,000 keys',
    run: async (client) => {
      await client.run(repeated(10_000, () => request('RANDOMKEY')));
    },
  },
  {
    name: 'MSET of 500,000 keys',
    run: async (client) => {
      const pairs = Array.from({ length: 500_000 }, (_, at) => [`m${at}`, 'v']).flat();
      await client.run(requestOf(['MSET', ...pairs]));
    },
  },
  {
    name: 'DEL of a million keys, 16,000 in each',
    usesUp: true,
    prepare: (client, scale) => keys(client, 1_000_000 * scale),
    run: async (client, _, scale) => {
      const from = Array.from({ length: Math.ceil((1_000_000 * scale) / 16_000) }, (__, at) => at);
      const names = (at: number) =>
        Array.from({ length: 16_000 }, (__, key) => `worst:${at * 16_000 + key}`);
      await client.run(...from.map((at) => request('DEL', ...names(at))));
    },
  },
  million('FLUSHALL of a million keys', keys, ['FLUSHALL']),
  million('FLUSHDB of a million keys', keys, ['FLUSHDB']),
  million('HGETALL of a million', fields, ['HGETALL', 'hash'], false),
  million('COPY of a hash of a million', fields, ['COPY', 'hash', 'copy', 'REPLACE'], false),
  million('DEL of a hash of a million', fields, ['DEL', 'hash', 'copy']),
  million('DEL of a sorted set of a million', members, ['DEL', 'zset']),
  million('ZREMRANGEBYRANK of a million', members, ['ZREMRANGEBYRANK', 'zset', '0', '-10']),
  million('LREM of a million', items, ['LREM', 'list', '0', 'same item']),
  million('ZREMRANGEBYSCORE of a million', members, ['ZREMRANGEBYSCORE', 'zset', '-inf', '(9999']),
  million('ZRANGE of a million', members, ['ZRANGE', 'zset', '0', '-1', 'WITHSCORES'], false),
  million(
    'ZUNIONSTORE of a million',
    members,
    ['ZUNIONSTORE', 'result', '2', 'zset', 'none'],
    false,
  ),
  million('SMEMBERS of a million', oneSet, ['SMEMBERS', 'set'], false),
  million('SPOP of half of a million', oneSet, ['SPOP', 'set', '500000']),
  million(
    'SUNIONSTORE of two of a million',
    twoSets,
    ['SUNIONSTORE', 'result', 'set', 'set2'],
    false,
  ),
  million(
    'SINTERSTORE of two of a million',
    twoSets,
    ['SINTERSTORE', 'result', 'set', 'set2'],
    false,
  ),
  million('SORT of a million', numbers, ['SORT', 'numbers', 'STORE', 'result'], false),
  million('LPOS through a million', items, ['LPOS', 'list', 'no such item'], false),
  million('RENAME of a hash of a million', fields, ['RENAME', 'hash', 'renamed']),
  million('LTRIM of a million', items, ['LTRIM', 'list', '-10', '-1']),
  {
    name: '150 SETs of 1 MiB in one send',
    run: async (client, _, scale) => {
      const value = Buffer.alloc(MIB, 'z');
      const values = Array.from({ length: 150 * share(scale) }, (__, at) => `v${at}`);
      await client.run(...values.map((key) => request('SET', key, value)));
    },
  },
  {
    name: 'a MULTI block of 16,000 SETs',
    run: async (client) => {
      const sets = repeated(16_000, (at) => request('SET', `multi:${at}`, 'v'));
      await client.run(request('MULTI'), sets, request('EXEC'));
    },
  },
];

/** So many cases, the same for the same seed. */
export function drawCases(seed: number, count: number): WorstCase[] {
  const random = new SeededRandom(seed, Math.floor(seed / 2 ** 32), 0);
  return Array.from(
    { length: count },
    () => WORST_CASES[random.below(WORST_CASES.length)] as WorstCase,
  );
}
