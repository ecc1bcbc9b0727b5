/** How commands get at streams, change them, and tell their entries. */
import type { Arguments } from '../../arguments.ts';
import type { Found, Keyspace } from '../../keyspace/keyspace.ts';
import type { Steps } from '../../steps.ts';
import type { Fields } from '../../types/stream/entry-block.ts';
import { STREAM, type Stream } from '../../types/stream/stream.ts';
import { formatId, ID_MAX, nextId, type StreamId } from '../../types/stream/stream-id.ts';
import { store } from '../collections.ts';
import type { ReplySink } from '../reply.ts';

/** A stream that is there. Streams are never packed. */
export interface FoundStream {
  readonly found: Found<string | Stream>;
  readonly stream: Stream;
}

export function findStream(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
): FoundStream | undefined {
  const found = keyspace.findCollection(STREAM, args, i);
  return found && { found, stream: found.entry.value as Stream };
}

/** The stream to be changed, a new one if there is none. `bytes`: that are written at most. */
export function beginStream(
  keyspace: Keyspace,
  at: FoundStream | undefined,
  bytes: number,
): Stream {
  if (at === undefined) return STREAM.empty(0);
  keyspace.edit(at.found as Found, bytes);
  return at.stream;
}

/** Once it is changed: its way into the key in argument `i`. */
export function endStream(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  at: FoundStream | undefined,
  stream: Stream,
): void {
  store(keyspace, args, i, STREAM, at?.found, stream);
}

/** Entries in the order of their numbers: `count` of them from one on. */
interface EntryRange {
  readonly from: number;
  readonly count: number;
}

/** Those between two ids, both included. */
export function rangeBetween({ entries }: Stream, first: StreamId, last: StreamId): EntryRange {
  const from = entries.countBefore(first);
  const behind = last === ID_MAX ? entries.length : entries.countBefore(nextId(last) as StreamId);
  return { from, count: Math.max(0, behind - from) };
}

/** Those behind an id. */
export function rangeBehind({ entries }: Stream, id: StreamId): EntryRange {
  const next = nextId(id);
  const from = next === undefined ? entries.length : entries.countBefore(next);
  return { from, count: entries.length - from };
}

export function answerEntry(out: ReplySink, id: StreamId, fields: Fields): void {
  out.array(2);
  out.bulk(formatId(id));
  out.array(fields.length);
  for (const field of fields) out.bulk(field);
}

/** Answers with all entries of a range, from its first one upwards or its last one downwards. */
export function* answerEntries(
  { entries }: Stream,
  { from, count }: EntryRange,
  isDown: boolean,
  each: number,
  out: ReplySink,
): Steps {
  out.array(count);
  for (let done = 0; done < count; ) {
    if (done > 0) yield;
    let items = 0;
    const visit = (id: StreamId, fields: Fields): boolean => {
      answerEntry(out, id, fields);
      items += 1 + fields.length;
      return items < each;
    };
    done += isDown
      ? entries.descend(from + count - 1 - done, count - done, visit)
      : entries.ascend(from + done, count - done, visit);
  }
}
