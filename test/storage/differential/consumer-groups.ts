/** Random commands on the consumer groups of streams. */
import fc from 'fast-check';
import type { Words } from './generators.ts';
import { blockTime, smallCount, streamEntryCommands, streamId, streamKey } from './stream-type.ts';

const word = (...words: string[]) => fc.constantFrom(...words);
const many = <T>(each: fc.Arbitrary<T>, maxLength: number) =>
  fc.array(each, { minLength: 1, maxLength });
const maybe = (weight: number, of: fc.Arbitrary<string[]>) =>
  fc.oneof({ weight, arbitrary: fc.constant<string[]>([]) }, { weight: 2, arbitrary: of });
const joined = (...parts: fc.Arbitrary<string | string[]>[]): fc.Arbitrary<Words> =>
  fc.tuple(...parts).map((found) => found.flat());

const key = fc.oneof({ weight: 12, arbitrary: streamKey }, word('nosuch', 'text'));
const group = fc.oneof({ weight: 12, arbitrary: word('g1', 'g2') }, word('none'));
const consumer = word('c1', 'c2', 'c3', '');
const id = streamId;
const ids = many(id, 5);
/** No time that passes while the test runs decides. */
const minIdle = word('0', '0', '500000', '-1', 'x');
const bound = fc.oneof(
  word('-', '+', '-', '+'),
  id,
  id.map((text) => `(${text}`),
);
const read = maybe(4, joined(word('ENTRIESREAD', 'entriesread'), smallCount));

const groups = fc.oneof(
  {
    weight: 4,
    arbitrary: joined(
      word('XGROUP'),
      word('CREATE', 'create'),
      key,
      group,
      fc.oneof(word('$', '0', '0'), id),
      maybe(
        1,
        word('MKSTREAM').map((w) => [w]),
      ),
      read,
    ),
  },
  joined(word('XGROUP'), word('SETID'), key, group, fc.oneof(word('$', '0', '-', '+'), id), read),
  joined(word('XGROUP'), word('DESTROY'), key, group),
  joined(word('XGROUP'), word('CREATECONSUMER', 'DELCONSUMER'), key, group, consumer),
  joined(word('XGROUP'), word('CREATE', 'SETID', 'DESTROY'), key, group, word('0', 'MKSTREAM'), id),
  joined(word('XGROUP'), word('CREATE', 'DELCONSUMER'), key),
);
const places = many(fc.tuple(key, fc.oneof(word('>', '>', '>', '0', '$'), id)), 2);
const readGroup = fc
  .tuple(
    joined(word('GROUP'), group, consumer),
    maybe(2, joined(word('COUNT'), smallCount)),
    maybe(4, joined(word('BLOCK'), blockTime)),
    maybe(
      6,
      word('NOACK').map((w) => [w]),
    ),
    places,
  )
  .map(([of, count, block, noAck, all]): Words => {
    const [keys, each] = [all.map(([k]) => k), all.map(([, i]) => i)];
    return ['XREADGROUP', ...of, ...count, ...block, ...noAck, 'STREAMS', ...keys, ...each];
  });
const badRead = fc.oneof(
  joined(word('XREADGROUP'), word('COUNT', 'NOACK'), smallCount, word('STREAMS'), key, id),
  joined(word('XREADGROUP', 'XREAD'), word('GROUP'), group, consumer, word('STREAMS'), key, ids),
  joined(word('XREAD'), word('NOACK'), word('STREAMS'), key, id),
);
const claimOption = fc.oneof(
  joined(word('IDLE'), word('1000000', '0', '-5', 'x')),
  joined(word('TIME'), word('1', '4000000000000', '-5', 'x')),
  joined(word('RETRYCOUNT'), smallCount),
  joined(word('LASTID'), id),
  word('FORCE', 'JUSTID', 'force', 'FOO', 'TIME').map((w) => [w]),
);
const claim = joined(
  word('XCLAIM'),
  key,
  group,
  consumer,
  minIdle,
  ids,
  maybe(
    1,
    many(claimOption, 3).map((all) => all.flat()),
  ),
);
const autoClaim = joined(
  word('XAUTOCLAIM'),
  key,
  group,
  consumer,
  minIdle,
  fc.oneof(
    word('0', '-', '0-0', '+', '('),
    id,
    id.map((text) => `(${text}`),
  ),
  maybe(2, joined(word('COUNT'), word('1', '2', '3', '0', '-1', 'x'))),
  maybe(
    4,
    word('JUSTID', 'FOO', 'COUNT').map((w) => [w]),
  ),
);
const pending = fc.oneof(
  joined(word('XPENDING'), key, group),
  joined(
    word('XPENDING'),
    key,
    group,
    maybe(2, joined(word('IDLE', 'idle'), minIdle)),
    bound,
    bound,
    smallCount,
    maybe(
      2,
      consumer.map((c) => [c]),
    ),
  ),
  joined(word('XPENDING'), key, group, many(bound, 4)),
);
const info = fc.oneof(
  joined(word('XINFO'), word('STREAM', 'stream'), key),
  joined(word('XINFO'), word('STREAM'), key, word('FULL')),
  joined(word('XINFO'), word('STREAM'), key, word('FULL', 'x'), word('COUNT', 'x'), smallCount),
  joined(word('XINFO'), word('GROUPS'), key),
  joined(word('XINFO'), word('CONSUMERS'), key, group),
  joined(word('XINFO'), word('CONSUMERS', 'STREAM', 'GROUPS'), key, word('x')),
);

export const consumerGroupCommands: fc.Arbitrary<Words> = fc.oneof(
  { weight: 8, arbitrary: streamEntryCommands },
  { weight: 4, arbitrary: groups },
  { weight: 7, arbitrary: readGroup },
  badRead,
  { weight: 3, arbitrary: joined(word('XACK'), key, group, ids) },
  { weight: 3, arbitrary: claim },
  { weight: 3, arbitrary: autoClaim },
  { weight: 3, arbitrary: pending },
  { weight: 4, arbitrary: info },
);

/** Groups with something to tell, then all forms of telling it. */
export const BUSY_GROUP: readonly Words[] = [
  ['XGROUP', 'CREATE', 'x1', 'g1', '0', 'MKSTREAM'],
  ...Array.from({ length: 30 }, (_, i): Words => ['XADD', 'x1', `${i + 1}-0`, 'f', String(i)]),
  ['XREADGROUP', 'GROUP', 'g1', 'c1', 'COUNT', '12', 'STREAMS', 'x1', '>'],
  ['XREADGROUP', 'GROUP', 'g1', 'c2', 'COUNT', '5', 'STREAMS', 'x1', '>'],
  ['XACK', 'x1', 'g1', '1-0', '13-0', '99-0'],
  ['XDEL', 'x1', '4-0', '14-0'],
  ['XINFO', 'GROUPS', 'x1'],
  ['XINFO', 'STREAM', 'x1', 'FULL', 'COUNT', '0'],
  ['XREADGROUP', 'GROUP', 'g1', 'c1', 'STREAMS', 'x1', '2-0'],
  ['XAUTOCLAIM', 'x1', 'g1', 'c3', '0', '-', 'COUNT', '4'],
  ['XAUTOCLAIM', 'x1', 'g1', 'c3', '0', '5-0', 'JUSTID'],
  ['XPENDING', 'x1', 'g1'],
  ['XPENDING', 'x1', 'g1', '-', '+', '100'],
  ['XPENDING', 'x1', 'g1', '-', '+', '100', 'c1'],
  ['XGROUP', 'SETID', 'x1', 'g1', '3-0', 'ENTRIESREAD', '3'],
  ['XREADGROUP', 'GROUP', 'g1', 'c2', 'STREAMS', 'x1', '>'],
  ['XGROUP', 'DELCONSUMER', 'x1', 'g1', 'c2'],
  ['XINFO', 'CONSUMERS', 'x1', 'g1'],
  ['COPY', 'x1', 'x2'],
  ['XGROUP', 'DESTROY', 'x1', 'g1'],
  ['XINFO', 'STREAM', 'x2', 'FULL'],
];
