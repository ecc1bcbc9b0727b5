/** Random commands on values of the type stream. */
import fc from 'fast-check';
import type { Words } from './generators.ts';

const word = (...words: string[]) => fc.constantFrom(...words);
const many = <T>(each: fc.Arbitrary<T>, maxLength: number) =>
  fc.array(each, { minLength: 1, maxLength });
const maybe = (weight: number, of: fc.Arbitrary<string[]>) =>
  fc.oneof({ weight, arbitrary: fc.constant<string[]>([]) }, { weight: 2, arbitrary: of });

export const streamKey = word('x1', 'x2', 'x:\x00\xff');
const anyKey = fc.oneof(
  { weight: 12, arbitrary: streamKey },
  word('nosuch', 'text', 'xlarge', 'xnow'),
);
const field = word('f1', 'f2', 'name', '', '\x00\r\n');
const value = fc.oneof(
  fc.integer({ min: -3, max: 300 }).map(String),
  word('', 'x', 'v'.repeat(200), '\xff\x00'),
);
const fields = many(fc.tuple(field, value), 3).map((pairs) => pairs.flat());
const half = fc.integer({ min: 0, max: 40 }).map(String);
const smallId = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(half, word('0', '1', '2', '3')).map((all) => all.join('-')) },
  { weight: 2, arbitrary: half },
  word('0-0', '0', '007-01', '18446744073709551616', 'x', '', '-', '+', '1-', '-1', '1-2-3', '1-x'),
);
const largeId = word(
  ...[
    '18446744073709551615-18446744073709551615',
    '18446744073709551615',
    '9-18446744073709551614',
  ],
  ...['9-18446744073709551615', '9007199254740993-9007199254740993', '4503599627370496-1', '10-1'],
);
export const streamId = fc.oneof({ weight: 9, arbitrary: smallId }, largeId);
const id = streamId;
const bound = fc.oneof(
  { weight: 4, arbitrary: id },
  { weight: 3, arbitrary: word('-', '+') },
  { weight: 2, arbitrary: id.map((text) => `(${text}`) },
  word('(', '(-', '(+', '(0-0', '(18446744073709551615-18446744073709551615'),
);
export const smallCount = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 6 }).map(String) },
  word('-1', 'x', '', '9223372036854775807', '9223372036854775808'),
);

const threshold = fc.oneof(
  fc.tuple(word('MAXLEN', 'maxlen'), word('=', '~', ''), smallCount),
  fc.tuple(word('MINID'), word('=', '~', ''), id),
);
const trimming = fc
  .tuple(
    many(
      threshold.map((words) => words.filter((each) => each !== '')),
      1,
    ).map((all) => all.flat()),
    maybe(8, fc.tuple(word('LIMIT'), smallCount)),
  )
  .map((parts) => parts.flat());
const addition = fc.oneof(
  { weight: 6, arbitrary: smallId },
  { weight: 2, arbitrary: half.map((ms) => `${ms}-*`) },
  word('5-*-', 'x-*', '18446744073709551616-*'),
);
const add = fc
  .tuple(
    streamKey,
    maybe(12, trimming),
    maybe(
      12,
      word('NOMKSTREAM').map((w) => [w]),
    ),
    addition,
  )
  .chain(([k, options, must, each]) =>
    fields.map((f): Words => ['XADD', k, ...options, ...must, each, ...f]),
  );
/** Ids of the time, on a key of their own: no small one would follow. */
const addNow = fc
  .tuple(fields, maybe(4, trimming))
  .map(([f, options]): Words => ['XADD', 'xnow', ...options, '*', ...f]);
/** Far from each other, where a block ends sooner than in Redis: approximate trimming would tell. */
const addLarge = fc
  .tuple(fc.oneof(id, word('9-*', '18446744073709551615-*')), fields)
  .map(([each, f]): Words => ['XADD', 'xlarge', each, ...f]);
const bad = fc.oneof(
  fc.tuple(
    word('XADD'),
    streamKey,
    id,
    fields.map((f) => f.slice(1)),
  ),
  fc.tuple(word('XADD'), streamKey, word('MAXLEN', 'LIMIT', 'FOO'), word('3', '~'), fields),
  fc.tuple(word('XTRIM'), streamKey, word('LIMIT', 'FOO', 'NOMKSTREAM'), word('3', '0')),
  fc.tuple(word('XRANGE'), streamKey, bound, bound, word('COUNT', 'LIMIT')),
  fc.tuple(word('XREAD'), word('COUNT', 'STREAMS', 'FOO'), smallCount, word('STREAMS'), id),
  fc.tuple(word('XADD', 'XLEN', 'XDEL', 'XRANGE', 'XREAD', 'XTRIM', 'XSETID'), streamKey),
);
const range = fc
  .tuple(
    word('XRANGE', 'XREVRANGE', 'xrange'),
    anyKey,
    bound,
    bound,
    maybe(3, fc.tuple(word('COUNT'), smallCount)),
  )
  .map((parts) => parts.flat());
const reads = many(fc.tuple(anyKey, fc.oneof({ weight: 8, arbitrary: id }, word('$', '>'))), 3);
/** Short, or wrong; none waits for ever. */
export const blockTime = word('1', '1', '1', '2', 'x', '-1', '');
const readOptions = fc.tuple(
  maybe(2, fc.tuple(word('COUNT'), smallCount)),
  maybe(4, fc.tuple(word('BLOCK'), blockTime)),
);
const read = fc.tuple(readOptions, reads).map(([all, places]): Words => {
  const options = all.flat();
  const [keys, ids] = [places.map(([k]) => k), places.map(([, each]) => each)];
  return ['XREAD', ...options, 'STREAMS', ...keys, ...ids];
});
const setId = fc
  .tuple(
    word('XSETID'),
    anyKey,
    id,
    maybe(3, fc.tuple(word('ENTRIESADDED'), smallCount)),
    maybe(3, fc.tuple(word('MAXDELETEDID'), id)),
  )
  .map((parts) => parts.flat());

export const streamEntryCommands: fc.Arbitrary<Words> = fc.oneof(
  { weight: 14, arbitrary: add },
  { weight: 2, arbitrary: addNow },
  { weight: 2, arbitrary: addLarge },
  { weight: 6, arbitrary: range },
  { weight: 4, arbitrary: read },
  { weight: 3, arbitrary: fc.tuple(word('XDEL'), anyKey, many(id, 4)).map((all) => all.flat()) },
  { weight: 2, arbitrary: fc.tuple(word('XTRIM'), streamKey, trimming).map((all) => all.flat()) },
  setId,
  fc.tuple(word('XLEN', 'TYPE', 'EXISTS'), anyKey),
  fc.tuple(word('OBJECT'), word('ENCODING'), streamKey),
  fc.tuple(word('RENAME', 'COPY'), streamKey, streamKey),
  fc.tuple(word('SET', 'LPUSH'), word('text', 'x2'), value),
  fc.tuple(word('DEL'), streamKey),
  bad.map((parts) => parts.flat()),
);

/** Blocks of a hundred entries, which approximate trimming goes by. */
export const LONG_STREAM: readonly Words[] = [
  ...Array.from({ length: 350 }, (_, i): Words => ['XADD', 'x1', `${i + 1}-0`, 'f', String(i)]),
  ['XTRIM', 'x1', 'MAXLEN', '~', '310'],
  ['XTRIM', 'x1', 'MAXLEN', '~', '240'],
  ['XTRIM', 'x1', 'MINID', '~', '150', 'LIMIT', '1'],
  ['XDEL', 'x1', '101-0', '102-0', '200-0'],
  ['XADD', 'x1', 'MINID', '~', '201', '400-0', 'f', 'x'],
  ['XLEN', 'x1'],
  ['XDEL', 'x1', '300-0'],
  ['XTRIM', 'x1', 'MINID', '~', '300'],
  ['XTRIM', 'x1', 'MINID', '~', '300-1'],
  ['XLEN', 'x1'],
  ['XRANGE', 'x1', '-', '+'],
  ['XREVRANGE', 'x1', '(330', '220-1'],
  ['XTRIM', 'x1', 'MAXLEN', '20'],
  ['XTRIM', 'x1', 'MAXLEN', '~', '0', 'LIMIT', '0'],
  ['XLEN', 'x1'],
];
