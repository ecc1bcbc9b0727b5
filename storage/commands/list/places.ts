/** Commands on places within lists: by index, by range, by value. */
import type { Arguments } from '../../arguments.ts';
import type { Items } from '../../types/items.ts';
import { LIST } from '../../types/list.ts';
import { countElements } from '../collections.ts';
import { type Command, command, ONE_KEY, SYNTAX_ERROR } from '../command.ts';
import { clipped, integerAt, integerFrom, signedAt } from '../integer-arguments.ts';
import { editList, findItems } from './values.ts';

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
    if (isSet) out.simple('OK');
    else out.error('ERR index out of range');
  },
});

const linsert = command({
  ...WRITE,
  name: 'LINSERT',
  arity: 5,
  summary: 'Insert an element before or after another element in a list',
  since: '2.2.0',
  complexity: 'O(N) where N is the number of elements before the place.',
  run(keyspace, args, out) {
    const isAfter = args.is(2, 'AFTER');
    if (!isAfter && !args.is(2, 'BEFORE')) return out.error(SYNTAX_ERROR);
    const found = keyspace.findCollection(LIST, args, 1);
    if (found === undefined) return out.integer(0);
    let length = -1;
    editList(keyspace, args, 1, found, args.bytes(4), (list) => {
      const pivot = args.text(3);
      const at = list.find(0, list.length, (item) => item === pivot);
      if (at === undefined) return false;
      const to = isAfter ? at + 1 : at;
      if (to === list.length) list.pushRight(args.text(4));
      else list.insert(to, args.text(4));
      length = list.length;
      return true;
    });
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
    list?.ascend(from, to - from, (item) => out.bulk(item));
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
    }
    out.simple('OK');
  },
});

/** Removes up to `count` equal items, from the end if it is negative, all if it is 0. */
function removeEqual(list: Items, item: string, count: number): number {
  const isBackward = count < 0;
  let left = count === 0 ? list.length : Math.abs(count);
  let removed = 0;
  let at = isBackward ? list.length - 1 : 0;
  const isEqual = (each: string): boolean => each === item;
  while (left > 0 && at >= 0 && at < list.length) {
    const found = isBackward
      ? list.findLast(at, at + 1, isEqual)
      : list.find(at, list.length - at, isEqual);
    if (found === undefined) break;
    list.remove(found, 1);
    removed += 1;
    left -= 1;
    at = isBackward ? found - 1 : found;
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
  run(keyspace, args, out) {
    const count = signedAt(args, 2);
    if (typeof count === 'string') return out.error(count);
    const found = keyspace.findCollection(LIST, args, 1);
    if (found === undefined) return out.integer(0);
    let removed = 0;
    editList(keyspace, args, 1, found, 0, (list) => {
      removed = removeEqual(list, args.text(3), count);
      return removed > 0;
    });
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
function positionsOf(list: Items, item: string, options: PositionOptions): number[] {
  const { rank, count = 1, lengthMax } = options;
  const compared = lengthMax === 0 ? list.length : Math.min(lengthMax, list.length);
  const positions: number[] = [];
  let skipped = Math.abs(rank) - 1;
  let at = rank > 0 ? 0 : list.length - 1;
  const isWanted = (each: string): boolean => {
    if (each === item) {
      if (skipped === 0) positions.push(at);
      else skipped -= 1;
    }
    at += rank > 0 ? 1 : -1;
    return positions.length === count && count > 0;
  };
  if (rank > 0) list.find(0, compared, isWanted);
  else list.findLast(list.length - 1, compared, isWanted);
  return positions;
}

const lpos = command({
  ...READ,
  name: 'LPOS',
  arity: -3,
  summary: 'Return the index of matching elements on a list',
  since: '6.0.6',
  complexity: 'O(N) where N is the number of elements compared.',
  run(keyspace, args, out) {
    const options = parsePositionOptions(args);
    if (typeof options === 'string') return out.error(options);
    const list = findItems(keyspace, args, 1);
    const positions = list === undefined ? [] : positionsOf(list, args.text(2), options);
    if (options.count === undefined) {
      const [first] = positions;
      return first === undefined ? out.nil() : out.integer(first);
    }
    out.array(positions.length);
    for (const position of positions) out.integer(position);
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
