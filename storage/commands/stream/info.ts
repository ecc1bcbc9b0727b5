/** XINFO: a stream, its groups and their consumers, as they are. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { forEachInSteps, type Steps } from '../../steps.ts';
import { exactInteger } from '../../types/integers.ts';
import type { Consumer, ConsumerGroup, Pending } from '../../types/stream/consumer-groups.ts';
import type { Stream } from '../../types/stream/stream.ts';
import { formatId, ID_MIN } from '../../types/stream/stream-id.ts';
import { NOT_KNOWN, wrapped } from '../../types/stream/stream-rows.ts';
import type { TextTree } from '../../types/text-tree.ts';
import { type Command, command, printable } from '../command.ts';
import { integerAt } from '../integer-arguments.ts';
import type { ReplySink } from '../reply.ts';
import { answerOne, certainNowMs } from './group-values.ts';
import { answerEntries, type FoundStream, findStream } from './values.ts';

const NO_SUCH_KEY = 'ERR no such key';
/** Entries that FULL tells of each list. */
const COUNT_DEFAULT = 10;

/** Writes a field of a map. */
function field(out: ReplySink, name: string, value: number | bigint | string): void {
  out.bulk(name);
  if (typeof value === 'string') out.bulk(value);
  else out.integer(typeof value === 'bigint' ? exactInteger(value) : value);
}

/** The same where the value may not be known. */
function maybeField(out: ReplySink, name: string, value: bigint | undefined): void {
  out.bulk(name);
  if (value === undefined) out.nil();
  else out.integer(exactInteger(value));
}

/** Entries that a group has not read; undefined: it is not known. */
function lagOf(stream: Stream, { place }: ConsumerGroup): bigint | undefined {
  const { added } = stream.facts;
  if (added === 0n) return 0n;
  const isKnown = place.read !== NOT_KNOWN && !stream.hasGapFrom(place.lastId);
  if (isKnown) return wrapped(added - place.read);
  const read = stream.readUpTo(place.lastId);
  return read === NOT_KNOWN ? undefined : wrapped(added - read);
}

function readOf({ place }: ConsumerGroup): bigint | undefined {
  return place.read === NOT_KNOWN ? undefined : place.read;
}

/** The first fields of both forms. */
function answerFacts(stream: Stream, fields: number, out: ReplySink): void {
  const { entries, facts } = stream;
  out.map(fields);
  field(out, 'length', entries.length);
  // Redis counts the nodes of its tree of blocks, too.
  field(out, 'radix-tree-keys', entries.blockCount);
  field(out, 'radix-tree-nodes', entries.blockCount + 1);
  field(out, 'last-generated-id', formatId(facts.lastId));
  field(out, 'max-deleted-entry-id', formatId(facts.removedId));
  field(out, 'entries-added', facts.added);
  field(out, 'recorded-first-entry-id', formatId(entries.first ?? ID_MIN));
}

function answerStream(stream: Stream, out: ReplySink): void {
  const { entries } = stream;
  answerFacts(stream, 10, out);
  field(out, 'groups', stream.groups.size);
  for (const [name, id] of [
    ['first-entry', entries.first],
    ['last-entry', entries.last],
  ] as const) {
    out.bulk(name);
    if (id === undefined) out.nil();
    else answerOne(stream, id, out);
  }
}

/** `withConsumer`: each entry names its own. */
function* answerPending(
  pending: TextTree<Pending>,
  count: number,
  withConsumer: boolean,
  each: number,
  out: ReplySink,
): Steps {
  const told = pending.page(ID_MIN, count);
  out.bulk('pending');
  out.array(told.length);
  yield* forEachInSteps(told, each, ([id, { consumer, deliveredMs, deliveries }]) => {
    out.array(withConsumer ? 4 : 3);
    out.bulk(formatId(id));
    if (withConsumer) out.bulk(consumer.name);
    out.integer(deliveredMs);
    out.integer(deliveries);
  });
}

function* answerFullConsumer(
  { name, seenMs, activeMs, pending }: Consumer,
  count: number,
  each: number,
  out: ReplySink,
): Steps {
  out.map(5);
  field(out, 'name', name);
  field(out, 'seen-time', seenMs);
  field(out, 'active-time', activeMs);
  field(out, 'pel-count', pending.size);
  yield* answerPending(pending, count, false, each, out);
}

function* answerFullGroup(
  stream: Stream,
  group: ConsumerGroup,
  count: number,
  each: number,
  out: ReplySink,
): Steps {
  const { name, place, pending, consumers } = group;
  out.map(7);
  field(out, 'name', name);
  field(out, 'last-delivered-id', formatId(place.lastId));
  maybeField(out, 'entries-read', readOf(group));
  maybeField(out, 'lag', lagOf(stream, group));
  field(out, 'pel-count', pending.size);
  yield* answerPending(pending, count, true, each, out);
  out.bulk('consumers');
  out.array(consumers.size);
  for (const consumer of consumers.values()) {
    yield;
    yield* answerFullConsumer(consumer, count, each, out);
  }
}

function* answerFull(stream: Stream, count: number, each: number, out: ReplySink): Steps {
  answerFacts(stream, 9, out);
  out.bulk('entries');
  const range = { from: 0, count: Math.min(count, stream.count) };
  yield* answerEntries(stream, range, false, each, out);
  out.bulk('groups');
  out.array(stream.groups.size);
  for (const group of stream.groups.all()) yield* answerFullGroup(stream, group, count, each, out);
}

/** `FULL [COUNT count]`, 0 for all; undefined: nothing of it. Or the error line. */
function fullCount(args: Arguments): number | string | undefined {
  if (args.count === 3) return undefined;
  const isFull = args.is(3, 'FULL') && (args.count === 4 || args.count === 6);
  if (!isFull || (args.count === 6 && !args.is(4, 'COUNT'))) {
    const word = printable(args.text(1));
    return `ERR unknown subcommand or wrong number of arguments for '${word}'. Try XINFO HELP.`;
  }
  const count = args.count === 6 ? integerAt(args, 5) : COUNT_DEFAULT;
  if (typeof count === 'string') return count;
  if (count < 0) return COUNT_DEFAULT;
  return count === 0 ? Number.POSITIVE_INFINITY : count;
}

/** The stream in argument 2; or nothing, once it is answered that there is none. */
function streamFor(keyspace: Keyspace, args: Arguments, out: ReplySink): FoundStream | undefined {
  const at = findStream(keyspace, args, 2);
  if (at === undefined) out.error(NO_SUCH_KEY);
  return at;
}

function* tellStream(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const at = streamFor(keyspace, args, out);
  if (at === undefined) return;
  const count = fullCount(args);
  if (typeof count === 'string') return out.error(count);
  if (count === undefined) answerStream(at.stream, out);
  else yield* answerFull(at.stream, count, keyspace.stepElements, out);
}

function* tellGroups(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const stream = streamFor(keyspace, args, out)?.stream;
  if (stream === undefined) return;
  out.array(stream.groups.size);
  yield* forEachInSteps(stream.groups.all(), keyspace.stepElements, (group) => {
    out.map(6);
    field(out, 'name', group.name);
    field(out, 'consumers', group.consumers.size);
    field(out, 'pending', group.pending.size);
    field(out, 'last-delivered-id', formatId(group.place.lastId));
    maybeField(out, 'entries-read', readOf(group));
    maybeField(out, 'lag', lagOf(stream, group));
  });
}

function* tellConsumers(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const stream = streamFor(keyspace, args, out)?.stream;
  if (stream === undefined) return;
  const consumers = stream.groups.get(args.text(3))?.consumers;
  if (consumers === undefined) {
    const [key, name] = [printable(args.text(2)), printable(args.text(3))];
    return out.error(`NOGROUP No such consumer group '${name}' for key name '${key}'`);
  }
  const nowMs = certainNowMs(keyspace);
  out.array(consumers.size);
  yield* forEachInSteps(consumers.values(), keyspace.stepElements, (consumer) => {
    out.map(4);
    field(out, 'name', consumer.name);
    field(out, 'pending', consumer.pending.size);
    field(out, 'idle', Math.max(0, nowMs - consumer.seenMs));
    field(out, 'inactive', consumer.activeMs < 0 ? -1 : Math.max(0, nowMs - consumer.activeMs));
  });
}

const XINFO = {
  group: 'stream',
  keys: { first: 2, last: 2, step: 1 },
  flags: 'readonly',
  since: '5.0.0',
} as const;

export const STREAM_INFO_COMMANDS: readonly Command[] = [
  command({
    ...XINFO,
    name: 'XINFO|STREAM',
    arity: -3,
    summary: 'Get information about a stream',
    complexity: 'O(1), and with FULL O(N) where N is the number of entries told.',
    run: tellStream,
  }),
  command({
    ...XINFO,
    name: 'XINFO|GROUPS',
    arity: 3,
    summary: 'Get the consumer groups of a stream',
    complexity: 'O(N) where N is the number of groups.',
    run: tellGroups,
  }),
  command({
    ...XINFO,
    name: 'XINFO|CONSUMERS',
    arity: 4,
    summary: 'Get the consumers of a group',
    complexity: 'O(N) where N is the number of consumers.',
    run: tellConsumers,
  }),
];
