/** Streams of commands by the types that they work on, and examples that each begins with. */
import fc from 'fast-check';
import { anyTypeCommand } from './any-type.ts';
import { BUSY_GROUP, consumerGroupCommands } from './consumer-groups.ts';
import type { Words } from './generators.ts';
import { hashCommand } from './hash.ts';
import { listCommands } from './lists.ts';
import { setCommand } from './set.ts';
import { sortedSetCommands } from './sorted-sets.ts';
import { sortCommands } from './sorts.ts';
import { LONG_STREAM, streamEntryCommands } from './stream-type.ts';

/** The keys of lists and sorted sets, as those that all types share. */
const SHARED: ReadonlyMap<string, string> = new Map([
  ['l1', 'a'],
  ['l2', 'b'],
  ['z1', 'a'],
  ['z2', 'c'],
  ['z3', 'key:1'],
  ['zt', 'b'],
]);

function onSharedKeys(command: fc.Arbitrary<Words>): fc.Arbitrary<Words> {
  return command.map((words) => words.map((word) => SHARED.get(word) ?? word));
}

const hashesAndSets = fc.oneof(
  { weight: 3, arbitrary: hashCommand },
  { weight: 3, arbitrary: setCommand },
  { weight: 2, arbitrary: anyTypeCommand },
);
const allTypes = fc.oneof(
  { weight: 3, arbitrary: anyTypeCommand },
  { weight: 2, arbitrary: hashCommand },
  { weight: 2, arbitrary: setCommand },
  { weight: 3, arbitrary: onSharedKeys(listCommands) },
  { weight: 3, arbitrary: onSharedKeys(sortedSetCommands) },
);

/** Meets the differences that are listed. */
const DIFFERENT: readonly Words[] = [
  ['SADD', 'a', 'x'],
  ['OBJECT', 'ENCODING', 'a'],
  ['SET', 'b', 'x'],
  ['APPEND', 'b', 'y'],
  ['OBJECT', 'ENCODING', 'b'],
  ['SRANDMEMBER', 'none', '-2000000'],
  ['HRANDFIELD', 'none', '-2000000'],
];

/** A difference that is made from a copy of its first set, whose label it keeps. */
const DIFFERENCE_OF_COPY: readonly Words[] = [
  ['SADD', 'a', ...Array.from({ length: 127 }, (_, i) => String(i)), 'm1'],
  ['SADD', 'b', 'm1'],
  ['SADD', 'c', 'm1'],
  ['SDIFFSTORE', 'c', 'a', 'b', 'c'],
  ['OBJECT', 'ENCODING', 'c'],
];

/** Leaves two items, of two nodes of a quicklist. */
const LONG_LIST: readonly Words[] = [
  ['RPUSH', 'l1', ...Array.from({ length: 100 }, () => 'x'.repeat(157))],
  ['LTRIM', 'l1', '45', '55'],
  ['OBJECT', 'ENCODING', 'l1'],
];

/** Two whose replies were once wrong. */
const LIMIT_OF_ALL: readonly Words[] = [
  ['ZADD', 'z1', '0', 'm1', '1', 'm2'],
  ['ZRANGE', 'z1', '0', '-1', 'LIMIT', '1', '-1'],
  ['ZRANGESTORE', 'z2', 'z1', '0', '-1', 'LIMIT', '2', '-1'],
];

const NEGATIVE_ZERO: readonly Words[] = [
  ['ZADD', 'z1', '-1', 'x'.repeat(65), '-0', 'm0'],
  ['ZRANGESTORE', 'z2', 'z1', '0', '-1', 'REV'],
  ['ZRANGE', 'z2', '0', '-1', 'WITHSCORES'],
  ['ZRANGESTORE', 'z2', 'z1', '0', '-1'],
  ['ZRANGE', 'z2', '0', '-1', 'WITHSCORES'],
];

export interface Stream {
  readonly name: string;
  readonly command: fc.Arbitrary<Words>;
  readonly examples: readonly Words[][];
}

export const STREAMS: readonly Stream[] = [
  {
    name: 'hashes and sets',
    command: hashesAndSets,
    examples: [[...DIFFERENT], [...DIFFERENCE_OF_COPY]],
  },
  { name: 'lists', command: listCommands, examples: [[...LONG_LIST]] },
  {
    name: 'sorted sets',
    command: sortedSetCommands,
    examples: [[...LIMIT_OF_ALL], [...NEGATIVE_ZERO]],
  },
  { name: 'entries of streams', command: streamEntryCommands, examples: [[...LONG_STREAM]] },
  { name: 'consumer groups', command: consumerGroupCommands, examples: [[...BUSY_GROUP]] },
  { name: 'SORT', command: sortCommands, examples: [] },
  { name: 'all types', command: allTypes, examples: [] },
];
