/** How commands get at the consumer groups of streams. */
import type { Arguments } from '../../arguments.ts';
import { type Keyspace, PAST_DEADLINE, TIME_UNKNOWN_MS } from '../../keyspace/keyspace.ts';
import type { Consumer, ConsumerGroup } from '../../types/stream/consumer-groups.ts';
import type { Stream } from '../../types/stream/stream.ts';
import type { StreamId } from '../../types/stream/stream-id.ts';
import { printable } from '../command.ts';
import type { ReplySink } from '../reply.ts';
import { answerEntry, type FoundStream, findStream } from './values.ts';

/** Bytes of a new consumer beside its name. */
const CONSUMER_ROW_BYTES = 64;

export interface FoundGroup extends FoundStream {
  readonly group: ConsumerGroup;
}

/** The group in argument `i` of the stream in argument `key`; `undefined`: one of them is not. */
export function findGroup(
  keyspace: Keyspace,
  args: Arguments,
  key: number,
  i: number,
): FoundGroup | undefined {
  const at = findStream(keyspace, args, key);
  const group = at?.stream.groups.get(args.text(i));
  return at && group && { ...at, group };
}

/** The error line for a group that is not there. */
export function noGroup(args: Arguments, key: number, i: number, where = ''): string {
  const [name, group] = [printable(args.text(key)), printable(args.text(i))];
  return `NOGROUP No such key '${name}' or consumer group '${group}'${where}`;
}

/**
 * The consumer that argument `i` names, which asks for entries now; made if there is none. The
 * group is of the stream in argument `key`.
 */
export function consumerOf(
  keyspace: Keyspace,
  { stream, group }: FoundGroup,
  args: Arguments,
  key: number,
  i: number,
): Consumer {
  const { nowMs } = keyspace;
  const name = args.text(i);
  const known = group.consumers.get(name);
  if (known === undefined) {
    keyspace.notify('stream', 'xgroup-createconsumer', args, key);
    return stream.groups.addConsumer(group, name, nowMs);
  }
  stream.groups.seen(group, known, nowMs);
  return known;
}

/** Bytes that a command writes for a consumer, and for so many entries that are delivered. */
export function deliveryBytes(name: string, pending: number, bytesOfOne: number): number {
  return CONSUMER_ROW_BYTES + name.length + pending * bytesOfOne;
}

/** The time of the command. Throws `PAST_DEADLINE` where only a transaction has one. */
export function certainNowMs({ nowMs }: Keyspace): number {
  if (nowMs === TIME_UNKNOWN_MS) throw PAST_DEADLINE;
  return nowMs;
}

/** `false`: the entry is gone, and nothing is answered. */
export function answerOne({ entries }: Stream, id: StreamId, out: ReplySink): boolean {
  if (!entries.has(id)) return false;
  entries.ascend(entries.countBefore(id), 1, (_, fields) => {
    answerEntry(out, id, fields);
    return false;
  });
  return true;
}
