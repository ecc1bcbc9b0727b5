/** Commands on the entries of one stream. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { forEachInSteps, type Steps } from '../../steps.ts';
import { parseInteger } from '../../types/integers.ts';
import { STREAM, type Stream } from '../../types/stream/stream.ts';
import {
  formatId,
  ID_BYTES,
  ID_MAX,
  ID_MIN,
  msOf,
  nextId,
  parseId,
  parseOpenId,
  type StreamId,
  streamId,
} from '../../types/stream/stream-id.ts';
import { bytesFrom, countElements } from '../collections.ts';
import {
  arityError,
  type Command,
  command,
  NOT_AN_INTEGER,
  ONE_KEY,
  SYNTAX_ERROR,
} from '../command.ts';
import { integerAt } from '../integer-arguments.ts';
import type { ReplySink } from '../reply.ts';
import { boundAt, INVALID_ID, idAt, idsFrom } from './ids.ts';
import { type Trimming, TrimmingOptions, trimmed } from './trimming.ts';
import {
  answerEntries,
  beginStream,
  endStream,
  type FoundStream,
  findStream,
  rangeBetween,
} from './values.ts';

/** Names and values of one entry: it is read and written in one step. */
const ENTRY_ITEMS_MAX = 16_384;

const TOO_SMALL = 'ERR The ID specified in XADD must be greater than 0-0';
const NOT_BEHIND =
  'ERR The ID specified in XADD is equal or smaller than the target stream top item';
const EXHAUSTED = 'ERR The stream has exhausted the last possible ID, unable to add more items';
const TOO_LARGE = 'ERR Elements are too large to be stored';
const NO_STRATEGY = 'ERR syntax error, XTRIM must be called with a trimming strategy';
const NO_SUCH_KEY = 'ERR no such key';

/** The arguments of XADD. */
interface Addition {
  /** The id, or the milliseconds of one whose sequence is open; `undefined`: both are. */
  readonly id: StreamId | undefined;
  readonly ms: bigint | undefined;
  readonly mustExist: boolean;
  readonly trimming: Trimming | undefined;
  /** The index of the first name. */
  readonly fieldsAt: number;
}

/** Options end at the id. */
function parseAddition(args: Arguments): Addition | string {
  const options = new TrimmingOptions();
  let mustExist = false;
  let i = 2;
  while (i < args.count && !args.equals(i, '*')) {
    const next = options.take(args, i);
    if (typeof next === 'string') return next;
    if (next === -1 && !args.is(i, 'NOMKSTREAM')) break;
    mustExist ||= next === -1;
    i = next === -1 ? i + 1 : next;
  }
  const text = i < args.count ? args.text(i) : '*';
  const ms = parseOpenId(text);
  const id = text === '*' || ms !== undefined ? undefined : parseId(text, 'first');
  if (text !== '*' && ms === undefined && id === undefined) return INVALID_ID;
  const trimming = options.end();
  if (typeof trimming === 'string') return trimming;
  return { id, ms, mustExist, trimming, fieldsAt: i + 1 };
}

/** The id of the next entry, or the error line. */
function nextOf({ id, ms }: Addition, lastId: StreamId, nowMs: number): { id: StreamId } | string {
  if (lastId === ID_MAX) return EXHAUSTED;
  const behind = nextId(lastId) as StreamId;
  if (id !== undefined) return id > lastId ? { id } : NOT_BEHIND;
  if (ms === undefined) return { id: nowMs > msOf(lastId) ? streamId(nowMs, 0) : behind };
  const first = streamId(ms, 0);
  if (first > lastId) return { id: first };
  return BigInt(msOf(behind)) === ms ? { id: behind } : NOT_BEHIND;
}

/** https://redis.io/docs/latest/commands/xadd */
function add(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps | undefined {
  const addition = parseAddition(args);
  if (typeof addition === 'string') return refuse(out, addition);
  const items = args.count - addition.fieldsAt;
  if (items < 2 || items % 2 === 1) return refuse(out, arityError('XADD'));
  if (addition.id === ID_MIN) return refuse(out, TOO_SMALL);
  if (items > ENTRY_ITEMS_MAX) return refuse(out, TOO_LARGE);
  const at = findStream(keyspace, args, 1);
  if (at === undefined && addition.mustExist) {
    out.nil();
    return undefined;
  }
  const next = nextOf(addition, at?.stream.facts.lastId ?? ID_MIN, keyspace.nowMs);
  if (typeof next === 'string') return refuse(out, next);
  const stream = beginStream(keyspace, at, bytesFrom(args, addition.fieldsAt) + ID_BYTES);
  const fields: string[] = [];
  for (let i = addition.fieldsAt; i < args.count; i += 1) fields.push(args.text(i));
  stream.append(next.id, fields);
  const end = (gone: number): void => {
    endStream(keyspace, args, 1, at, stream);
    keyspace.notify('stream', 'xadd', args, 1);
    if (gone > 0) keyspace.notify('stream', 'xtrim', args, 1);
    out.bulk(formatId(next.id));
  };
  if (addition.trimming !== undefined) {
    return trimmedBefore(stream, addition.trimming, keyspace.stepElements, end);
  }
  end(0);
  return undefined;
}

function refuse(out: ReplySink, line: string): undefined {
  out.error(line);
}

function* trimmedBefore(
  stream: Stream,
  trimming: Trimming,
  each: number,
  end: (gone: number) => void,
): Steps {
  end(yield* trimmed(stream, trimming, each));
}

/** https://redis.io/docs/latest/commands/xtrim */
function trim(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps | undefined {
  const options = new TrimmingOptions();
  for (let i = 2; i < args.count; ) {
    const next = options.take(args, i);
    if (typeof next === 'string') return refuse(out, next);
    if (next === -1) return refuse(out, SYNTAX_ERROR);
    i = next;
  }
  const trimming = options.end() ?? NO_STRATEGY;
  if (typeof trimming === 'string') return refuse(out, trimming);
  const at = findStream(keyspace, args, 1);
  if (at === undefined) {
    out.integer(0);
    return undefined;
  }
  const stream = beginStream(keyspace, at, 0);
  return trimmedBefore(stream, trimming, keyspace.stepElements, (gone) => {
    if (gone > 0) {
      endStream(keyspace, args, 1, at, stream);
      keyspace.notify('stream', 'xtrim', args, 1);
    }
    out.integer(gone);
  });
}

/** The number of entries that options ask for; below zero none. */
function countFrom(args: Arguments, first: number): number | string {
  let count = Number.POSITIVE_INFINITY;
  for (let i = first; i < args.count; i += 2) {
    if (!args.is(i, 'COUNT') || i + 1 === args.count) return SYNTAX_ERROR;
    const parsed = integerAt(args, i + 1);
    if (typeof parsed === 'string') return parsed;
    count = Math.max(0, parsed);
  }
  return count;
}

function range(isDown: boolean) {
  return (keyspace: Keyspace, args: Arguments, out: ReplySink): Steps | undefined => {
    const first = boundAt(args, isDown ? 3 : 2, 'first');
    if (typeof first === 'string') return refuse(out, first);
    const last = boundAt(args, isDown ? 2 : 3, 'last');
    if (typeof last === 'string') return refuse(out, last);
    const count = countFrom(args, 4);
    if (typeof count === 'string') return refuse(out, count);
    const at = findStream(keyspace, args, 1);
    if (at === undefined) out.array(0);
    else if (count === 0) out.nilArray();
    else {
      const all = rangeBetween(at.stream, first.value, last.value);
      const taken = Math.min(all.count, count);
      const from = isDown ? all.from + all.count - taken : all.from;
      const part = { from, count: taken };
      return answerEntries(at.stream, part, isDown, keyspace.stepElements, out);
    }
    return undefined;
  };
}

const xdel = command({
  group: 'stream',
  keys: ONE_KEY,
  flags: 'write fast',
  name: 'XDEL',
  arity: -3,
  summary: 'Remove entries from a stream',
  since: '5.0.0',
  complexity: 'O(log(N)) for each entry removed.',
  *run(keyspace, args, out) {
    const at = findStream(keyspace, args, 1);
    if (at === undefined) return out.integer(0);
    const ids = idsFrom(args, 2);
    if (typeof ids === 'string') return out.error(ids);
    const stream = beginStream(keyspace, at, 0);
    let gone = 0;
    yield* forEachInSteps(ids.value, keyspace.stepElements, (id) => {
      if (stream.delete(id)) gone += 1;
    });
    if (gone > 0) {
      endStream(keyspace, args, 1, at, stream);
      keyspace.notify('stream', 'xdel', args, 1);
    }
    out.integer(gone);
  },
});

/** The arguments of XSETID. */
interface SetId {
  readonly lastId: StreamId;
  readonly added: bigint | undefined;
  readonly removedId: StreamId | undefined;
}

function parseSetId(args: Arguments): SetId | string {
  const lastId = idAt(args, 2);
  if (typeof lastId === 'string') return lastId;
  let added: bigint | undefined;
  let removedId: StreamId | undefined;
  for (let i = 3; i < args.count; i += 2) {
    const hasValue = i + 1 < args.count;
    if (hasValue && args.is(i, 'ENTRIESADDED')) {
      const count = parseInteger(args.text(i + 1));
      if (count === undefined) return NOT_AN_INTEGER;
      if (count < 0) return 'ERR entries_added must be positive';
      added = BigInt(count);
    } else if (hasValue && args.is(i, 'MAXDELETEDID')) {
      const id = idAt(args, i + 1);
      if (typeof id === 'string') return id;
      if (lastId.value < id.value) {
        return 'ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id';
      }
      removedId = id.value === ID_MIN ? undefined : id.value;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return { lastId: lastId.value, added, removedId };
}

function setIdRefusal({ stream }: FoundStream, { lastId, added }: SetId): string | undefined {
  const { entries, facts } = stream;
  if (lastId < facts.removedId) {
    return 'ERR The ID specified in XSETID is smaller than current max_deleted_entry_id';
  }
  if (entries.length === 0) return undefined;
  if (lastId < (entries.last ?? ID_MIN)) {
    return 'ERR The ID specified in XSETID is smaller than the target stream top item';
  }
  if (added !== undefined && added < entries.length) {
    return 'ERR The entries_added specified in XSETID is smaller than the target stream length';
  }
  return undefined;
}

const xsetid = command({
  group: 'stream',
  keys: ONE_KEY,
  flags: 'write denyoom fast',
  name: 'XSETID',
  arity: -3,
  summary: 'Set the last id of a stream',
  since: '5.0.0',
  complexity: 'O(1)',
  run(keyspace, args, out) {
    const request = parseSetId(args);
    if (typeof request === 'string') return out.error(request);
    const at = findStream(keyspace, args, 1);
    if (at === undefined) return out.error(NO_SUCH_KEY);
    const refusal = setIdRefusal(at, request);
    if (refusal !== undefined) return out.error(refusal);
    const stream = beginStream(keyspace, at, 0);
    const { lastId, added, removedId } = request;
    stream.setFacts({
      lastId,
      ...(added === undefined ? {} : { added }),
      ...(removedId === undefined ? {} : { removedId }),
    });
    endStream(keyspace, args, 1, at, stream);
    keyspace.notify('stream', 'xsetid', args, 1);
    out.simple('OK');
  },
});

const RANGE = {
  group: 'stream',
  keys: ONE_KEY,
  flags: 'readonly',
  arity: -4,
  since: '5.0.0',
  complexity: 'O(log(N)+M) where M is the number of entries returned.',
} as const;

export const STREAM_ENTRY_COMMANDS: readonly Command[] = [
  command({
    group: 'stream',
    keys: ONE_KEY,
    flags: 'write denyoom fast',
    name: 'XADD',
    arity: -5,
    summary: 'Append an entry to a stream',
    since: '5.0.0',
    complexity: 'O(log(N)), and O(M) for M entries that are trimmed.',
    run: add,
  }),
  command({
    group: 'stream',
    keys: ONE_KEY,
    flags: 'readonly fast',
    name: 'XLEN',
    arity: 2,
    summary: 'Get the number of entries of a stream',
    since: '5.0.0',
    complexity: 'O(1)',
    run: countElements(STREAM, 1),
  }),
  command({
    ...RANGE,
    name: 'XRANGE',
    summary: 'Get the entries of a stream between two ids',
    run: range(false),
  }),
  command({
    ...RANGE,
    name: 'XREVRANGE',
    summary: 'Get the entries of a stream between two ids, the last one first',
    run: range(true),
  }),
  xdel,
  command({
    group: 'stream',
    keys: ONE_KEY,
    flags: 'write',
    name: 'XTRIM',
    arity: -4,
    summary: 'Remove the oldest entries of a stream',
    since: '5.0.0',
    complexity: 'O(N) with N, the number of entries removed.',
    run: trim,
  }),
  xsetid,
];
