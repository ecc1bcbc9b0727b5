/**
 * The same commands against this state machine and a real redis-server: replies must be equal.
 * Skipped where redis-server is absent. Intended differences are not generated: databases other
 * than 0, IFEQ and IFNE, values past the size limit.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../storage/commands/command-table.ts';
import { Oracle } from './differential/oracle.ts';
import { HAS_REDIS } from './differential/redis-server.ts';
import { plain } from './differential/replies.ts';
import { Machine, type Reply } from './harness.ts';

const NO_KEYS = { first: 0, last: 0, step: 0 };

const key = fc.constantFrom('a', 'b', 'c', 'key:1', '\x00\xff', '');
const integer = fc.oneof(
  fc.integer({ min: -20, max: 20 }).map(String),
  fc.bigInt({ min: -(2n ** 63n) - 2n, max: 2n ** 63n + 1n }).map(String),
  fc.constantFrom('9223372036854775807', '-9223372036854775808', '007', '+1', '-0', '1.5', ' 1'),
);
const offset = fc.oneof(fc.integer({ min: -30, max: 30 }).map(String), fc.constantFrom('x', ''));
const float = fc.oneof(
  fc.double({ noNaN: true, min: -1e20, max: 1e20 }).map(String),
  fc.integer({ min: -1000, max: 1000 }).map((n) => String(n / 100)),
  fc.constantFrom('inf', '-inf', 'nan', '1e17', '0x1p-3', '1e5000', '1e-5000', '.5', '5.', 'x'),
);
const value = fc.oneof(
  fc.string({ unit: 'binary-ascii', maxLength: 12 }),
  integer,
  float,
  fc.constant('value'),
);
/** Long deadlines only: nothing may expire while the test runs. */
const seconds = fc.oneof(
  fc.constantFrom('100000', '200000', '300000', '0', '-1', 'x', '9223372036854775807', '1.5'),
);
const word = (...words: string[]) => fc.constantFrom(...words);
/** In any case of letters. */
const name = (text: string) => fc.boolean().map((lower) => (lower ? text.toLowerCase() : text));

const setOption = fc.oneof(
  name('NX').map((w) => [w]),
  name('XX').map((w) => [w]),
  name('GET').map((w) => [w]),
  name('KEEPTTL').map((w) => [w]),
  fc.tuple(word('EX', 'px'), seconds),
  fc.tuple(word('EXAT'), word('4000000000', '0', 'x')),
  fc.tuple(word('pxat'), word('4000000000000', '-5')),
  word('FOO', 'EX', 'PXAT').map((w) => [w]),
);
const options = (option: fc.Arbitrary<string[]>, maxLength: number) =>
  fc.array(option, { maxLength }).map((list) => list.flat());
const condition = word('NX', 'xx', 'GT', 'lt', 'FOO').map((w) => [w]);

/** Not a deadline far ahead that 64 bits hold: the TTL of any number tells the second that passed. */
function isComparable([name, , seconds]: readonly string[]): boolean {
  if (name !== 'EXPIRE' || !/^[1-9]\d*$/.test(seconds ?? '')) return true;
  const ms = BigInt(seconds ?? 0) * 1000n;
  return ms < 2n ** 52n || ms > 2n ** 63n;
}

const keysOnly = fc.tuple(
  word('DEL', 'UNLINK', 'EXISTS', 'TOUCH', 'MGET'),
  fc.array(key, { minLength: 1, maxLength: 4 }),
);
const generated: fc.Arbitrary<string[]> = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(name('SET'), key, value).map((w) => [...w]) },
  {
    weight: 4,
    arbitrary: fc.tuple(key, value, options(setOption, 3)).map(([k, v, o]) => ['SET', k, v, ...o]),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        word('GET', 'STRLEN', 'TYPE', 'TTL', 'EXPIRETIME', 'GETDEL', 'PERSIST', 'INCR', 'DECR'),
        key,
      )
      .map((w) => [...w]),
  },
  fc.tuple(word('SETNX', 'GETSET', 'APPEND'), key, value).map((w) => [...w]),
  fc.tuple(word('SETEX', 'PSETEX'), key, seconds, value).map((w) => [...w]),
  {
    weight: 2,
    arbitrary: fc.tuple(word('INCRBY', 'DECRBY'), key, integer).map((w) => [...w]),
  },
  { weight: 2, arbitrary: fc.tuple(word('INCRBYFLOAT'), key, float).map((w) => [...w]) },
  fc.tuple(word('GETRANGE', 'SUBSTR'), key, offset, offset).map((w) => [...w]),
  fc.tuple(word('SETRANGE'), key, offset, value).map((w) => [...w]),
  fc.tuple(word('GETEX'), key, options(setOption, 2)).map(([n, k, o]) => [n, k, ...o]),
  fc
    .tuple(word('EXPIRE', 'PEXPIRE'), key, seconds, options(condition, 2))
    .map(([n, k, s, o]) => [n, k, s, ...o]),
  fc
    .tuple(word('EXPIREAT'), key, word('4000000000', '5000000000', '1', 'x'), options(condition, 2))
    .map(([n, k, s, o]) => [n, k, s, ...o]),
  fc
    .tuple(word('MSET', 'MSETNX'), fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 3 }))
    .map(([n, pairs]) => [n, ...pairs.flat()]),
  fc.tuple(word('RENAME', 'RENAMENX'), key, key).map((w) => [...w]),
  fc
    .tuple(
      key,
      key,
      options(
        fc.oneof(
          word('REPLACE').map((w) => [w]),
          word('x').map((w) => [w]),
        ),
        1,
      ),
    )
    .map(([a, b, o]) => ['COPY', a, b, ...o]),
  keysOnly.map(([n, keys]) => [n, ...keys]),
  word('DBSIZE', 'FLUSHALL', 'FLUSHDB').map((w) => [w]),
  fc
    .tuple(
      word('GET', 'set', 'MSET', 'nosuch', 'EXPIRE', 'DBSIZE', 'COPY'),
      fc.array(value, { maxLength: 3 }),
    )
    .map(([n, rest]) => [n, ...rest])
    .filter(isComparable),
);

const pattern = fc
  .array(
    fc.constantFrom('*', '?', 'a', 'b', '[ab]', '[^a]', '[a-c]', '[c-a]', '\\', '[', ']', '-'),
    {
      maxLength: 6,
    },
  )
  .map((parts) => parts.join(''));

/** Commands whose replies once differed. */
const FOUND_BEFORE = [
  ['SET', 'a', '1'],
  ['EXPIRE', '9223372036854775807', '-9008994516573'],
  ['EXPIRE', 'a', '-9223372036854776'],
  ['PEXPIRE', 'a', '-9223372036854775808'],
];

/** Absolute ones, and where the two ends of the range of relative ones lie. */
function longDeadlines(nowMs: number): string[][] {
  const times = [2n ** 53n - 1n, 2n ** 53n, 9223372036854770000n, 2n ** 63n - 1n, 2n ** 63n];
  const seconds = [9007199254741n, 9223372036854775n, 9223372036854776n, 2n ** 63n - 1n];
  const before = BigInt(nowMs) - 10_000n;
  const after = BigInt(nowMs) + 10_000n;
  const commands: string[][] = [];
  const tell = (...words: string[]): void => {
    commands.push(['SET', 'a', '1'], words, ['PEXPIRETIME', 'a']);
  };
  for (const time of times) {
    tell('PEXPIREAT', 'a', String(time));
    tell('SET', 'a', '1', 'PXAT', String(time));
    tell('GETEX', 'a', 'PXAT', String(time));
    tell('PEXPIREAT', 'a', String(-time));
  }
  for (const time of seconds) {
    tell('EXPIREAT', 'a', String(time));
    tell('SET', 'a', '1', 'EXAT', String(time));
    tell('GETEX', 'a', 'EXAT', String(time));
    tell('EXPIREAT', 'a', String(-time));
  }
  for (const now of [before, after]) {
    const [ms, s] = [String(2n ** 63n - 1n - now), String((2n ** 63n - 1n - now) / 1000n)];
    commands.push(['SET', 'a', '1'], ['PEXPIRE', 'a', ms], ['EXPIRE', 'a', s]);
    commands.push(['PSETEX', 'a', ms, 'x'], ['SETEX', 'a', s, 'x']);
    commands.push(
      ['SET', 'a', 'x', 'PX', ms],
      ['SET', 'a', 'x', 'EX', s],
      ['GETEX', 'a', 'PX', ms],
    );
  }
  return commands;
}

describe.skipIf(!HAS_REDIS)('against redis-server', () => {
  let oracle: Oracle;
  const ask = async (commands: readonly string[][]): Promise<Reply[]> =>
    (await oracle.run(commands)).map(plain);

  beforeAll(async () => {
    oracle = await Oracle.start('redis-server');
  });

  afterAll(() => oracle?.close());

  test('answers generated sequences of commands alike', async () => {
    const sequences = fc.array(generated, { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(sequences, async (commands) => {
        const machine = new Machine({ startMs: Date.now() });
        const ours = commands.map((words) => machine.run(...words));
        const theirs = await ask([['FLUSHALL'], ...commands]);
        expect(ours.map(comparable)).toEqual(theirs.slice(1).map(comparable));
        const [left] = await ask([['KEYS', '*']]);
        expect(Object.keys(machine.dump()).toSorted()).toEqual((left as string[]).toSorted());
      }),
      { numRuns: 150, examples: [[FOUND_BEFORE]] },
    );
  });

  test('takes deadlines up to 64 bits alike', async () => {
    const startMs = Date.now();
    const machine = new Machine({ startMs });
    const commands = longDeadlines(startMs);
    const ours = commands.map((words) => machine.run(...words));
    const theirs = await ask([['FLUSHALL'], ...commands]);
    const named = (replies: readonly (Reply | undefined)[]) =>
      replies.map((reply, i) => `${commands[i]?.join(' ')}: ${reply}`);
    expect(named(ours)).toEqual(named(theirs.slice(1)));
  });

  test('describes its commands alike', async () => {
    // Its own CLUSTER commands are of a cluster, and read no key space.
    // Those of ranks have an option more in Redis 7.2.
    const ours = COMMANDS.filter(({ name }) => !/^(HOLO\.|CLUSTER\||Z(REV)?RANK$)/.test(name));
    const [theirs] = await ask([['COMMAND', 'INFO', ...ours.map(({ name }) => name)]]);
    const described = ours.map(({ name, arity, flags, keys, fixedKeys, categories }) => {
      const { first, last, step } = typeof keys === 'object' ? keys : (fixedKeys ?? NO_KEYS);
      const flagged = flags.map((flag) => `+${flag}`);
      const listed = categories.map((category) => `+${category}`).toSorted();
      return [name.toLowerCase(), arity, flagged, first, last, step, listed];
    });
    const expected = (theirs as Reply[][]).map((info) => [
      ...info.slice(0, 6),
      (info[6] as string[]).toSorted(),
    ]);
    expect(described).toEqual(expected);
  });

  test('matches patterns alike', async () => {
    const names = fc.array(fc.stringMatching(/^[abc\-\]\\[]{0,5}$/), {
      minLength: 1,
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(
        names,
        fc.array(pattern, { minLength: 1, maxLength: 5 }),
        async (keys, all) => {
          const fill = [['FLUSHALL'], ...keys.map((k) => ['SET', k, ''])];
          const machine = new Machine();
          for (const words of fill) machine.run(...words);
          await ask(fill);
          const theirs = await ask(all.map((p) => ['KEYS', p]));
          const ours = all.map((p) => machine.run('KEYS', p));
          const sorted = (found: (Reply | undefined)[]) =>
            found.map((list) => (list as string[]).toSorted());
          expect(sorted(ours)).toEqual(sorted(theirs));
        },
      ),
      { numRuns: 150 },
    );
  });
});

/** TTLs may differ by the second that has passed. */
function comparable(reply: Reply | undefined): Reply | undefined {
  return typeof reply === 'number' && reply > 90_000 && reply < 400_000
    ? Math.round(reply / 1000)
    : reply;
}
