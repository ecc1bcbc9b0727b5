/** Random commands on lists. */
import fc from 'fast-check';
import { timeout } from './timeouts.ts';

const word = (...words: string[]) => fc.constantFrom(...words);
const many = <T>(each: fc.Arbitrary<T>, maxLength: number) =>
  fc.array(each, { minLength: 1, maxLength });

const key = word('l1', 'l2', 'l:\x00\xff');
const item = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 12 }).map((n) => `i${n}`) },
  word('', '1', '-7', '\x00\r\n', '123456789012345678901'),
  fc.integer({ min: 50, max: 400 }).map((n) => 'x'.repeat(n)),
);
const index = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: -25, max: 25 }).map(String) },
  word('x', '9223372036854775807', '-9223372036854775808', '9223372036854775808', '1.5'),
);
const end = word('LEFT', 'right', 'LEFT', 'RIGHT', 'x');

const push = fc
  .tuple(word('LPUSH', 'RPUSH', 'LPUSHX', 'RPUSHX'), key, many(item, 12))
  .map(([name, k, items]) => [name, k, ...items]);
const pushMany = fc
  .tuple(word('LPUSH', 'RPUSH'), key, fc.integer({ min: 50, max: 300 }), item)
  .map(([name, k, count, i]) => [name, k, ...Array.from({ length: count }, (_, n) => `${i}${n}`)]);
const pop = fc.oneof(
  fc.tuple(word('LPOP', 'RPOP', 'LLEN', 'TYPE'), key),
  fc.tuple(word('LPOP', 'RPOP'), key, index),
  fc.tuple(word('LPOP'), key, index, index),
);
const manyPop = fc
  .tuple(
    word('1', '2', '2', '0', 'x'),
    fc.tuple(key, key),
    end,
    fc.oneof(
      fc.constant([]),
      fc.tuple(word('COUNT'), index),
      word('COUNT').map((w) => [w]),
    ),
  )
  .map(([count, keys, where, options]) => ['LMPOP', count, ...keys, where, ...options]);
const move = fc.oneof(
  fc.tuple(word('RPOPLPUSH'), key, key),
  fc.tuple(word('LMOVE'), key, key, end, end),
);
/** They wait where there is nothing, but not for long. */
const wait = fc.oneof(
  fc.tuple(word('BLPOP', 'BRPOP'), key, key, timeout),
  fc.tuple(word('BRPOPLPUSH'), key, key, timeout),
  fc.tuple(word('BLMOVE'), key, key, end, end, timeout),
  fc.tuple(timeout, manyPop).map(([ms, [, ...words]]) => ['BLMPOP', ms, ...words]),
);
const places = fc.oneof(
  fc.tuple(word('LINDEX'), key, index),
  fc.tuple(word('LRANGE', 'LTRIM'), key, index, index),
  fc.tuple(word('LSET', 'LREM'), key, index, item),
  fc.tuple(word('LINSERT'), key, word('BEFORE', 'after', 'AFTER', 'x'), item, item),
);
const position = fc
  .tuple(
    key,
    item,
    fc.array(fc.tuple(word('RANK', 'COUNT', 'maxlen', 'x'), index), { maxLength: 3 }),
  )
  .map(([k, i, options]) => ['LPOS', k, i, ...options.flat()]);

export const listCommands: fc.Arbitrary<string[]> = fc
  .oneof(
    { weight: 6, arbitrary: push },
    pushMany,
    { weight: 4, arbitrary: pop },
    { weight: 2, arbitrary: manyPop },
    { weight: 3, arbitrary: move },
    { weight: 3, arbitrary: wait },
    { weight: 6, arbitrary: places },
    { weight: 3, arbitrary: position },
    fc.tuple(word('OBJECT'), word('ENCODING'), key),
  )
  .map((words) => words.flat() as string[]);
