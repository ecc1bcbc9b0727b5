/** Commands on one set, and SMOVE. */
import type { Arguments } from '../arguments.ts';
import type { Found, Keyspace } from '../keyspace/keyspace.ts';
import { forEachInSteps, forRangeInSteps, type Steps } from '../steps.ts';
import {
  emptySet,
  expecting,
  hasMember,
  memberCount,
  membersAt,
  membersOf,
  SET,
  type SetValue,
  withMember,
  withoutMember,
} from '../types/set.ts';
import {
  beginEdit,
  bytesFrom,
  countElements,
  parsePicks,
  pickIndices,
  scanCollection,
  store,
} from './collections.ts';
import { type Command, command, ONE_KEY, SYNTAX_ERROR, TWO_KEYS } from './command.ts';
import { integerFrom, NOT_POSITIVE } from './integer-arguments.ts';
import type { ReplySink } from './reply.ts';

const READ = { group: 'set', keys: ONE_KEY, flags: 'readonly' } as const;
const READ_FAST = { group: 'set', keys: ONE_KEY, flags: 'readonly fast' } as const;
const WRITE = { group: 'set', keys: ONE_KEY, flags: 'write fast' } as const;

function find(keyspace: Keyspace, args: Arguments, i: number): Found<SetValue> | undefined {
  return keyspace.findCollection(SET, args, i);
}

/** https://redis.io/docs/latest/commands/sadd */
const sadd = command({
  ...WRITE,
  flags: 'write denyoom fast',
  name: 'SADD',
  arity: -3,
  summary: 'Add one or more members to a set',
  since: '1.0.0',
  complexity: 'O(1) for each member added.',
  run(keyspace, args, out) {
    const { thresholds } = keyspace;
    const found = find(keyspace, args, 1);
    if (args.count > keyspace.stepElements) return addMany(keyspace, args, found, out);
    const before = found?.entry.value ?? emptySet();
    const [count, label] = [memberCount(before), SET.encodingOf(before)];
    beginEdit(keyspace, found, bytesFrom(args, 2));
    let set = expecting(before, args.count - 2, args.text(2), thresholds);
    for (let i = 2; i < args.count; i += 1) set = withMember(set, args.text(i), thresholds);
    const added = memberCount(set) - count;
    const relabelled = SET.encodingOf(set) !== label;
    if (added > 0 || relabelled) store(keyspace, args, 1, SET, found, set);
    if (added > 0) keyspace.notify('set', 'sadd', args, 1);
    out.integer(added);
  },
});

/** The same in steps. */
function* addMany(
  keyspace: Keyspace,
  args: Arguments,
  found: Found<SetValue> | undefined,
  out: ReplySink,
): Steps {
  const { thresholds } = keyspace;
  const before = found?.entry.value ?? emptySet();
  const [count, label] = [memberCount(before), SET.encodingOf(before)];
  beginEdit(keyspace, found, bytesFrom(args, 2));
  let set = expecting(before, args.count - 2, args.text(2), thresholds);
  yield* forRangeInSteps(2, args.count, keyspace.stepElements, (start, end) => {
    for (let i = start; i < end; i += 1) set = withMember(set, args.text(i), thresholds);
  });
  const added = memberCount(set) - count;
  const relabelled = SET.encodingOf(set) !== label;
  if (added > 0 || relabelled) store(keyspace, args, 1, SET, found, set);
  if (added > 0) keyspace.notify('set', 'sadd', args, 1);
  out.integer(added);
}

const srem = command({
  ...WRITE,
  name: 'SREM',
  arity: -3,
  summary: 'Remove one or more members from a set',
  since: '1.0.0',
  complexity: 'O(N) where N is the number of members to be removed.',
  *run(keyspace, args, out) {
    const members: string[] = [];
    for (let i = 2; i < args.count; i += 1) members.push(args.text(i));
    const found = find(keyspace, args, 1);
    out.integer(found === undefined ? 0 : yield* removeAll(keyspace, args, found, members, 'srem'));
  },
});

/** Removes members from the set in argument 1; how many were there. */
function* removeAll(
  keyspace: Keyspace,
  args: Arguments,
  found: Found<SetValue>,
  members: readonly string[],
  event: string,
): Steps<number> {
  let set = found.entry.value;
  let removed = 0;
  beginEdit(keyspace, found, 0);
  yield* forEachInSteps(members, keyspace.stepElements, (member) => {
    const left = withoutMember(set, member);
    if (left === undefined) return;
    set = left;
    removed += 1;
  });
  if (removed > 0) {
    store(keyspace, args, 1, SET, found, set);
    keyspace.notify('set', event, args, 1);
  }
  return removed;
}

/** https://redis.io/docs/latest/commands/smove */
const smove = command({
  ...WRITE,
  keys: TWO_KEYS,
  name: 'SMOVE',
  arity: 4,
  summary: 'Move a member from one set to another',
  since: '1.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const from = find(keyspace, args, 1);
    if (from === undefined) return out.integer(0);
    const to = find(keyspace, args, 2);
    const member = args.text(3);
    if (!hasMember(from.entry.value, member)) return out.integer(0);
    if (args.equals(2, args.text(1))) return out.integer(1);
    beginEdit(keyspace, from, 0);
    beginEdit(keyspace, to, member.length);
    const left = withoutMember(from.entry.value, member) ?? from.entry.value;
    store(keyspace, args, 1, SET, from, left);
    keyspace.notify('set', 'srem', args, 1);
    const before = to?.entry.value ?? emptySet();
    const isNew = !hasMember(before, member);
    const set = withMember(before, member, keyspace.thresholds);
    if (set !== before || typeof set !== 'string') store(keyspace, args, 2, SET, to, set);
    if (isNew) keyspace.notify('set', 'sadd', args, 2);
    out.integer(1);
  },
});

const sismember = command({
  ...READ_FAST,
  name: 'SISMEMBER',
  arity: 3,
  summary: 'Determine if a given value is a member of a set',
  since: '1.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const set = find(keyspace, args, 1)?.entry.value;
    out.integer(set !== undefined && hasMember(set, args.text(2)) ? 1 : 0);
  },
});

const smismember = command({
  ...READ_FAST,
  name: 'SMISMEMBER',
  arity: -3,
  summary: 'Return the membership of multiple members of a set',
  since: '6.2.0',
  complexity: 'O(N) where N is the number of elements being checked for membership.',
  run(keyspace, args, out) {
    const set = find(keyspace, args, 1)?.entry.value;
    out.array(args.count - 2);
    return forRangeInSteps(2, args.count, keyspace.stepElements, (start, end) => {
      for (let i = start; i < end; i += 1) {
        out.integer(set !== undefined && hasMember(set, args.text(i)) ? 1 : 0);
      }
    });
  },
});

const scard = command({
  ...READ_FAST,
  name: 'SCARD',
  arity: 2,
  summary: 'Get the number of members in a set',
  since: '1.0.0',
  complexity: 'O(1)',
  run: countElements(SET, 1),
});

const smembers = command({
  ...READ,
  name: 'SMEMBERS',
  arity: 2,
  summary: 'Get all the members in a set',
  since: '1.0.0',
  complexity: 'O(N) where N is the set cardinality.',
  run(keyspace, args, out) {
    const set = find(keyspace, args, 1)?.entry.value ?? emptySet();
    out.set(memberCount(set));
    return forEachInSteps(membersOf(set), keyspace.stepElements, (member) => out.bulk(member));
  },
});

/** https://redis.io/docs/latest/commands/spop */
const spop = command({
  ...WRITE,
  name: 'SPOP',
  arity: -2,
  summary: 'Remove and return one or multiple random members from a set',
  since: '1.0.0',
  complexity: 'O(N log M) where N is the number of members returned.',
  *run(keyspace, args, out) {
    if (args.count > 3) return out.error(SYNTAX_ERROR);
    if (args.count === 3) return yield* popMany(keyspace, args, out);
    const found = find(keyspace, args, 1);
    if (found === undefined) return out.nil();
    const { value } = found.entry;
    const members = membersAt(value, [keyspace.random().below(memberCount(value))]);
    yield* removeAll(keyspace, args, found, members, 'spop');
    out.bulk(members[0] ?? '');
  },
});

function* popMany(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const count = integerFrom(0, args, 2, NOT_POSITIVE);
  if (typeof count === 'string') return out.error(count);
  const found = find(keyspace, args, 1);
  if (found === undefined || count === 0) return out.set(0);
  const { value } = found.entry;
  const size = memberCount(value);
  const all = count >= size;
  const members = yield* picked(keyspace, value, all ? size : count);
  if (all) {
    keyspace.remove(found as Found);
    keyspace.notify('set', 'spop', args, 1);
  } else {
    yield* removeAll(keyspace, args, found, members, 'spop');
  }
  out.set(members.length);
  yield* forEachInSteps(members, keyspace.stepElements, (member) => out.bulk(member));
}

/** Random members, as `pickIndices` draws them. */
function* picked(keyspace: Keyspace, set: SetValue, count: number): Steps<readonly string[]> {
  const each = keyspace.stepElements;
  const indices = yield* pickIndices(keyspace, memberCount(set), count);
  if (typeof set === 'string' || indices.length <= each) return membersAt(set, indices);
  const members: string[] = [];
  yield* forEachInSteps(indices, each, (index) => members.push(set.nameAt(index)));
  return members;
}

/** https://redis.io/docs/latest/commands/srandmember */
const srandmember = command({
  ...READ,
  name: 'SRANDMEMBER',
  arity: -2,
  summary: 'Get one or multiple random members from a set',
  since: '1.0.0',
  complexity: 'O(N log M) where N is the number of members returned.',
  *run(keyspace, args, out) {
    if (args.count > 3) return out.error(SYNTAX_ERROR);
    if (args.count === 2) {
      const set = find(keyspace, args, 1)?.entry.value;
      if (set === undefined) return out.nil();
      return out.bulk(membersAt(set, [keyspace.random().below(memberCount(set))])[0] ?? '');
    }
    const count = parsePicks(args, 2);
    if (typeof count === 'string') return out.error(count);
    const set = find(keyspace, args, 1)?.entry.value;
    if (set === undefined || count === 0) return out.array(0);
    const members = yield* picked(keyspace, set, count);
    out.array(members.length);
    yield* forEachInSteps(members, keyspace.stepElements, (member) => out.bulk(member));
  },
});

const sscan = command({
  ...READ,
  name: 'SSCAN',
  arity: -3,
  summary: 'Incrementally iterate set members',
  since: '2.8.0',
  complexity: 'O(1) for every call. O(N) for a complete iteration.',
  run(keyspace, args, out) {
    scanCollection(args, out, false, () => {
      const set = find(keyspace, args, 1)?.entry.value;
      if (set === undefined) return undefined;
      return (from, limit, visit) => {
        if (typeof set !== 'string') return set.page(from, limit, visit);
        for (const member of membersOf(set)) visit(member, '');
        return 0;
      };
    });
  },
});

export const SET_COMMANDS: readonly Command[] = [
  sadd,
  srem,
  smove,
  sismember,
  smismember,
  scard,
  smembers,
  spop,
  srandmember,
  sscan,
];
