/** XGROUP: the consumer groups of a stream, and their consumers. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import type { Steps } from '../../steps.ts';
import { parseInteger } from '../../types/integers.ts';
import { ID_MAX, ID_MIN, type StreamId } from '../../types/stream/stream-id.ts';
import { type GroupPlace, NOT_KNOWN } from '../../types/stream/stream-rows.ts';
import { type Command, command, NOT_AN_INTEGER, printable } from '../command.ts';
import type { ReplySink } from '../reply.ts';
import { deliveryBytes, type FoundGroup } from './group-values.ts';
import { idAt } from './ids.ts';
import { beginStream, endStream, type FoundStream, findStream } from './values.ts';

const NO_KEY =
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use ' +
  'the MKSTREAM option to create an empty stream automatically.';
const BUSY = 'BUSYGROUP Consumer Group name already exists';
const NEGATIVE = 'ERR value for ENTRIESREAD must be positive or -1';
/** Bytes of the row of a group beside its name. */
const GROUP_ROW_BYTES = 64;

/** The options behind the id. */
interface PlaceOptions {
  readonly makesStream: boolean;
  readonly read: bigint;
}

/** The options from argument 5 on, or the error line. */
function parseOptions(args: Arguments, mayMakeStream: boolean): PlaceOptions | string {
  let makesStream = false;
  let read = NOT_KNOWN;
  for (let i = 5; i < args.count; i += 1) {
    if (mayMakeStream && args.is(i, 'MKSTREAM')) {
      makesStream = true;
    } else if (args.is(i, 'ENTRIESREAD') && i + 1 < args.count) {
      const parsed = parseInteger(args.text(i + 1));
      if (parsed === undefined) return NOT_AN_INTEGER;
      if (parsed < NOT_KNOWN) return NEGATIVE;
      read = BigInt(parsed);
      i += 1;
    } else {
      return wrongArguments(args);
    }
  }
  return { makesStream, read };
}

function wrongArguments(args: Arguments): string {
  const word = printable(args.text(1));
  return `ERR unknown subcommand or wrong number of arguments for '${word}'. Try XGROUP HELP.`;
}

/** The place that the id in argument 4 names, or the error line. */
function placeAt(
  args: Arguments,
  at: FoundStream | undefined,
  { read }: PlaceOptions,
): GroupPlace | string {
  if (args.equals(4, '$')) return { lastId: at?.stream.facts.lastId ?? ID_MIN, read };
  const id = idAt(args, 4);
  return typeof id === 'string' ? id : { lastId: id.value, read };
}

/** The same where `-` and `+` are ids, too. */
function anyPlaceAt(args: Arguments, at: FoundStream, options: PlaceOptions): GroupPlace | string {
  const ends: Readonly<Record<string, StreamId>> = { '-': ID_MIN, '+': ID_MAX };
  const lastId = ends[args.text(4)];
  return lastId === undefined ? placeAt(args, at, options) : { lastId, read: options.read };
}

function create(keyspace: Keyspace, args: Arguments, out: ReplySink): void {
  const options = parseOptions(args, true);
  if (typeof options === 'string') return out.error(options);
  const at = findStream(keyspace, args, 2);
  if (at === undefined && !options.makesStream) return out.error(NO_KEY);
  const place = placeAt(args, at, options);
  if (typeof place === 'string') return out.error(place);
  const name = args.text(3);
  if (at?.stream.groups.get(name) !== undefined) return out.error(BUSY);
  const stream = beginStream(keyspace, at, GROUP_ROW_BYTES + name.length);
  stream.createGroup(name, place);
  endStream(keyspace, args, 2, at, stream);
  keyspace.notify('stream', 'xgroup-create', args, 2);
  out.simple('OK');
}

/** The group in argument 3 that must be there; or nothing, once it is answered that it is not. */
function groupFor(keyspace: Keyspace, args: Arguments, out: ReplySink): FoundGroup | undefined {
  const at = findStream(keyspace, args, 2);
  const group = at?.stream.groups.get(args.text(3));
  if (at !== undefined && group !== undefined) return { ...at, group };
  const [key, name] = [printable(args.text(2)), printable(args.text(3))];
  const missing = `NOGROUP No such consumer group '${name}' for key name '${key}'`;
  out.error(at === undefined ? NO_KEY : missing);
  return undefined;
}

function setPlace(keyspace: Keyspace, args: Arguments, out: ReplySink): void {
  const options = parseOptions(args, false);
  if (typeof options === 'string') return out.error(options);
  const at = groupFor(keyspace, args, out);
  if (at === undefined) return;
  const place = anyPlaceAt(args, at, options);
  if (typeof place === 'string') return out.error(place);
  const stream = beginStream(keyspace, at, 0);
  stream.groups.setPlace(at.group, place);
  endStream(keyspace, args, 2, at, stream);
  keyspace.notify('stream', 'xgroup-setid', args, 2);
  out.simple('OK');
}

function* destroy(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const at = findStream(keyspace, args, 2);
  if (at === undefined) return out.error(NO_KEY);
  const group = at.stream.groups.get(args.text(3));
  if (group === undefined) return out.integer(0);
  const stream = beginStream(keyspace, at, 0);
  yield* stream.groups.destroy(group, keyspace.stepElements);
  endStream(keyspace, args, 2, at, stream);
  keyspace.notify('stream', 'xgroup-destroy', args, 2);
  out.integer(1);
}

function addConsumer(keyspace: Keyspace, args: Arguments, out: ReplySink): void {
  const at = groupFor(keyspace, args, out);
  if (at === undefined) return;
  const name = args.text(4);
  if (at.group.consumers.get(name) !== undefined) return out.integer(0);
  const stream = beginStream(keyspace, at, deliveryBytes(name, 0, 0));
  stream.groups.addConsumer(at.group, name, keyspace.nowMs);
  endStream(keyspace, args, 2, at, stream);
  keyspace.notify('stream', 'xgroup-createconsumer', args, 2);
  out.integer(1);
}

function* removeConsumer(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const at = groupFor(keyspace, args, out);
  if (at === undefined) return;
  const consumer = at.group.consumers.get(args.text(4));
  if (consumer === undefined) return out.integer(0);
  const { size } = consumer.pending;
  const stream = beginStream(keyspace, at, 0);
  yield* stream.groups.removeConsumer(at.group, consumer, keyspace.stepElements);
  endStream(keyspace, args, 2, at, stream);
  keyspace.notify('stream', 'xgroup-delconsumer', args, 2);
  out.integer(size);
}

const XGROUP = { group: 'stream', keys: { first: 2, last: 2, step: 1 } } as const;

export const STREAM_GROUP_COMMANDS: readonly Command[] = [
  command({
    ...XGROUP,
    flags: 'write denyoom',
    name: 'XGROUP|CREATE',
    arity: -5,
    summary: 'Create a consumer group of a stream',
    since: '5.0.0',
    complexity: 'O(1)',
    run: create,
  }),
  command({
    ...XGROUP,
    flags: 'write',
    name: 'XGROUP|SETID',
    arity: -5,
    summary: 'Set the id behind which a consumer group reads',
    since: '5.0.0',
    complexity: 'O(1)',
    run: setPlace,
  }),
  command({
    ...XGROUP,
    flags: 'write',
    name: 'XGROUP|DESTROY',
    arity: 4,
    summary: 'Remove a consumer group',
    since: '5.0.0',
    complexity: 'O(N) where N is the number of its pending entries.',
    run: destroy,
  }),
  command({
    ...XGROUP,
    flags: 'write denyoom',
    name: 'XGROUP|CREATECONSUMER',
    arity: 5,
    summary: 'Create a consumer of a group',
    since: '6.2.0',
    complexity: 'O(1)',
    run: addConsumer,
  }),
  command({
    ...XGROUP,
    flags: 'write',
    name: 'XGROUP|DELCONSUMER',
    arity: 5,
    summary: 'Remove a consumer from its group',
    since: '5.0.0',
    complexity: 'O(N) where N is the number of its pending entries.',
    run: removeConsumer,
  }),
];
