/** Streams of commands by the types that they work on, and examples that each begins with. */
import fc from 'fast-check';
import { anyTypeCommand } from './any-type.ts';
import type { Words } from './generators.ts';
import { hashCommand } from './hash.ts';
import { listCommands } from './lists.ts';
import { setCommand } from './set.ts';
import { sortedSetCommands } from './sorted-sets.ts';
import { sortCommands } from './sorts.ts';

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

export interface Stream {
  readonly name: string;
  readonly command: fc.Arbitrary<Words>;
  readonly examples: readonly Words[][];
}

export const STREAMS: readonly Stream[] = [
  { name: 'hashes and sets', command: hashesAndSets, examples: [[...DIFFERENT]] },
  { name: 'lists', command: listCommands, examples: [] },
  { name: 'sorted sets', command: sortedSetCommands, examples: [] },
  { name: 'SORT', command: sortCommands, examples: [] },
  { name: 'all types', command: allTypes, examples: [] },
];
