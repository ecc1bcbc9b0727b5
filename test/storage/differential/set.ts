/** Commands on sets, good and bad ones. */
import fc from 'fast-check';
import { count, element, key, name, some, type Words, words } from './generators.ts';

/** Enough for the larger encodings. */
const integers = fc
  .constantFrom(127, 128, 129, 511, 512, 513)
  .map((n) => Array.from({ length: n }, (_, i) => String(i)));
const keys = some(key, 3);
const numbered = keys.map((all) => [String(all.length), ...all]);

export const setCommand: fc.Arbitrary<Words> = fc.oneof(
  { weight: 6, arbitrary: words(name('SADD', 'sadd'), key, some(element)) },
  words(name('SADD'), key, integers),
  { weight: 2, arbitrary: words(name('SREM', 'SMISMEMBER'), key, some(element)) },
  words(name('SADD', 'SREM', 'SMEMBERS', 'SMOVE', 'SCARD'), some(key, 3)),
  { weight: 2, arbitrary: words(name('SISMEMBER'), key, element) },
  { weight: 2, arbitrary: words(name('SCARD', 'SMEMBERS'), key) },
  { weight: 2, arbitrary: words(name('SMOVE'), key, key, element) },
  { weight: 2, arbitrary: words(name('SPOP', 'SRANDMEMBER'), key) },
  { weight: 2, arbitrary: words(name('SPOP', 'SRANDMEMBER'), key, count) },
  words(name('SPOP', 'SRANDMEMBER'), key, count, count),
  words(name('SRANDMEMBER'), name('none'), name('-2000000')),
  { weight: 3, arbitrary: words(name('SINTER', 'SUNION', 'SDIFF'), keys) },
  { weight: 3, arbitrary: words(name('SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE'), key, keys) },
  words(name('SINTERCARD'), numbered),
  words(name('SINTERCARD'), numbered, name('LIMIT', 'limit', 'x'), count),
  words(name('SINTERCARD'), count, keys),
  words(name('SSCAN'), key, name('0'), name('COUNT'), name('1000')),
  words(name('SSCAN'), key, name('0'), name('MATCH'), name('m*'), name('COUNT'), name('1000')),
);
