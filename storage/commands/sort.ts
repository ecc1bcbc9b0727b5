/**
 * SORT and SORT_RO. The keys that BY and GET name show only while the command runs: outside the
 * footprint of its transaction the keyspace ends the run (`Keyspace.findNamed`). So they are all
 * read before anything is written.
 */
import type { Arguments } from '../arguments.ts';
import { type Keyspace, WRONG_TYPE } from '../keyspace/keyspace.ts';
import { forEachInSteps, forRangeInSteps, type Steps, sortedInSteps } from '../steps.ts';
import { fieldValue, HASH, type HashValue } from '../types/hash.ts';
import { LIST, type List } from '../types/list.ts';
import { parseScoreBound } from '../types/scores.ts';
import { membersOf, SET, type SetValue } from '../types/set.ts';
import { type SortedSet, ZSET } from '../types/sorted-set.ts';
import { STRING } from '../types/string.ts';
import { type Command, command, ONE_KEY, SYNTAX_ERROR, type Words } from './command.ts';
import { integerAt } from './integer-arguments.ts';
import { itemsOfList, storeList } from './list/values.ts';
import type { ReplySink } from './reply.ts';
import { rankedOf, visitInSteps } from './zset/values.ts';

/** SORT looks up the element itself, a key, or a field of a hash. */
interface Pattern {
  readonly isElement: boolean;
  /** Before and behind the element; undefined: it names nothing. */
  readonly key: readonly [string, string] | undefined;
  readonly field: string | undefined;
}

interface SortOptions {
  by: string | undefined;
  /** A BY without a star was among the options: nothing is sorted. */
  isConstant: boolean;
  gets: Pattern[];
  isDescending: boolean;
  isAlpha: boolean;
  start: number;
  count: number;
  /** The argument with the key of the result; 0: none. */
  storeAt: number;
}

function parsePattern(text: string): Pattern {
  const star = text.indexOf('*');
  if (text === '#') return { isElement: true, key: undefined, field: undefined };
  if (star === -1) return { isElement: false, key: undefined, field: undefined };
  const arrow = text.indexOf('->', star + 1);
  const hasField = arrow !== -1 && arrow + 2 < text.length;
  return {
    isElement: false,
    key: [text.slice(0, star), text.slice(star + 1, hasField ? arrow : undefined)],
    field: hasField ? text.slice(arrow + 2) : undefined,
  };
}

/** Words of the option at an index, its name included; 0: there is none. */
function optionWords(args: Words, i: number, mayStore: boolean): number {
  const left = args.count - i - 1;
  const name = args.text(i).toUpperCase();
  if (name === 'ASC' || name === 'DESC' || name === 'ALPHA') return 1;
  if (name === 'LIMIT' && left >= 2) return 3;
  if ((name === 'BY' || name === 'GET') && left >= 1) return 2;
  return name === 'STORE' && mayStore && left >= 1 ? 2 : 0;
}

function takeBy(options: SortOptions, pattern: string): void {
  options.by = pattern;
  if (!pattern.includes('*')) options.isConstant = true;
}

function takeOption(options: SortOptions, args: Arguments, i: number): string | undefined {
  if (args.is(i, 'ASC')) options.isDescending = false;
  else if (args.is(i, 'DESC')) options.isDescending = true;
  else if (args.is(i, 'ALPHA')) options.isAlpha = true;
  else if (args.is(i, 'BY')) takeBy(options, args.text(i + 1));
  else if (args.is(i, 'GET')) options.gets.push(parsePattern(args.text(i + 1)));
  else if (args.is(i, 'STORE')) options.storeAt = i + 1;
  else {
    const start = integerAt(args, i + 1);
    if (typeof start === 'string') return start;
    const count = integerAt(args, i + 2);
    if (typeof count === 'string') return count;
    options.start = start;
    options.count = count;
  }
  return undefined;
}

function parseOptions(args: Arguments, mayStore: boolean): SortOptions | string {
  const options: SortOptions = {
    by: undefined,
    isConstant: false,
    gets: [],
    isDescending: false,
    isAlpha: false,
    start: 0,
    count: -1,
    storeAt: 0,
  };
  for (let i = 2; i < args.count; ) {
    const words = optionWords(args, i, mayStore);
    if (words === 0) return SYNTAX_ERROR;
    const refusal = takeOption(options, args, i);
    if (refusal !== undefined) return refusal;
    i += words;
  }
  return options;
}

/** The elements in the order of the value; a sorted set's backwards if so asked. */
function* elementsOf(
  keyspace: Keyspace,
  args: Arguments,
  isBackward: boolean,
): Steps<{ elements: string[]; isSet: boolean }> {
  const found = keyspace.find(args, 1);
  const elements: string[] = [];
  const take = (element: string): unknown => elements.push(element);
  const each = keyspace.stepElements;
  if (found === undefined) return { elements, isSet: false };
  keyspace.load(found);
  const { type, value } = found.entry;
  switch (type.code) {
    case LIST.code: {
      const list = itemsOfList(value as string | List);
      yield* forRangeInSteps(0, list.length, each, (start, end) => {
        list.ascend(start, end - start, take);
      });
      break;
    }
    case SET.code:
      yield* forEachInSteps(membersOf(value as SetValue), each, take);
      break;
    case ZSET.code: {
      const set = rankedOf(value as string | SortedSet);
      yield* visitInSteps(set, 0, set.size, false, each, take);
      break;
    }
    default:
      throw WRONG_TYPE;
  }
  if (isBackward && type.code !== SET.code) elements.reverse();
  return { elements, isSet: type.code === SET.code };
}

function lookUp(keyspace: Keyspace, pattern: Pattern, element: string): string | undefined {
  if (pattern.isElement) return element;
  if (pattern.key === undefined) return undefined;
  const [before, behind] = pattern.key;
  const found = keyspace.findNamed(before + element + behind);
  if (found === undefined) return undefined;
  const { type, value } = found.entry;
  if (pattern.field === undefined) return type === STRING ? (value as string) : undefined;
  if (type.code !== HASH.code) return undefined;
  keyspace.load(found);
  return fieldValue(value as HashValue, pattern.field);
}

interface Weighed {
  readonly element: string;
  /** By which it is sorted, unless by numbers; undefined: its key does not exist. */
  readonly text: string | undefined;
  readonly score: number;
}

function compareTexts(a: string | undefined, b: string | undefined): number {
  if (a === b) return 0;
  if (a === undefined || b === undefined) return a === undefined ? -1 : 1;
  return a < b ? -1 : 1;
}

/** Equal scores leave the order to the elements. */
function compareScores(a: Weighed, b: Weighed): number {
  if (a.score !== b.score) return a.score < b.score ? -1 : 1;
  return compareTexts(a.element, b.element);
}

/** Sorted; undefined: some weight is no number. */
function* sorted(
  keyspace: Keyspace,
  elements: readonly string[],
  by: Pattern | undefined,
  { isAlpha, isDescending }: SortOptions,
): Steps<string[] | undefined> {
  const each = keyspace.stepElements;
  let isNumeric = true;
  const weighed: Weighed[] = [];
  yield* forEachInSteps(elements, each, (element) => {
    const text = by === undefined ? element : lookUp(keyspace, by, element);
    const score = isAlpha || text === undefined ? 0 : parseScoreBound(text);
    if (score === undefined || (score !== 0 && !isInRange(text as string, score))) {
      isNumeric = false;
    }
    weighed.push({ element, text, score: score ?? 0 });
  });
  if (!isNumeric) return undefined;
  const sign = isDescending ? -1 : 1;
  const ordered = yield* sortedInSteps(
    weighed,
    each,
    (a, b) => sign * (isAlpha ? compareTexts(a.text, b.text) : compareScores(a, b)),
  );
  return ordered.map(({ element }) => element);
}

/** A text that only overflows to infinity is no number here. */
function isInRange(text: string, score: number): boolean {
  return Number.isFinite(score) || /inf/i.test(text);
}

/** `[from, to)` of so many elements. */
function window(length: number, { start, count }: SortOptions): { from: number; to: number } {
  const from = Math.min(Math.max(start, 0), length);
  const to = count < 0 ? length : Math.min(from + count, length);
  return { from, to };
}

function run(mayStore: boolean) {
  return function* (keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
    const options = parseOptions(args, mayStore);
    if (typeof options === 'string') return out.error(options);
    const { isConstant } = options;
    const isBackward = isConstant && options.isDescending;
    const { elements, isSet } = yield* elementsOf(keyspace, args, isBackward);
    // A stored result needs an order, and a set has none.
    const isForced = isConstant && isSet && options.storeAt > 0;
    if (isForced) options.isAlpha = true;
    const by = options.by === undefined || isForced ? undefined : parsePattern(options.by);
    const isUnsorted = isConstant && !isForced;
    const ordered = isUnsorted ? elements : yield* sorted(keyspace, elements, by, options);
    if (ordered === undefined) {
      return out.error("ERR One or more scores can't be converted into double");
    }
    const { from, to } = window(ordered.length, options);
    const results: (string | undefined)[] = [];
    yield* forEachInSteps(ordered.slice(from, to), keyspace.stepElements, (element) => {
      if (options.gets.length === 0) results.push(element);
      for (const get of options.gets) results.push(lookUp(keyspace, get, element));
    });
    yield* answer(keyspace, args, options.storeAt, results, out);
  };
}

function* answer(
  keyspace: Keyspace,
  args: Arguments,
  storeAt: number,
  results: readonly (string | undefined)[],
  out: ReplySink,
): Steps {
  if (storeAt > 0) {
    const items = results.map((result) => result ?? '');
    yield* storeList(keyspace, args, storeAt, items);
    return out.integer(results.length);
  }
  out.array(results.length);
  yield* forEachInSteps(results, keyspace.stepElements, (result) => {
    if (result === undefined) out.nil();
    else out.bulk(result);
  });
}

/** The key to be sorted and the one of the result; of several STOREs the last one counts. */
function keysOf(args: Words): readonly number[] {
  let storeAt = 0;
  for (let i = 2; i < args.count; ) {
    const words = optionWords(args, i, true);
    if (words === 0) break;
    if (args.text(i).toUpperCase() === 'STORE') storeAt = i + 1;
    i += words;
  }
  return storeAt === 0 ? [1] : [1, storeAt];
}

/** Some pattern names keys. */
function findsKeys(args: Words): boolean {
  for (let i = 2; i + 1 < args.count; ) {
    const words = optionWords(args, i, true);
    if (words === 0) return false;
    const name = args.text(i).toUpperCase();
    if ((name === 'BY' || name === 'GET') && args.text(i + 1).includes('*')) return true;
    i += words;
  }
  return false;
}

const COMPLEXITY =
  'O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number ' +
  'of returned elements.';

const OF_GROUPS = ['list', 'set', 'sorted-set'] as const;

export const SORT_COMMANDS: readonly Command[] = [
  command({
    group: 'generic',
    keys: keysOf,
    fixedKeys: ONE_KEY,
    findsKeys,
    flags: 'write denyoom',
    dangerous: true,
    ofGroups: OF_GROUPS,
    name: 'SORT',
    arity: -2,
    summary: 'Sort the elements in a list, set or sorted set',
    since: '1.0.0',
    complexity: COMPLEXITY,
    growth: (args, bytesOf) => (keysOf(args).length > 1 ? bytesOf(1) : 0),
    run: run(true),
  }),
  command({
    group: 'generic',
    keys: () => [1],
    fixedKeys: ONE_KEY,
    findsKeys,
    flags: 'readonly',
    dangerous: true,
    ofGroups: OF_GROUPS,
    name: 'SORT_RO',
    arity: -2,
    summary: 'Sort the elements in a list, set or sorted set. Read-only variant of SORT',
    since: '7.0.0',
    complexity: COMPLEXITY,
    run: run(false),
  }),
];
