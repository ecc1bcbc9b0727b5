/** XREAD: entries of several streams behind ids that the client knows. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import type { Steps } from '../../steps.ts';
import { STREAM } from '../../types/stream/stream.ts';
import { formatId, ID_MIN, parseId, type StreamId } from '../../types/stream/stream-id.ts';
import type { ValueType } from '../../types/value-type.ts';
import { type Command, command } from '../command.ts';
import type { ReplySink } from '../reply.ts';
import { INVALID_ID } from './ids.ts';
import { parseRead, READ_WAITS, streamKeys } from './read-request.ts';
import { answerEntries, type FoundStream, findStream, rangeBehind } from './values.ts';

const GROUP_ID =
  'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> ' +
  '<consumer> option.';

/** A stream, and the id behind which it is read. */
interface Place {
  readonly key: number;
  readonly at: FoundStream | undefined;
  readonly id: StreamId;
}

/** The id in argument `i`, or the error line. */
function placeOf(args: Arguments, key: number, i: number, at: FoundStream | undefined) {
  if (args.equals(i, '$')) return { key, at, id: at?.stream.facts.lastId ?? ID_MIN };
  if (args.equals(i, '>')) return GROUP_ID;
  const id = parseId(args.text(i), 'first');
  return id === undefined ? INVALID_ID : { key, at, id };
}

/** The request with the ids for which `$` stands now; undefined: there is none of them. */
function resolved(args: Arguments, places: readonly Place[]): readonly string[] | undefined {
  const ids = places.map(({ key, id }) => [key + places.length, id] as const);
  const open = ids.filter(([i]) => args.equals(i, '$'));
  if (open.length === 0) return undefined;
  const words = Array.from({ length: args.count }, (_, i) => args.text(i));
  for (const [i, id] of open) words[i] = formatId(id);
  return words;
}

function* read(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const request = parseRead(args, false);
  if (typeof request === 'string') return out.error(request);
  const { keys, count } = request;
  const places: Place[] = [];
  for (const key of keys) {
    const place = placeOf(args, key, key + keys.length, findStream(keyspace, args, key));
    if (typeof place === 'string') return out.error(place);
    places.push(place);
  }
  const parts = places.flatMap(({ key, at, id }) => {
    const range = at && rangeBehind(at.stream, id);
    if (at === undefined || range === undefined || range.count === 0) return [];
    return [{ key, stream: at.stream, from: range.from, count: Math.min(range.count, count) }];
  });
  if (parts.length === 0) {
    keyspace.nothingYet(args, keys, STREAM as ValueType, { again: resolved(args, places) });
    return out.nilArray();
  }
  out.keyedMap(parts.length);
  for (const { key, stream, from, count } of parts) {
    out.keyed();
    out.bulk(args.text(key));
    yield* answerEntries(stream, { from, count }, false, keyspace.stepElements, out);
  }
}

export const STREAM_READ_COMMANDS: readonly Command[] = [
  command({
    group: 'stream',
    keys: streamKeys,
    flags: 'readonly blocking',
    waits: READ_WAITS,
    name: 'XREAD',
    arity: -4,
    summary: 'Get the entries of one or several streams behind given ids',
    since: '5.0.0',
    complexity: 'O(log(N)+M) for each stream, where M is the number of entries returned.',
    run: read,
  }),
];
