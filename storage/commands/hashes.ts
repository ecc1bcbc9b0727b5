/** Commands on hashes. */
import type { Arguments } from '../arguments.ts';
import type { Found, Keyspace } from '../keyspace/keyspace.ts';
import { forRangeInSteps, type Steps } from '../steps.ts';
import {
  emptyHash,
  fieldCount,
  fieldValue,
  forEachField,
  forEachFieldInSteps,
  HASH,
  type HashValue,
  relabelled,
  withField,
  withoutField,
} from '../types/hash.ts';
import { addInteger, parseInteger } from '../types/integers.ts';
import { addLongDouble, formatLongDouble, parseLongDouble } from '../types/long-double.ts';
import {
  beginEdit,
  bytesFrom,
  countElements,
  longestFrom,
  OUT_OF_RANGE,
  parsePicks,
  pickIndices,
  scanCollection,
  store,
} from './collections.ts';
import {
  arityError,
  type Command,
  command,
  NOT_A_FLOAT,
  NOT_AN_INTEGER,
  ONE_KEY,
  SYNTAX_ERROR,
} from './command.ts';
import type { ReplySink } from './reply.ts';

const WRITE = { group: 'hash', keys: ONE_KEY, flags: 'write denyoom fast' } as const;
const READ = { group: 'hash', keys: ONE_KEY, flags: 'readonly fast' } as const;
const READ_ALL = { group: 'hash', keys: ONE_KEY, flags: 'readonly' } as const;

function find(keyspace: Keyspace, args: Arguments): Found<HashValue> | undefined {
  return keyspace.findCollection(HASH, args, 1);
}

/** The value of the field in argument `i`. */
function valueAt(
  found: Found<HashValue> | undefined,
  args: Arguments,
  i: number,
): string | undefined {
  return found && fieldValue(found.entry.value, args.text(i));
}

/** Sets fields to the values behind them, from argument 2 on; tells how many are new. */
function setFields(
  keyspace: Keyspace,
  args: Arguments,
  answer: (added: number) => void,
): Steps | undefined {
  if (args.count > keyspace.stepElements) return setMany(keyspace, args, answer);
  const found = find(keyspace, args);
  let hash = found?.entry.value ?? emptyHash();
  const before = fieldCount(hash);
  beginEdit(keyspace, found, bytesFrom(args, 2));
  for (let i = 2; i < args.count; i += 2) hash = withField(hash, args.text(i), args.text(i + 1));
  hash = relabelled(hash, longestFrom(args, 2), keyspace.thresholds);
  const added = fieldCount(hash) - before;
  store(keyspace, args, 1, HASH, found, hash);
  keyspace.notify('hash', 'hset', args, 1);
  answer(added);
  return undefined;
}

/** The same in steps. */
function* setMany(keyspace: Keyspace, args: Arguments, answer: (added: number) => void): Steps {
  const found = find(keyspace, args);
  let hash = found?.entry.value ?? emptyHash();
  const before = fieldCount(hash);
  beginEdit(keyspace, found, bytesFrom(args, 2));
  yield* forRangeInSteps(1, args.count / 2, keyspace.stepElements, (start, end) => {
    for (let i = 2 * start; i < 2 * end; i += 2) {
      hash = withField(hash, args.text(i), args.text(i + 1));
    }
  });
  hash = relabelled(hash, longestFrom(args, 2), keyspace.thresholds);
  const added = fieldCount(hash) - before;
  store(keyspace, args, 1, HASH, found, hash);
  keyspace.notify('hash', 'hset', args, 1);
  answer(added);
}

function setOne(
  keyspace: Keyspace,
  args: Arguments,
  found: Found<HashValue> | undefined,
  value: string,
  event: string,
): void {
  const field = args.text(2);
  beginEdit(keyspace, found, field.length + value.length);
  const hash = withField(found?.entry.value ?? emptyHash(), field, value);
  const longest = Math.max(field.length, value.length);
  store(keyspace, args, 1, HASH, found, relabelled(hash, longest, keyspace.thresholds));
  keyspace.notify('hash', event, args, 1);
}

/** https://redis.io/docs/latest/commands/hset */
const hset = command({
  ...WRITE,
  name: 'HSET',
  arity: -4,
  summary: 'Set the string value of a hash field',
  since: '2.0.0',
  complexity: 'O(1) for each field/value pair added.',
  run(keyspace, args, out) {
    if (args.count % 2 === 1) return out.error(arityError('HSET'));
    return setFields(keyspace, args, (added) => out.integer(added));
  },
});

const hmset = command({
  ...WRITE,
  name: 'HMSET',
  arity: -4,
  summary: 'Set multiple hash fields to multiple values',
  since: '2.0.0',
  complexity: 'O(N) where N is the number of fields being set.',
  run(keyspace, args, out) {
    if (args.count % 2 === 1) return out.error(arityError('HMSET'));
    return setFields(keyspace, args, () => out.simple('OK'));
  },
});

const hsetnx = command({
  ...WRITE,
  name: 'HSETNX',
  arity: 4,
  summary: 'Set the value of a hash field, only if the field does not exist',
  since: '2.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const found = find(keyspace, args);
    const before = valueAt(found, args, 2);
    if (before !== undefined) return out.integer(0);
    setOne(keyspace, args, found, args.text(3), 'hset');
    out.integer(1);
  },
});

const hincrby = command({
  ...WRITE,
  name: 'HINCRBY',
  arity: 4,
  summary: 'Increment the integer value of a hash field by the given number',
  since: '2.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const by = parseInteger(args.text(3));
    if (by === undefined) return out.error(NOT_AN_INTEGER);
    const found = find(keyspace, args);
    const before = valueAt(found, args, 2);
    const old = before === undefined ? 0 : parseInteger(before);
    if (old === undefined) return out.error('ERR hash value is not an integer');
    const sum = addInteger(old, by);
    if (sum === undefined) return out.error('ERR increment or decrement would overflow');
    setOne(keyspace, args, found, sum.toString(), 'hincrby');
    out.integer(sum);
  },
});

/** https://redis.io/docs/latest/commands/hincrbyfloat */
const hincrbyfloat = command({
  ...WRITE,
  name: 'HINCRBYFLOAT',
  arity: 4,
  summary: 'Increment the float value of a hash field by the given amount',
  since: '2.6.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const by = parseLongDouble(args.text(3));
    if (by === undefined) return out.error(NOT_A_FLOAT);
    if (typeof by === 'string') return out.error('ERR value is NaN or Infinity');
    const found = find(keyspace, args);
    const before = valueAt(found, args, 2);
    const old = parseLongDouble(before ?? '0');
    if (old === undefined) return out.error('ERR hash value is not a float');
    const sum = addLongDouble(old, by);
    if (sum === undefined) return out.error('ERR increment would produce NaN or Infinity');
    const value = formatLongDouble(sum);
    setOne(keyspace, args, found, value, 'hincrbyfloat');
    out.bulk(value);
  },
});

const hdel = command({
  ...WRITE,
  flags: 'write fast',
  name: 'HDEL',
  arity: -3,
  summary: 'Delete one or more hash fields',
  since: '2.0.0',
  complexity: 'O(N) where N is the number of fields to be removed.',
  *run(keyspace, args, out) {
    const found = find(keyspace, args);
    if (found === undefined) return out.integer(0);
    let hash = found.entry.value;
    let removed = 0;
    beginEdit(keyspace, found, 0);
    yield* forRangeInSteps(2, args.count, keyspace.stepElements, (start, end) => {
      for (let i = start; i < end; i += 1) {
        const left = withoutField(hash, args.text(i));
        if (left === undefined) continue;
        hash = left;
        removed += 1;
      }
    });
    if (removed > 0) {
      store(keyspace, args, 1, HASH, found, hash);
      keyspace.notify('hash', 'hdel', args, 1);
    }
    out.integer(removed);
  },
});

const hget = command({
  ...READ,
  name: 'HGET',
  arity: 3,
  summary: 'Get the value of a hash field',
  since: '2.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const value = valueAt(find(keyspace, args), args, 2);
    if (value === undefined) out.nil();
    else out.bulk(value);
  },
});

const hmget = command({
  ...READ,
  name: 'HMGET',
  arity: -3,
  summary: 'Get the values of all the given hash fields',
  since: '2.0.0',
  complexity: 'O(N) where N is the number of fields being requested.',
  run(keyspace, args, out) {
    const found = find(keyspace, args);
    out.array(args.count - 2);
    return forRangeInSteps(2, args.count, keyspace.stepElements, (start, end) => {
      for (let i = start; i < end; i += 1) {
        const value = valueAt(found, args, i);
        if (value === undefined) out.nil();
        else out.bulk(value);
      }
    });
  },
});

const hexists = command({
  ...READ,
  name: 'HEXISTS',
  arity: 3,
  summary: 'Determine if a hash field exists',
  since: '2.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const value = valueAt(find(keyspace, args), args, 2);
    out.integer(value === undefined ? 0 : 1);
  },
});

const hlen = command({
  ...READ,
  name: 'HLEN',
  arity: 2,
  summary: 'Get the number of fields in a hash',
  since: '2.0.0',
  complexity: 'O(1)',
  run: countElements(HASH, 2),
});

const hstrlen = command({
  ...READ,
  name: 'HSTRLEN',
  arity: 3,
  summary: 'Get the length of the value of a hash field',
  since: '3.2.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const value = valueAt(find(keyspace, args), args, 2);
    out.integer(value?.length ?? 0);
  },
});

function hgetall(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const hash = find(keyspace, args)?.entry.value ?? emptyHash();
  out.map(fieldCount(hash));
  return forEachFieldInSteps(hash, keyspace.stepElements, (field, value) => {
    out.bulk(field);
    out.bulk(value);
  });
}

function listOf(take: (field: string, value: string) => string) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): Steps => {
    const hash = find(keyspace, args)?.entry.value ?? emptyHash();
    out.array(fieldCount(hash));
    return forEachFieldInSteps(hash, keyspace.stepElements, (field, value) => {
      out.bulk(take(field, value));
    });
  };
}

/** The fields at some indices, with their values. */
function fieldsAt(hash: HashValue, indices: readonly number[]): [string, string][] {
  if (typeof hash !== 'string') {
    return indices.map((index) => {
      const field = hash.nameAt(index);
      return [field, hash.get(field) ?? ''];
    });
  }
  const all: [string, string][] = [];
  forEachField(hash, (field, value) => all.push([field, value]));
  return indices.map((index) => all[index] as [string, string]);
}

function answerFields(
  fields: readonly (readonly [string, string])[],
  withValues: boolean,
  out: ReplySink,
): void {
  for (const [field, value] of fields) {
    if (withValues) out.pair();
    out.bulk(field);
    if (withValues) out.bulk(value);
  }
}

/** Redis doubles the count. */
const WITH_VALUES_MAX = 2 ** 62;

/** https://redis.io/docs/latest/commands/hrandfield */
const hrandfield = command({
  ...READ_ALL,
  name: 'HRANDFIELD',
  arity: -2,
  summary: 'Get one or multiple random fields from a hash',
  since: '6.2.0',
  complexity: 'O(N log M) where N is the number of fields returned.',
  *run(keyspace, args, out) {
    if (args.count === 2) {
      const hash = find(keyspace, args)?.entry.value;
      if (hash === undefined) return out.nil();
      const [field] = fieldsAt(hash, [keyspace.random().below(fieldCount(hash))])[0] ?? [''];
      return out.bulk(field);
    }
    const count = parsePicks(args, 2);
    if (typeof count === 'string') return out.error(count);
    const withValues = args.count > 3;
    if (args.count > 4 || (withValues && !args.is(3, 'WITHVALUES'))) return out.error(SYNTAX_ERROR);
    if (withValues && count > WITH_VALUES_MAX) return out.error(OUT_OF_RANGE);
    const hash = find(keyspace, args)?.entry.value;
    if (hash === undefined || count === 0) return out.array(0);
    const indices = yield* pickIndices(keyspace, fieldCount(hash), count);
    if (withValues) out.pairs(indices.length);
    else out.array(indices.length);
    const each = keyspace.stepElements;
    yield* forRangeInSteps(0, indices.length, each, (start, end) => {
      answerFields(fieldsAt(hash, indices.slice(start, end)), withValues, out);
    });
  },
});

const hscan = command({
  ...READ_ALL,
  name: 'HSCAN',
  arity: -3,
  summary: 'Incrementally iterate hash fields and associated values',
  since: '2.8.0',
  complexity: 'O(1) for every call. O(N) for a complete iteration.',
  run(keyspace, args, out) {
    scanCollection(args, out, true, () => {
      const hash = find(keyspace, args)?.entry.value;
      if (hash === undefined) return undefined;
      return (from, limit, visit) => {
        if (typeof hash !== 'string') return hash.page(from, limit, visit);
        forEachField(hash, visit);
        return 0;
      };
    });
  },
});

export const HASH_COMMANDS: readonly Command[] = [
  hset,
  hmset,
  hsetnx,
  hget,
  hmget,
  hdel,
  hexists,
  hlen,
  hstrlen,
  hincrby,
  hincrbyfloat,
  hrandfield,
  hscan,
  command({
    ...READ_ALL,
    name: 'HGETALL',
    arity: 2,
    summary: 'Get all the fields and values in a hash',
    since: '2.0.0',
    complexity: 'O(N) where N is the size of the hash.',
    run: hgetall,
  }),
  command({
    ...READ_ALL,
    name: 'HKEYS',
    arity: 2,
    summary: 'Get all the fields in a hash',
    since: '2.0.0',
    complexity: 'O(N) where N is the size of the hash.',
    run: listOf((field) => field),
  }),
  command({
    ...READ_ALL,
    name: 'HVALS',
    arity: 2,
    summary: 'Get all the values in a hash',
    since: '2.0.0',
    complexity: 'O(N) where N is the size of the hash.',
    run: listOf((_field, value) => value),
  }),
];
