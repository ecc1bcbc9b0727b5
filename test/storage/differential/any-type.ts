/** Commands on keys of any type, and such on strings that meet the keys of other types. */
import fc from 'fast-check';
import { element, key, name, some, type Words, words } from './generators.ts';

export const anyTypeCommand: fc.Arbitrary<Words> = fc.oneof(
  words(name('SET', 'APPEND', 'GETSET', 'SETNX'), key, element),
  words(name('GET', 'STRLEN', 'INCR', 'GETDEL'), key),
  words(name('MGET'), some(key)),
  { weight: 3, arbitrary: words(name('TYPE', 'PERSIST', 'TTL'), key) },
  { weight: 5, arbitrary: words(name('OBJECT'), name('ENCODING', 'encoding'), key) },
  words(name('OBJECT'), name('REFCOUNT'), name('none')),
  { weight: 3, arbitrary: words(name('DEL', 'UNLINK', 'EXISTS', 'TOUCH'), some(key, 2)) },
  { weight: 2, arbitrary: words(name('RENAME', 'RENAMENX'), key, key) },
  { weight: 2, arbitrary: words(name('COPY'), key, key, some(name('REPLACE'), 1)) },
  words(name('COPY'), key, key),
  words(name('EXPIRE', 'PEXPIRE'), key, name('-1', '0')),
  words(name('EXPIREAT'), key, name('4000000000')),
  words(name('EXPIRETIME'), key),
  words(name('DBSIZE', 'FLUSHALL')),
);
