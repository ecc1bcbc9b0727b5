/** XREADGROUP: entries for a consumer of a group, new ones or such as are pending with it. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { forEachInSteps, type Steps } from '../../steps.ts';
import { addInteger } from '../../types/integers.ts';
import { type Consumer, PENDING_ROW_BYTES } from '../../types/stream/consumer-groups.ts';
import { STREAM } from '../../types/stream/stream.ts';
import { formatId, ID_MAX, nextId, parseId, type StreamId } from '../../types/stream/stream-id.ts';
import { NOT_KNOWN, wrapped } from '../../types/stream/stream-rows.ts';
import type { ValueType } from '../../types/value-type.ts';
import { type Command, command } from '../command.ts';
import type { ReplySink } from '../reply.ts';
import {
  answerOne,
  consumerOf,
  deliveryBytes,
  type FoundGroup,
  findGroup,
  noGroup,
} from './group-values.ts';
import { INVALID_ID } from './ids.ts';
import { GROUP_READ_WAITS, parseRead, type ReadRequest, streamKeys } from './read-request.ts';
import { answerEntries, beginStream, endStream, rangeBehind } from './values.ts';

const LAST_ID =
  'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of ' +
  'this consumer by specifying a proper ID, or use the > ID to get new messages. The $ ID would ' +
  'just return an empty result set.';

/** A group, and where it is read. */
interface Place {
  readonly key: number;
  readonly at: FoundGroup;
  /** Of the history of the consumer, from behind this id on; `undefined`: new entries. */
  readonly behind: StreamId | undefined;
  /** New entries that it gets. */
  readonly from: number;
  readonly count: number;
}

/** The place of the key in argument `key`, behind those `before` it; or the error line. */
function placeOf(
  keyspace: Keyspace,
  args: Arguments,
  request: ReadRequest,
  key: number,
  before: readonly Place[],
): Place | string {
  const i = key + request.keys.length;
  const group = request.group as number;
  const at = findGroup(keyspace, args, key, group);
  if (at === undefined) return noGroup(args, key, group, ' in XREADGROUP with GROUP option');
  if (args.equals(i, '$')) return LAST_ID;
  const behind = args.equals(i, '>') ? ID_MAX : parseId(args.text(i), 'first');
  if (behind === undefined) return INVALID_ID;
  // The last id is another name for it, as in Redis.
  if (behind === ID_MAX) {
    const all = rangeBehind(at.stream, at.group.place.lastId);
    const same = before.filter((each) => each.at.stream === at.stream);
    const taken = same.reduce((sum, { count }) => sum + count, 0);
    const count = Math.min(all.count - taken, request.count);
    return { key, at, behind: undefined, from: all.from + taken, count };
  }
  return { key, at, behind, from: 0, count: 0 };
}

/** Of a history. */
function pendingBehind(consumer: Consumer, id: StreamId, limit: number): readonly StreamId[] {
  const next = nextId(id);
  return next === undefined ? [] : consumer.pending.page(next, limit).map(([pending]) => pending);
}

/** The consumer's place in the history is answered and counts as one more delivery. */
function* answerHistory(
  { at, behind }: Place,
  consumer: Consumer,
  limit: number,
  { nowMs, stepElements }: Keyspace,
  out: ReplySink,
): Steps {
  const { stream, group } = at;
  const ids = pendingBehind(consumer, behind as StreamId, limit);
  out.array(ids.length);
  yield* forEachInSteps(ids, stepElements, (id) => {
    if (!answerOne(stream, id, out)) {
      out.array(2);
      out.bulk(formatId(id));
      return out.nilArray();
    }
    const deliveries = addInteger(consumer.pending.get(id)?.deliveries ?? 0, 1) ?? 0;
    stream.groups.deliver(group, id, { consumer, deliveredMs: nowMs, deliveries });
  });
}

/** Entries are delivered for the first time. */
function* deliver(
  { at, from, count }: Place,
  consumer: Consumer,
  noAck: boolean,
  { nowMs, stepElements }: Keyspace,
): Steps {
  const { stream, group } = at;
  let { lastId, read } = group.place;
  const first = stream.entries.first ?? ID_MAX;
  for (let done = 0; done < count; done += stepElements) {
    if (done > 0) yield;
    stream.entries.ascend(from + done, Math.min(stepElements, count - done), (id) => {
      const isCounted = read !== NOT_KNOWN && lastId >= first && !stream.hasGapFrom(lastId);
      if (isCounted) read = wrapped(read + 1n);
      else if (stream.facts.added > 0n) read = stream.readUpTo(id);
      lastId = id;
      if (!noAck) {
        stream.groups.deliver(group, id, { consumer, deliveredMs: nowMs, deliveries: 1 });
      }
      return true;
    });
  }
  stream.groups.setPlace(group, { lastId, read });
  if (!noAck) stream.groups.active(group, consumer, nowMs);
}

function* serve(
  keyspace: Keyspace,
  args: Arguments,
  request: ReadRequest,
  place: Place,
  out: ReplySink,
): Steps {
  const { key, at, behind, from, count } = place;
  const consumer = consumerOf(keyspace, at, args, key, (request.group as number) + 1);
  if (behind !== undefined || count > 0) {
    out.keyed();
    out.bulk(args.text(key));
  }
  if (behind !== undefined) {
    yield* answerHistory(place, consumer, request.count, keyspace, out);
  } else if (count > 0) {
    yield* deliver(place, consumer, request.noAck, keyspace);
    yield* answerEntries(at.stream, { from, count }, false, keyspace.stepElements, out);
  }
  endStream(keyspace, args, key, at, at.stream);
}

/** https://redis.io/docs/latest/commands/xreadgroup */
function* readGroup(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const request = parseRead(args, true);
  if (typeof request === 'string') return out.error(request);
  const places: Place[] = [];
  for (const key of request.keys) {
    const place = placeOf(keyspace, args, request, key, places);
    if (typeof place === 'string') return out.error(place);
    places.push(place);
  }
  const name = args.text((request.group as number) + 1);
  for (const { at, count } of places) {
    const pending = request.noAck ? 0 : count;
    beginStream(keyspace, at, deliveryBytes(name, pending, PENDING_ROW_BYTES));
  }
  const served = places.filter(({ behind, count }) => behind !== undefined || count > 0).length;
  if (served === 0) {
    const group = args.text(request.group as number);
    keyspace.nothingYet(args, request.keys, STREAM as ValueType, { group });
    out.nilArray();
  }
  if (served > 0) out.keyedMap(served);
  for (const place of places) yield* serve(keyspace, args, request, place, out);
}

export const STREAM_GROUP_READ_COMMANDS: readonly Command[] = [
  command({
    group: 'stream',
    keys: streamKeys,
    flags: 'write blocking',
    waits: GROUP_READ_WAITS,
    name: 'XREADGROUP',
    arity: -7,
    summary:
      'Get new entries of streams for a consumer of a group, or those it has not acknowledged',
    since: '5.0.0',
    complexity: 'O(log(N)+M) for each stream, where M is the number of entries returned.',
    run: readGroup,
  }),
];
