/** XCLAIM and XAUTOCLAIM: pending entries go to another consumer of their group. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { forEachInSteps, type Steps } from '../../steps.ts';
import { addInteger, parseInteger } from '../../types/integers.ts';
import { type Consumer, PENDING_ROW_BYTES } from '../../types/stream/consumer-groups.ts';
import { formatId, ID_MIN, nextId, parseId, type StreamId } from '../../types/stream/stream-id.ts';
import { type Command, command, ONE_KEY, printable, SYNTAX_ERROR } from '../command.ts';
import { integerFrom } from '../integer-arguments.ts';
import type { ReplySink } from '../reply.ts';
import {
  answerOne,
  consumerOf,
  deliveryBytes,
  type FoundGroup,
  findGroup,
  noGroup,
} from './group-values.ts';
import { boundAt, idAt } from './ids.ts';
import { beginStream, endStream } from './values.ts';

/** Entries that XAUTOCLAIM looks at for each one that it may return. */
const LOOKED_AT_PER_ENTRY = 10;
const COUNT_DEFAULT = 100;

/** How entries are claimed. */
interface Claim {
  readonly minIdleMs: number;
  readonly deliveredMs: number;
  /** undefined: one more than before, */
  readonly deliveries: number | bigint | undefined;
  /** but with JUSTID, which returns no fields, as many. */
  readonly justId: boolean;
  /** Also such as are not pending. */
  readonly isForced: boolean;
}

/** `gone`: the entry is no longer in the stream, and is not pending any more. */
type Outcome = 'claimed' | 'kept' | 'gone';

function claimOne(
  { stream, group }: FoundGroup,
  id: StreamId,
  consumer: Consumer,
  claim: Claim,
  nowMs: number,
): Outcome {
  if (!stream.entries.has(id)) return stream.groups.forget(group, id) ? 'gone' : 'kept';
  const { minIdleMs, deliveredMs, justId, isForced } = claim;
  const pending = group.pending.get(id);
  if (pending === undefined && !isForced) return 'kept';
  if (pending !== undefined && minIdleMs > 0 && nowMs - pending.deliveredMs < minIdleMs) {
    return 'kept';
  }
  const before = pending?.deliveries ?? 1;
  const deliveries = claim.deliveries ?? addInteger(before, justId ? 0 : 1) ?? before;
  stream.groups.deliver(group, id, { consumer, deliveredMs, deliveries });
  return 'claimed';
}

function* answerClaimed(
  { stream }: FoundGroup,
  ids: readonly StreamId[],
  justId: boolean,
  each: number,
  out: ReplySink,
): Steps {
  out.array(ids.length);
  yield* forEachInSteps(ids, each, (id) => {
    if (justId) out.bulk(formatId(id));
    else answerOne(stream, id, out);
  });
}

function idleAt(args: Arguments, i: number, name: string): number | string {
  const ms = parseInteger(args.text(i));
  if (ms === undefined) return `ERR Invalid min-idle-time argument for ${name}`;
  return Math.max(0, Number(ms));
}

/** The options of XCLAIM. */
class ClaimOptions {
  deliveredMs: number | undefined;
  deliveries: number | bigint | undefined;
  isForced = false;
  justId = false;
  lastId: StreamId = ID_MIN;

  /** Takes the option in argument `i`. Returns the index of the next one, or the error line. */
  take(args: Arguments, i: number, nowMs: number): number | string {
    const hasValue = i + 1 < args.count;
    if (args.is(i, 'FORCE')) this.isForced = true;
    else if (args.is(i, 'JUSTID')) this.justId = true;
    else if (hasValue && args.is(i, 'LASTID')) return this.#takeLastId(args, i + 1);
    else if (hasValue && args.is(i, 'RETRYCOUNT')) return this.#takeDeliveries(args, i + 1);
    else if (hasValue && (args.is(i, 'IDLE') || args.is(i, 'TIME'))) {
      return this.#takeTime(args, i, nowMs);
    } else return `ERR Unrecognized XCLAIM option '${printable(args.text(i))}'`;
    return i + 1;
  }

  #takeLastId(args: Arguments, i: number): number | string {
    const id = idAt(args, i);
    if (typeof id === 'string') return id;
    this.lastId = id.value;
    return i + 1;
  }

  #takeDeliveries(args: Arguments, i: number): number | string {
    const deliveries = parseInteger(args.text(i));
    if (deliveries === undefined) return 'ERR Invalid RETRYCOUNT option argument for XCLAIM';
    this.deliveries = deliveries < 0 ? undefined : deliveries;
    return i + 1;
  }

  #takeTime(args: Arguments, i: number, nowMs: number): number | string {
    const isIdle = args.is(i, 'IDLE');
    const ms = parseInteger(args.text(i + 1));
    const option = isIdle ? 'IDLE' : 'TIME';
    if (ms === undefined) return `ERR Invalid ${option} option argument for XCLAIM`;
    const timeMs = isIdle ? nowMs - Number(ms) : Number(ms);
    // A time that cannot be is taken for now, as in Redis.
    this.deliveredMs = timeMs < 0 || timeMs > nowMs ? undefined : timeMs;
    return i + 2;
  }
}

/** Ids from argument 5 on, up to the first that is none. */
function idsUpToOptions(args: Arguments): StreamId[] {
  const ids: StreamId[] = [];
  for (let i = 5; i < args.count; i += 1) {
    const id = parseId(args.text(i), 'first');
    if (id === undefined) break;
    ids.push(id);
  }
  return ids;
}

/** https://redis.io/docs/latest/commands/xclaim */
function* claim(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const at = findGroup(keyspace, args, 1, 2);
  if (at === undefined) return out.error(noGroup(args, 1, 2));
  const minIdleMs = idleAt(args, 4, 'XCLAIM');
  if (typeof minIdleMs === 'string') return out.error(minIdleMs);
  const { nowMs, stepElements } = keyspace;
  const ids = idsUpToOptions(args);
  const options = new ClaimOptions();
  for (let i = 5 + ids.length; i < args.count; ) {
    const next = options.take(args, i, nowMs);
    if (typeof next === 'string') return out.error(next);
    i = next;
  }
  const { justId, isForced, deliveries, lastId, deliveredMs = nowMs } = options;
  const name = args.text(3);
  const { stream, group } = at;
  beginStream(keyspace, at, deliveryBytes(name, isForced ? ids.length : 0, PENDING_ROW_BYTES));
  const { place } = group;
  if (lastId > place.lastId) stream.groups.setPlace(group, { ...place, lastId });
  const consumer = consumerOf(keyspace, at, args, 1, 3);
  const how = { minIdleMs, deliveredMs, deliveries, justId, isForced };
  const claimed: StreamId[] = [];
  yield* forEachInSteps(ids, stepElements, (id) => {
    if (claimOne(at, id, consumer, how, nowMs) === 'claimed') claimed.push(id);
  });
  if (claimed.length > 0) stream.groups.active(group, consumer, nowMs);
  endStream(keyspace, args, 1, at, stream);
  yield* answerClaimed(at, claimed, justId, stepElements, out);
}

/** The arguments of XAUTOCLAIM. */
interface AutoClaim {
  readonly minIdleMs: number;
  readonly from: StreamId;
  readonly count: number;
  readonly justId: boolean;
}

function parseAutoClaim(args: Arguments): AutoClaim | string {
  const minIdleMs = idleAt(args, 4, 'XAUTOCLAIM');
  if (typeof minIdleMs === 'string') return minIdleMs;
  const from = boundAt(args, 5, 'first');
  if (typeof from === 'string') return from;
  let count = COUNT_DEFAULT;
  let justId = false;
  for (let i = 6; i < args.count; i += 1) {
    if (args.is(i, 'COUNT') && i + 1 < args.count) {
      const parsed = integerFrom(1, args, i + 1, 'ERR COUNT must be > 0');
      if (typeof parsed === 'string') return parsed;
      count = parsed;
      i += 1;
    } else if (args.is(i, 'JUSTID')) {
      justId = true;
    } else {
      return SYNTAX_ERROR;
    }
  }
  return { minIdleMs, from: from.value, count, justId };
}

/** The outcome of XAUTOCLAIM. */
interface AutoClaimed {
  readonly claimed: StreamId[];
  readonly gone: StreamId[];
  /** Where the next call goes on; undefined: there is no more. */
  cursor: StreamId | undefined;
}

function* claimFrom(
  at: FoundGroup,
  { from, count, minIdleMs, justId }: AutoClaim,
  consumer: Consumer,
  { nowMs, stepElements }: Keyspace,
): Steps<AutoClaimed> {
  const { pending } = at.group;
  const how = { minIdleMs, deliveredMs: nowMs, deliveries: undefined, justId, isForced: false };
  const found: AutoClaimed = { claimed: [], gone: [], cursor: from };
  let left = count * LOOKED_AT_PER_ENTRY;
  const isOver = (): boolean => left <= 0 || found.claimed.length + found.gone.length >= count;
  while (found.cursor !== undefined && !isOver()) {
    const page = pending.page(found.cursor, Math.min(stepElements, left));
    if (page.length === 0) break;
    for (const [id] of page) {
      if (isOver()) break;
      const outcome = claimOne(at, id, consumer, how, nowMs);
      if (outcome !== 'kept') found[outcome].push(id);
      found.cursor = nextId(id);
      left -= 1;
    }
    yield;
  }
  const next = found.cursor === undefined ? [] : pending.page(found.cursor, 1);
  return { ...found, cursor: next[0]?.[0] };
}

/** https://redis.io/docs/latest/commands/xautoclaim */
function* autoClaim(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const request = parseAutoClaim(args);
  if (typeof request === 'string') return out.error(request);
  const at = findGroup(keyspace, args, 1, 2);
  if (at === undefined) return out.error(noGroup(args, 1, 2));
  const name = args.text(3);
  beginStream(keyspace, at, deliveryBytes(name, 0, 0));
  const consumer = consumerOf(keyspace, at, args, 1, 3);
  const { stream, group } = at;
  const { claimed, gone, cursor } = yield* claimFrom(at, request, consumer, keyspace);
  if (claimed.length > 0) stream.groups.active(group, consumer, keyspace.nowMs);
  endStream(keyspace, args, 1, at, stream);
  out.array(3);
  out.bulk(formatId(cursor ?? ID_MIN));
  yield* answerClaimed(at, claimed, request.justId, keyspace.stepElements, out);
  out.array(gone.length);
  for (const id of gone) out.bulk(formatId(id));
}

const CLAIM = {
  group: 'stream',
  keys: ONE_KEY,
  flags: 'write fast',
} as const;

export const STREAM_CLAIM_COMMANDS: readonly Command[] = [
  command({
    ...CLAIM,
    name: 'XCLAIM',
    arity: -6,
    summary: 'Give pending entries of a group to one of its consumers',
    since: '5.0.0',
    complexity: 'O(log(N)) for each entry.',
    run: claim,
  }),
  command({
    ...CLAIM,
    name: 'XAUTOCLAIM',
    arity: -6,
    summary: 'Give entries of a group that are pending for long to one of its consumers',
    since: '6.2.0',
    complexity: 'O(log(N)) for each of ten times COUNT entries.',
    run: autoClaim,
  }),
];
