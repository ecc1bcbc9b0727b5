/** Commands on places within lists: by index, by range, by value. */
import type { Arguments } from '../../arguments.ts';
import { forEachInSteps, forRangeInSteps, type Steps } from '../../steps.ts';
import type { Items } from '../../types/items.ts';
import { LIST } from '../../types/list.ts';
import { countElements } from '../collections.ts';
import { type Command, command, ONE_KEY, SYNTAX_ERROR } from '../command.ts';
import { clipped, integerAt, integerFrom, signedAt } from '../integer-arguments.ts';
import { beginList, editList, endList, findItems } from './values.ts';

const READ = { group: 'list', keys: ONE_KEY, flags: 'readonly' } as const;
const WRITE = { group: 'list', keys: ONE_KEY, flags: 'write denyoom' } as const;

/** The index from the beginning; undefined: there is no such item. */
function indexIn({ length }: Items, index: number): number | undefined {
  const at = index < 0 ? length + index : index;
  return at >= 0 && at < length ? at : undefined;
}

const lindex = command({
  ...READ,
  name: 'LINDEX',
  arity: 3,
  summary: 'Get an element from a list by its index',
  since: '1.0.0',
  complexity: 'O(log(N))',
  run(keyspace, args, out) {
    const list = findItems(keyspace, args, 1);
    if (list === undefined) return out.nil();
    const index = integerAt(args, 2);
    if (typeof index === 'string') return out.error(index);
    const at = indexIn(list, index);
    if (at === undefined) out.nil();
    else out.bulk(list.at(at));
  },
});

const lset = command({
  ...WRITE,
  name: 'LSET',
  arity: 4,
  summary: 'Set the value of an element in a list by its index',
  since: '1.0.0',
  complexity: 'O(log(N))',
  run(keyspace, args, out) {
    const found = keyspace.findCollection(LIST, args, 1);
    if (found === undefined) return out.error('ERR no such key');
    const index = integerAt(args, 2);
    if (typeof index === 'string') return out.error(index);
    let isSet = false;
    editList(keyspace, args, 1, found, args.bytes(3), (list) => {
      const at = indexIn(list, index);
      isSet = at !== undefined;
      if (at !== undefined) list.set(at, args.text(3));
      return isSet;
    });
    if (!isSet) return out.error('ERR index out of range');
    keyspace.notify('list', 'lset', args, 1);
    out.simple('OK');
  },
});

const linsert = command({
  ...WRITE,
  name: 'LINSERT',
  arity: 5,
  summary: 'Insert an element before or after another element in a list',
  since: '2.2.0',
  complexity: 'O(N) where N is the number of elements before the place.',
  *run(keyspace, args, out) {
    const isAfter = args.is(2, 'AFTER');
    if (!isAfter && !args.is(2, 'BEFORE')) return out.error(SYNTAX_ERROR);
    const found = keyspace.findCollection(LIST, args, 1);
    if (found === undefined) return out.integer(0);
    const list = beginList(keyspace, found, args.bytes(4));
    const pivot = args.text(3);
    const isPivot = (item: string): boolean => item === pivot;
    const at = yield* findInSteps(list, 0, list.length, keyspace.stepElements, isPivot);
    if (at === undefined) return out.integer(-1);
    const to = isAfter ? at + 1 : at;
    if (to === list.length) list.pushRight(args.text(4));
    else list.insert(to, args.text(4));
    const { length } = list;
    endList(keyspace, args, 1, found, list);
    keyspace.notify('list', 'linsert', args, 1);
    out.integer(length);
  },
});

const lrange = command({
  ...READ,
  name: 'LRANGE',
  arity: 4,
  summary: 'Get a range of elements from a list',
  since: '1.0.0',
  complexity: 'O(log(N)+M) where M is the number of elements returned.',
  run(keyspace, args, out) {
    const start = integerAt(args, 2);
    if (typeof start === 'string') return out.error(start);
    const stop = integerAt(args, 3);
    if (typeof stop === 'string') return out.error(stop);
    const list = findItems(keyspace, args, 1);
    const { from, to } = clipped(start, stop, list?.length ?? 0);
    out.array(to - from);
    return forRangeInSteps(from, to, keyspace.stepElements, (first, end) => {
      list?.ascend(first, end - first, (item) => out.bulk(item));
    });
  },
});

const ltrim = command({
  ...WRITE,
  flags: 'write',
  name: 'LTRIM',
  arity: 4,
  summary: 'Trim a list to the specified range',
  since: '1.0.0',
  complexity: 'O(M) where M is the number of elements removed.',
  run(keyspace, args, out) {
    const start = integerAt(args, 2);
    if (typeof start === 'string') return out.error(start);
    const stop = integerAt(args, 3);
    if (typeof stop === 'string') return out.error(stop);
    const found = keyspace.findCollection(LIST, args, 1);
    if (found !== undefined) {
      editList(keyspace, args, 1, found, 0, (list) => {
        const { length } = list;
        const { from, to } = clipped(start, stop, length);
        if (to < length) list.remove(to, length - to);
        if (from > 0) list.remove(0, from);
        return list.length !== length;
      });
      keyspace.notify('list', 'ltrim', args, 1);
    }
    out.simple('OK');
  },
});

/** As `Items.find`; below zero, `step` looks downwards. A step goes through so many items. */
function* findInSteps(
  list: Items,
  from: number,
  count: number,
  step: number,
  test: (item: string) => boolean,
): Steps<number | undefined> {
  const each = Math.abs(step);
  for (let done = 0; done < count; done += each) {
    if (done > 0) yield;
    const part = Math.min(each, count - done);
    const found =
      step < 0 ? list.findLast(from - done, part, test) : list.find(from + done, part, test);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Removes up to `count` equal items, from the end if it is negative, all if it is 0. */
function* removeEqual(list: Items, item: string, count: number, each: number): Steps<number> {
  const isBackward = count < 0;
  let left = count === 0 ? list.length : Math.abs(count);
  let removed = 0;
  let at = isBackward ? list.length - 1 : 0;
  const isEqual = (other: string): boolean => other === item;
  while (left > 0 && at >= 0 && at < list.length) {
    const found = isBackward
      ? yield* findInSteps(list, at, at + 1, -each, isEqual)
      : yield* findInSteps(list, at, list.length - at, each, isEqual);
    if (found === undefined) break;
    list.remove(found, 1);
    removed += 1;
    left -= 1;
    at = isBackward ? found - 1 : found;
    if (removed % each === 0) yield;
  }
  return removed;
}

const lrem = command({
  ...WRITE,
  flags: 'write',
  name: 'LREM',
  arity: 4,
  summary: 'Remove elements from a list',
  since: '1.0.0',
  complexity: 'O(N+M*log(N)) where M is the number of elements removed.',
  *run(keyspace, args, out) {
    const count = signedAt(args, 2);
    if (typeof count === 'string') return out.error(count);
    const found = keyspace.findCollection(LIST, args, 1);
    if (found === undefined) return out.integer(0);
    const list = beginList(keyspace, found, 0);
    const removed = yield* removeEqual(list, args.text(3), count, keyspace.stepElements);
    if (removed > 0) {
      endList(keyspace, args, 1, found, list);
      keyspace.notify('list', 'lrem', args, 1);
    }
    out.integer(removed);
  },
});

interface PositionOptions {
  rank: number;
  /** Matches to be returned, 0 for all; undefined: one, not in an array. */
  count: number | undefined;
  /** Items that are compared at most; 0: all. */
  lengthMax: number;
}

function parsePositionOptions(args: Arguments): PositionOptions | string {
  const options: PositionOptions = { rank: 1, count: undefined, lengthMax: 0 };
  for (let i = 3; i < args.count; i += 2) {
    if (i + 1 === args.count) return SYNTAX_ERROR;
    if (args.is(i, 'RANK')) {
      const rank = signedAt(args, i + 1);
      if (typeof rank === 'string') return rank;
      if (rank === 0) return RANK_ZERO;
      options.rank = rank;
    } else if (args.is(i, 'COUNT')) {
      const count = integerFrom(0, args, i + 1, "ERR COUNT can't be negative");
      if (typeof count === 'string') return count;
      options.count = count;
    } else if (args.is(i, 'MAXLEN')) {
      const lengthMax = integerFrom(0, args, i + 1, "ERR MAXLEN can't be negative");
      if (typeof lengthMax === 'string') return lengthMax;
      options.lengthMax = lengthMax;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return options;
}

const RANK_ZERO =
  "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use " +
  'negative to start from the end of the list';

/** The indices of equal items, in the order in which they are met. */
function* positionsOf(
  list: Items,
  item: string,
  options: PositionOptions,
  each: number,
): Steps<number[]> {
  const { rank, count = 1, lengthMax } = options;
  const compared = lengthMax === 0 ? list.length : Math.min(lengthMax, list.length);
  const positions: number[] = [];
  let skipped = Math.abs(rank) - 1;
  let at = rank > 0 ? 0 : list.length - 1;
  const isWanted = (other: string): boolean => {
    if (other === item) {
      if (skipped === 0) positions.push(at);
      else skipped -= 1;
    }
    at += rank > 0 ? 1 : -1;
    return positions.length === count && count > 0;
  };
  yield* findInSteps(list, at, compared, rank > 0 ? each : -each, isWanted);
  return positions;
}

const lpos = command({
  ...READ,
  name: 'LPOS',
  arity: -3,
  summary: 'Return the index of matching elements on a list',
  since: '6.0.6',
  complexity: 'O(N) where N is the number of elements compared.',
  *run(keyspace, args, out) {
    const options = parsePositionOptions(args);
    if (typeof options === 'string') return out.error(options);
    const list = findItems(keyspace, args, 1);
    const each = keyspace.stepElements;
    const positions =
      list === undefined ? [] : yield* positionsOf(list, args.text(2), options, each);
    if (options.count === undefined) {
      const [first] = positions;
      return first === undefined ? out.nil() : out.integer(first);
    }
    out.array(positions.length);
    yield* forEachInSteps(positions, each, (position) => out.integer(position));
  },
});

export const LIST_PLACE_COMMANDS: readonly Command[] = [
  command({
    ...READ,
    flags: 'readonly fast',
    name: 'LLEN',
    arity: 2,
    summary: 'Get the length of a list',
    since: '1.0.0',
    complexity: 'O(1)',
    run: countElements(LIST, 1),
  }),
  lindex,
  lrange,
  lset,
  linsert,
  ltrim,
  lrem,
  lpos,
];
