/**
 * Permissions beside redis-server: generated rules, one by one, and what the user may then run, by
 * ACL DRYRUN. HOLO_ACL_RUNS users (200), from HOLO_ACL_SEED (1). Categories and keys of commands are
 * compared too.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../storage/commands/command-table.ts';
import { SeededRandom } from '../../storage/seeded-random.ts';
import { verboseDenial } from '../../transport/access/access-control.ts';
import { refusalLine, User } from '../../transport/access/acl/user.ts';
import { freePorts } from '../cluster/ports.ts';
import {
  connectTo,
  HAS_REDIS,
  type RedisConnection,
  startServer,
} from '../storage/differential/redis-server.ts';
import type { Value } from '../storage/differential/replies.ts';
import { aclNode } from './acl-harness.ts';

const RUNS = Number(process.env['HOLO_ACL_RUNS'] ?? 200);
const SEED = Number(process.env['HOLO_ACL_SEED'] ?? 1);

const CATEGORIES = [
  ...['read', 'write', 'keyspace', 'set', 'sortedset', 'list', 'hash', 'string', 'pubsub'],
  ...['admin', 'fast', 'slow', 'dangerous', 'connection', 'transaction', 'scripting', 'all'],
];
const NAMES = [
  ...['get', 'set', 'mget', 'config', 'config|get', 'config|set', 'client|list', 'acl', 'select'],
  ...['sort', 'copy', 'rename', 'object|encoding', 'publish', 'subscribe', 'nope', 'client|nope'],
];
const KEYS = ['a', 'ab', 'b', 'b1', 'c', '*', 'news'];
const PATTERNS = ['a*', 'b', 'b?', '[ac]', 'news*', '*', 'a', '\\*', '*b*'];

/** Commands with a place for each key, `K`. */
const ASKED = [
  ...[
    'GET K',
    'SET K v',
    'SET K v GET',
    'SET K v EX 5 get',
    'MGET K K',
    'MSET K v K v',
    'STRLEN K',
  ],
  ...['GETEX K', 'GETDEL K', 'APPEND K v', 'INCR K', 'DEL K K', 'EXISTS K K', 'TYPE K', 'TTL K'],
  ...['RENAME K K', 'RENAMENX K K', 'COPY K K', 'MOVE K 1', 'EXPIRE K 5', 'OBJECT ENCODING K'],
  ...['HGET K f', 'HSET K f v', 'HLEN K', 'HINCRBY K f 1', 'HRANDFIELD K', 'HDEL K f', 'LPUSH K v'],
  ...[
    'LPOP K',
    'LLEN K',
    'LMOVE K K LEFT LEFT',
    'RPOPLPUSH K K',
    'LMPOP 2 K K LEFT',
    'LRANGE K 0 1',
  ],
  ...['SADD K v', 'SCARD K', 'SMOVE K K v', 'SINTER K K', 'SINTERSTORE K K K', 'SINTERCARD 2 K K'],
  ...['ZADD K 1 v', 'ZSCORE K v', 'ZPOPMIN K', 'ZUNION 2 K K', 'ZUNIONSTORE K 2 K K', 'ZCARD K'],
  ...['ZMPOP 1 K MIN', 'ZRANGESTORE K K 0 1', 'SORT K', 'SORT K STORE K', 'SORT K BY nosort GET #'],
  ...['SORT_RO K', 'SCAN 0', 'KEYS *', 'DBSIZE', 'RANDOMKEY', 'FLUSHALL', 'SWAPDB 0 1', 'PING'],
  ...['ECHO x', 'SELECT 0', 'SELECT 1', 'AUTH x', 'HELLO', 'QUIT', 'RESET', 'MULTI', 'EXEC'],
  ...['DISCARD', 'WATCH K K', 'UNWATCH', 'PUBLISH K x', 'SPUBLISH K x', 'SUBSCRIBE K K'],
  ...['PSUBSCRIBE K K', 'SSUBSCRIBE K', 'UNSUBSCRIBE K', 'PUBSUB CHANNELS', 'CONFIG GET hz'],
  ...[
    'CONFIG SET hz 10',
    'CONFIG RESETSTAT',
    'CLIENT LIST',
    'CLIENT ID',
    'CLIENT KILL ID 1',
    'INFO',
  ],
  ...[
    'ACL LIST',
    'ACL WHOAMI',
    'ACL SETUSER x',
    'COMMAND',
    'COMMAND COUNT',
    'TIME',
    'ROLE',
    'DEBUG x',
  ],
  ...[
    'CLUSTER SLOTS',
    'CLUSTER GETKEYSINSLOT 1 1',
    'CLUSTER MEET h 1',
    'SLOWLOG GET',
    'LATENCY DOCTOR',
  ],
  ...[
    'MEMORY USAGE K',
    'WAIT 0 0',
    'LASTSAVE',
    'FUNCTION LIST',
    'MODULE LIST',
    'LCS K K',
    'UNLINK K',
  ],
];

class Rules {
  readonly #random: SeededRandom;

  constructor(seed: number) {
    this.#random = new SeededRandom(seed, seed ^ 0x5bd1e995, 0);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.#random.below(list.length)] as T;
  }

  rule(): string {
    const selector = (): string => {
      const parts = Array.from({ length: 1 + this.#random.below(4) }, () => this.simple());
      return `(${parts.join(' ')})`;
    };
    return this.#random.below(8) === 0 ? selector() : this.simple();
  }

  simple(): string {
    const sign = this.pick(['+', '+', '-']);
    switch (this.#random.below(9)) {
      case 0:
      case 1:
        return `${sign}@${this.pick(CATEGORIES)}`;
      case 2:
      case 3:
        return `${sign}${this.pick(NAMES)}`;
      case 4:
        return `${this.pick(['~', '%R~', '%W~', '%RW~', '%wr~', '%RR~'])}${this.pick(PATTERNS)}`;
      case 5:
        return `~${this.pick(PATTERNS)}`;
      case 6:
        return `&${this.pick(PATTERNS)}`;
      case 7:
        return this.pick([
          '+select|0',
          '+select|1',
          '-select|0',
          '+get|',
          '+config|get|x',
          '+@nope',
        ]);
      default:
        return this.pick([
          ...['allkeys', 'resetkeys', 'allchannels', 'resetchannels', 'allcommands', 'nocommands'],
          ...[
            'resetkeys',
            'resetchannels',
            'nocommands',
            'on',
            'off',
            'nopass',
            'reset',
            'ALLKEYS',
          ],
        ]);
    }
  }

  command(): string[] {
    const words = this.pick(ASKED).split(' ');
    return words.map((word) => (word === 'K' ? this.pick(KEYS) : word));
  }
}

/** Redis 7.0 does not name the user. */
function normal(text: string): string {
  return text.replace(/^-?ERR /, '').replace(/^(This user|User \S+)/, 'U');
}

describe.skipIf(!HAS_REDIS)('beside redis-server', () => {
  let server: ReturnType<typeof startServer>;
  let redis: RedisConnection;
  const { access, routes } = aclNode().harness.gateway;

  beforeAll(async () => {
    const [port = 0] = await freePorts(1);
    server = startServer(port);
    redis = await connectTo(port, 3);
  });

  afterAll(() => {
    redis?.close();
    server?.kill('SIGKILL');
  });

  async function ask(...commands: string[][]): Promise<string[]> {
    const replies = await redis.run(commands);
    return replies.map((reply) => textOf(reply));
  }

  test(`${RUNS} users of generated rules may do the same`, async () => {
    let denials = 0;
    let allowed = 0;
    for (let run = 0; run < RUNS; run += 1) {
      const rules = new Rules(SEED * 1_000_003 + run);
      let user = User.create('u', access.commands);
      const given: string[] = [];
      await ask(['ACL', 'DELUSER', 'u'], ['ACL', 'SETUSER', 'u']);
      for (let count = 0; count < 8; count += 1) {
        const rule = rules.rule();
        given.push(rule);
        const changed = user.with(rule.split(' '));
        const [theirs = ''] = await ask(['ACL', 'SETUSER', 'u', ...rule.split(' ')]);
        const ours = changed instanceof User ? 'OK' : refusalLine(changed);
        if (changed instanceof User) user = changed;
        expect(normal(ours), `${given.join(', ')} (seed ${SEED}, run ${run})`).toBe(normal(theirs));
      }
      // Its own description makes the same user.
      const again = User.create('u', access.commands).with(user.describe().split(' '));
      expect(again instanceof User && again.describe()).toBe(user.describe());
      const asked = Array.from({ length: 40 }, () => rules.command());
      const theirs = await ask(...asked.map((words) => ['ACL', 'DRYRUN', 'u', ...words]));
      asked.forEach((words, index) => {
        const route = routes.ofWords(words);
        if (route === undefined) throw new Error(`no ${words.join(' ')}`);
        const args = { count: words.length, text: (i: number) => words[i] ?? '' };
        const denial = access.denial(user, route.judged, args);
        const isDenied = denial !== undefined && typeof denial !== 'string';
        const ours = isDenied ? verboseDenial(user, denial) : 'OK';
        if (isDenied) denials += 1;
        else allowed += 1;
        const shown = `${words.join(' ')} of ${user.describe()} (seed ${SEED}, run ${run})`;
        expect(normal(ours), shown).toBe(normal(theirs[index] ?? ''));
      });
    }
    // Neither outcome is rare.
    expect(Math.min(denials, allowed)).toBeGreaterThan(RUNS * 5);
  });

  test('every command of both has the categories of Redis', async () => {
    /** Refused here whoever asks, or changed by Redis 7.2. */
    const others = ['cluster|links'];
    const differing: string[] = [];
    for (const category of CATEGORIES.filter((each) => each !== 'all')) {
      const [theirs = []] = (await redis.run([['ACL', 'CAT', category]])) as string[][];
      const ours = new Set(access.commands.ofCategory(category));
      const known = new Set(theirs.map(textOf));
      for (const route of routes.withSubcommands()) {
        const { label } = route;
        const [info] = (await redis.run([['COMMAND', 'INFO', label]])) as unknown[][];
        const isTheirs = Array.isArray(info) && info[0] !== null && info[0] !== undefined;
        if (!isTheirs || others.includes(label)) continue;
        if (ours.has(label) !== known.has(label)) differing.push(`${label} @${category}`);
      }
    }
    expect(differing).toEqual([]);
  });

  test('no command of the store is without categories', () => {
    expect(
      COMMANDS.filter(({ categories }) => categories.length < 2).map(({ name }) => name),
    ).toEqual([...['CLUSTER|COUNTKEYSINSLOT', 'CLUSTER|GETKEYSINSLOT']]);
  });
});

/** The words of a reply of one line. */
function textOf(reply: Value): string {
  if (typeof reply !== 'object' || reply === null || Array.isArray(reply)) return String(reply);
  return String(Object.values(reply)[0]);
}
