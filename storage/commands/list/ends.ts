/** Commands at the two ends of lists: push, pop, move. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { forEachInSteps, forRangeInSteps, type Steps } from '../../steps.ts';
import type { Items } from '../../types/items.ts';
import { LIST } from '../../types/list.ts';
import { bytesFrom } from '../collections.ts';
import { arityError, type Command, command, ONE_KEY, SYNTAX_ERROR, TWO_KEYS } from '../command.ts';
import { integerFrom, NOT_POSITIVE } from '../integer-arguments.ts';
import { type ManyPop, parseManyPop } from '../many-pop.ts';
import { keysBehind } from '../numkeys.ts';
import type { ReplySink } from '../reply.ts';
import { beginList, editList, endList, type FoundList } from './values.ts';

export type End = 'left' | 'right';

/** Their events. */
const PUSHED = { left: 'lpush', right: 'rpush' } as const;
const POPPED = { left: 'lpop', right: 'rpop' } as const;

function pushed(list: Items, end: End, item: string): void {
  if (end === 'left') list.pushLeft(item);
  else list.pushRight(item);
}

function push(end: End, mustExist: boolean) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): unknown => {
    const found = keyspace.findCollection(LIST, args, 1);
    if (found === undefined && mustExist) return out.integer(0);
    if (args.count > keyspace.stepElements) return pushMany(keyspace, args, found, end, out);
    let length = 0;
    editList(keyspace, args, 1, found, bytesFrom(args, 2), (list) => {
      for (let i = 2; i < args.count; i += 1) pushed(list, end, args.text(i));
      length = list.length;
      return true;
    });
    keyspace.notify('list', PUSHED[end], args, 1);
    out.integer(length);
  };
}

function* pushMany(
  keyspace: Keyspace,
  args: Arguments,
  found: FoundList | undefined,
  end: End,
  out: ReplySink,
): Steps {
  const list = beginList(keyspace, found, bytesFrom(args, 2));
  yield* forRangeInSteps(2, args.count, keyspace.stepElements, (start, stop) => {
    for (let i = start; i < stop; i += 1) pushed(list, end, args.text(i));
  });
  const { length } = list;
  endList(keyspace, args, 1, found, list);
  keyspace.notify('list', PUSHED[end], args, 1);
  out.integer(length);
}

/** Removes up to `count` items at one end, in the order in which they go, and tells of it. */
export function popped(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  found: FoundList,
  count: number,
  end: End,
): string[] {
  const items = taken(keyspace, args, i, found, count, end);
  keyspace.notify('list', POPPED[end], args, i);
  return items;
}

function taken(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  found: FoundList,
  count: number,
  end: End,
): string[] {
  const items: string[] = [];
  editList(keyspace, args, i, found, 0, (list) => {
    const many = Math.min(count, list.length);
    const first = end === 'left' ? 0 : list.length - many;
    list.ascend(first, many, (item) => items.push(item));
    list.remove(first, many);
    return true;
  });
  return end === 'left' ? items : items.reverse();
}

function pop(name: string, end: End) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): unknown => {
    if (args.count > 3) return out.error(arityError(name));
    const isMany = args.count === 3;
    const count = isMany ? integerFrom(0, args, 2, NOT_POSITIVE) : 1;
    if (typeof count === 'string') return out.error(count);
    const found = keyspace.findCollection(LIST, args, 1);
    if (found === undefined) return isMany ? out.nilArray() : out.nil();
    const items = count === 0 ? [] : popped(keyspace, args, 1, found, count, end);
    if (isMany) out.array(items.length);
    return answerItems(keyspace, items, out);
  };
}

/** In steps if they are many. */
function answerItems(
  keyspace: Keyspace,
  items: readonly string[],
  out: ReplySink,
): Steps | undefined {
  const each = keyspace.stepElements;
  if (items.length > each) return forEachInSteps(items, each, (item) => out.bulk(item));
  for (const item of items) out.bulk(item);
  return undefined;
}

export function endAt(args: Arguments, i: number): End | undefined {
  if (args.is(i, 'LEFT')) return 'left';
  return args.is(i, 'RIGHT') ? 'right' : undefined;
}

/** Moves an item from an end of the list in argument 1 to one of the list in argument 2. */
function move(keyspace: Keyspace, args: Arguments, from: End, to: End, out: ReplySink): void {
  if (!moved(keyspace, args, from, to, out)) out.nil();
}

/** `false`, with nothing answered: there is no list. */
export function moved(
  keyspace: Keyspace,
  args: Arguments,
  from: End,
  to: End,
  out: ReplySink,
): boolean {
  const source = keyspace.findCollection(LIST, args, 1);
  if (source === undefined) return false;
  const isSame = args.equals(2, args.text(1));
  const target = isSame ? source : keyspace.findCollection(LIST, args, 2);
  if (isSame) {
    rotate(keyspace, args, source, from, to, out);
  } else {
    const [item = ''] = taken(keyspace, args, 1, source, 1, from);
    editList(keyspace, args, 2, target, item.length, (list) => {
      pushed(list, to, item);
      return true;
    });
    out.bulk(item);
  }
  keyspace.notify('list', PUSHED[to], args, 2);
  keyspace.notify('list', POPPED[from], args, 1);
  return true;
}

function rotate(
  keyspace: Keyspace,
  args: Arguments,
  found: FoundList,
  from: End,
  to: End,
  out: ReplySink,
): void {
  let item = '';
  const itemMax = typeof found.entry.value === 'string' ? 0 : longestAt(found.entry.value, from);
  editList(keyspace, args, 1, found, itemMax, (list) => {
    const index = from === 'left' ? 0 : list.length - 1;
    item = list.at(index);
    list.remove(index, 1);
    pushed(list, to, item);
    return true;
  });
  out.bulk(item);
}

function longestAt(list: Items, end: End): number {
  return list.at(end === 'left' ? 0 : list.length - 1).length;
}

const lmove = command({
  group: 'list',
  keys: TWO_KEYS,
  flags: 'write denyoom',
  name: 'LMOVE',
  arity: 5,
  summary: 'Pop an element from a list, push it to another list and return it',
  since: '6.2.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const [from, to] = [endAt(args, 3), endAt(args, 4)];
    if (from === undefined || to === undefined) return out.error(SYNTAX_ERROR);
    move(keyspace, args, from, to, out);
  },
});

/** Pops from the first list of the request that is there, and answers; else `nothing` does. */
export function popFirst(
  keyspace: Keyspace,
  args: Arguments,
  { keys, count, end }: ManyPop<End>,
  out: ReplySink,
  nothing: () => void,
): Steps | undefined {
  for (const i of keys) {
    const found = keyspace.findCollection(LIST, args, i);
    if (found === undefined) continue;
    const items = popped(keyspace, args, i, found, count, end);
    out.array(2);
    out.bulk(args.text(i));
    out.array(items.length);
    return answerItems(keyspace, items, out);
  }
  nothing();
  return undefined;
}

const lmpop = command({
  group: 'list',
  keys: (args) => keysBehind(args, 1),
  flags: 'write',
  name: 'LMPOP',
  arity: -4,
  summary: 'Pop elements from a list',
  since: '7.0.0',
  complexity: 'O(N+M) with N the keys and M the elements returned.',
  run(keyspace, args, out) {
    const request = parseManyPop(args, endAt);
    if (typeof request === 'string') return out.error(request);
    return popFirst(keyspace, args, request, out, () => out.nilArray());
  },
});

const PUSH = {
  group: 'list',
  keys: ONE_KEY,
  flags: 'write denyoom fast',
  arity: -3,
  complexity: 'O(1) for each element added.',
} as const;
const POP = {
  group: 'list',
  keys: ONE_KEY,
  flags: 'write fast',
  arity: -2,
  since: '1.0.0',
  complexity: 'O(N) where N is the number of elements returned.',
} as const;

export const LIST_END_COMMANDS: readonly Command[] = [
  command({
    ...PUSH,
    name: 'LPUSH',
    summary: 'Prepend one or multiple elements to a list',
    since: '1.0.0',
    run: push('left', false),
  }),
  command({
    ...PUSH,
    name: 'RPUSH',
    summary: 'Append one or multiple elements to a list',
    since: '1.0.0',
    run: push('right', false),
  }),
  command({
    ...PUSH,
    name: 'LPUSHX',
    summary: 'Prepend an element to a list, only if the list exists',
    since: '2.2.0',
    run: push('left', true),
  }),
  command({
    ...PUSH,
    name: 'RPUSHX',
    summary: 'Append an element to a list, only if the list exists',
    since: '2.2.0',
    run: push('right', true),
  }),
  command({
    ...POP,
    name: 'LPOP',
    summary: 'Remove and get the first elements in a list',
    run: pop('LPOP', 'left'),
  }),
  command({
    ...POP,
    name: 'RPOP',
    summary: 'Remove and get the last elements in a list',
    run: pop('RPOP', 'right'),
  }),
  command({
    group: 'list',
    keys: TWO_KEYS,
    flags: 'write denyoom',
    name: 'RPOPLPUSH',
    arity: 3,
    summary: 'Remove the last element in a list, prepend it to another list and return it',
    since: '1.2.0',
    complexity: 'O(1)',
    run: (keyspace, args, out) => move(keyspace, args, 'right', 'left', out),
  }),
  lmove,
  lmpop,
];
