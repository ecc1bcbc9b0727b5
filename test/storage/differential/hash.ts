/** Commands on hashes, good and bad ones. */
import fc from 'fast-check';
import { count, element, float, key, name, some, type Words, words } from './generators.ts';

const value = fc.oneof(element, float);
const pairs = some(fc.tuple(element, value)).map((all) => all.flat());
/** Enough for the larger encoding. */
const many = fc
  .constantFrom(127, 511, 512, 513)
  .map((n) => Array.from({ length: n }, (_, i) => [`field ${i}`, String(i)]).flat());

export const hashCommand: fc.Arbitrary<Words> = fc.oneof(
  { weight: 6, arbitrary: words(name('HSET', 'hset', 'HMSET'), key, pairs) },
  words(name('HSET'), key, many),
  words(name('HSET', 'HMSET', 'HSETNX', 'HDEL', 'HGET'), key, some(element, 4)),
  words(name('HSETNX'), key, element, value),
  { weight: 2, arbitrary: words(name('HGET', 'HEXISTS', 'HSTRLEN'), key, element) },
  { weight: 2, arbitrary: words(name('HMGET', 'HDEL'), key, some(element)) },
  { weight: 3, arbitrary: words(name('HGETALL', 'HKEYS', 'HVALS', 'HLEN'), key) },
  words(name('HINCRBY'), key, element, count),
  words(name('HINCRBYFLOAT'), key, element, float),
  words(name('HRANDFIELD'), key),
  words(name('HRANDFIELD'), key, count),
  words(name('HRANDFIELD'), key, count, name('WITHVALUES', 'withvalues', 'x')),
  words(name('HRANDFIELD'), name('none'), name('-2000000')),
  words(name('HSCAN'), key, name('0'), name('COUNT'), name('1000')),
  words(
    name('HSCAN'),
    key,
    name('0'),
    name('MATCH'),
    name('m*', '[0-9]*'),
    name('COUNT'),
    name('1000'),
  ),
  words(name('HSCAN'), key, count, some(name('COUNT', 'MATCH', 'TYPE', '0', '5'), 3)).filter(
    isRefused,
  ),
);

/** A page of some elements may be another one. */
function isRefused([, , cursor, ...options]: Words): boolean {
  return cursor === 'x' || options.length % 2 === 1;
}
