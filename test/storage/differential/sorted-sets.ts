/** Random commands on sorted sets. */
import fc from 'fast-check';
import { timeout } from './timeouts.ts';

const word = (...words: string[]) => fc.constantFrom(...words);
const many = <T>(each: fc.Arbitrary<T>, maxLength: number) =>
  fc.array(each, { minLength: 1, maxLength });

/** Those with the letter in front hold members of one score, so that they have an order by name. */
const key = word('z1', 'z2', 'z3', 'z:\x00\xff');
const lexKey = word('zl1', 'zl2');
const target = word('z1', 'z2', 'zt');
const source = word('z1', 'z2', 'z3', 'zl1', 'zt', 'nosuch');
const member = fc.oneof(
  fc.integer({ min: 0, max: 30 }).map((n) => `m${n}`),
  word('', 'a', 'B', '\xff\x00', '1', '-1'),
);
const score = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -10, max: 10 }).map(String) },
  fc.integer({ min: -1000, max: 1000 }).map((n) => String(n / 8)),
  word('inf', '-inf', '+inf', '-0', '0', '1e3', '0x10', '.5', '5.', '4611686018427387904'),
  word('nan', 'x', '', ' 1', '1 ', '1e400', '1e-400', 'infinit', '-0x1.8p1', '1_0', '--1'),
);
const goodScore = fc.integer({ min: -20, max: 20 }).map(String);
const bound = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(word('', '(', ''), score).map((w) => w.join('')) },
  word('(', '', '((1', '[1', '-', '+'),
);
const lexBound = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(word('[', '('), member).map((w) => w.join('')) },
  word('-', '+', '', 'a', '+a', '['),
);
const index = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -35, max: 35 }).map(String) },
  word('x', '9223372036854775807', '-9223372036854775808', '9223372036854775808', ''),
);
const limit = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  fc.tuple(word('LIMIT', 'limit'), index, index),
  word('LIMIT').map((w) => [w]),
);
const withScores = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  word('WITHSCORES', 'withscores', 'WITHSCORE').map((w) => [w]),
);
const addOptions = fc.array(word('NX', 'xx', 'GT', 'LT', 'CH', 'INCR', 'ch'), { maxLength: 2 });
const numkeys = (keys: readonly string[]) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(String(keys.length)) },
    word('0', '-1', 'x', '1', '9'),
  );
const countedSources = many(source, 3).chain((keys) =>
  numkeys(keys).map((count) => ({
    count: Math.max(1, Number(count) || 1),
    words: [count, ...keys],
  })),
);

const add = fc
  .tuple(key, addOptions, many(fc.tuple(score, member), 3))
  .map(([k, options, pairs]) => ['ZADD', k, ...options, ...pairs.flat()]);
const addMany = fc
  .tuple(key, fc.array(fc.tuple(goodScore, member), { minLength: 1, maxLength: 60 }))
  .map(([k, pairs]) => ['ZADD', k, ...pairs.flat()]);
const addLong = fc
  .tuple(key, goodScore, fc.integer({ min: 60, max: 3000 }))
  .map(([k, s, length]) => ['ZADD', k, s, 'x'.repeat(length)]);
const addLex = fc
  .tuple(lexKey, many(member, 6))
  .map(([k, members]) => ['ZADD', k, ...members.flatMap((m) => ['0', m])]);

const rangeOptions = fc
  .tuple(
    fc.array(word('REV', 'BYSCORE', 'byscore', 'BYLEX', 'WITHSCORES', 'FOO'), { maxLength: 3 }),
    limit,
  )
  .map((parts) => parts.flat());
const byScore = fc
  .tuple(word('ZRANGEBYSCORE', 'ZREVRANGEBYSCORE'), key, bound, bound, withScores, limit)
  .map((parts) => parts.flat());
const byLex = fc
  .tuple(word('ZRANGEBYLEX', 'ZREVRANGEBYLEX'), lexKey, lexBound, lexBound, limit)
  .map((parts) => parts.flat());
const byRank = fc
  .tuple(word('ZRANGE', 'ZREVRANGE'), key, index, index, withScores)
  .map((parts) => parts.flat());
const range = fc.oneof(
  fc.tuple(word('ZRANGE'), key, index, index, rangeOptions),
  fc.tuple(word('ZRANGE'), key, bound, bound, word('BYSCORE'), rangeOptions),
  fc.tuple(word('ZRANGE'), lexKey, lexBound, lexBound, word('BYLEX'), rangeOptions),
  fc.tuple(word('ZRANGESTORE'), target, key, index, index, rangeOptions),
  fc.tuple(word('ZRANGESTORE'), target, key, bound, bound, word('BYSCORE'), limit),
);
const remove = fc.oneof(
  fc.tuple(word('ZREMRANGEBYRANK'), key, index, index),
  fc.tuple(word('ZREMRANGEBYSCORE', 'ZCOUNT'), key, bound, bound),
  fc.tuple(word('ZREMRANGEBYLEX', 'ZLEXCOUNT'), lexKey, lexBound, lexBound),
);
const single = fc.oneof(
  fc.tuple(word('ZSCORE', 'ZRANK', 'ZREVRANK'), key, member),
  fc.tuple(word('ZRANK', 'ZREVRANK'), key, member, word('WITHSCORE', 'x')),
  fc.tuple(word('ZINCRBY'), key, score, member),
  fc.tuple(word('ZCARD', 'ZPOPMIN', 'ZPOPMAX', 'TYPE', 'DEL'), key),
  fc.tuple(word('ZREM', 'ZMSCORE'), key, many(member, 4)).map((parts) => parts.flat()),
);
const pop = fc.oneof(
  fc.tuple(word('ZPOPMIN', 'ZPOPMAX'), key, index),
  fc.tuple(word('BZPOPMIN', 'BZPOPMAX'), key, key, timeout),
  fc
    .tuple(
      countedSources,
      word('MIN', 'max', 'x'),
      fc.oneof(fc.constant([]), fc.tuple(word('COUNT'), index)),
    )
    .map(([{ words }, where, count]) => ['ZMPOP', ...words, where, ...count]),
  fc
    .tuple(timeout, countedSources, word('MIN', 'max', 'x'))
    .map(([ms, { words }, where]) => ['BZMPOP', ms, ...words, where]),
);
const combineOptions = (count: number) =>
  fc
    .array(
      fc.oneof(
        fc
          .array(fc.oneof({ weight: 5, arbitrary: goodScore }, score), {
            minLength: count,
            maxLength: count,
          })
          .map((weights) => ['WEIGHTS', ...weights]),
        word('SUM', 'min', 'MAX', 'x').map((name) => ['AGGREGATE', name]),
        word('WITHSCORES', 'FOO').map((name) => [name]),
        word('0', '1', '5', '-1', 'x').map((n) => ['LIMIT', n]),
      ),
      { maxLength: 2 },
    )
    .map((options) => options.flat());
const combine = fc.oneof(
  fc
    .tuple(word('ZUNION', 'ZINTER', 'ZDIFF', 'ZINTERCARD'), countedSources)
    .chain(([name, { count, words }]) =>
      combineOptions(Math.min(count, 9)).map((options) => [name, ...words, ...options]),
    ),
  fc
    .tuple(word('ZUNIONSTORE', 'ZINTERSTORE', 'ZDIFFSTORE'), target, countedSources)
    .chain(([name, to, { count, words }]) =>
      combineOptions(Math.min(count, 9)).map((options) => [name, to, ...words, ...options]),
    ),
);
const random = fc.oneof(
  fc.tuple(word('ZRANDMEMBER'), key, word('0', 'x', '-9223372036854775808', '1.5')),
  fc.tuple(word('ZRANDMEMBER'), key, word('40', '0'), word('WITHSCORES', 'x')),
  fc.tuple(word('ZSCAN'), key, word('x')),
  fc.tuple(word('ZSCAN'), key, word('0'), word('COUNT'), word('10000')),
  fc.tuple(word('OBJECT'), word('ENCODING'), key),
);

export const sortedSetCommands: fc.Arbitrary<string[]> = fc
  .oneof(
    { weight: 6, arbitrary: add },
    { weight: 2, arbitrary: addMany },
    addLong,
    { weight: 2, arbitrary: addLex },
    { weight: 3, arbitrary: byScore },
    { weight: 2, arbitrary: byLex },
    { weight: 2, arbitrary: byRank },
    { weight: 3, arbitrary: range },
    { weight: 2, arbitrary: remove },
    { weight: 4, arbitrary: single },
    { weight: 2, arbitrary: pop },
    { weight: 4, arbitrary: combine },
    random,
  )
  .map((words) => words.flat() as string[])
  // By name, members of several scores have no order.
  .filter((words) => !words.some((w) => /^bylex$/i.test(w)) || words.some((w) => /^zl/.test(w)));
