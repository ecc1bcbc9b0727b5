/**
 * The body of a transaction over several groups: it names them and what it touches in each, before
 * the commands. So every replica that has the body can bring the transaction to an end in all of
 * them. The definition that a group keeps has the same body and the slots of that group alone.
 *
 * Big endian: groups u16, then per group, ascending by range, range u32, generation u32, slots u32
 * (all ones: all slots of the group), slots u16 little endian each; then the commands.
 */
import type { GroupId } from '../topology/group-id.ts';
import { decodeParticipants, encodeParticipants, type Participants } from './participants.ts';

/** The slots that a transaction touches in one of its groups. */
export interface SpanningPart {
  readonly group: GroupId;
  readonly participants: Participants;
}

interface SpanningBody {
  readonly parts: readonly SpanningPart[];
  /** A view of the body. */
  readonly commands: Uint8Array;
}

const COUNT_BYTES = 2;
const PART_BYTES = 12;
const ALL_SLOTS = 0xffffffff;
const LENGTH_BYTES = 4;

/** `parts`: at least two, ascending by range. */
export function encodeSpanningBody(
  parts: readonly SpanningPart[],
  commands: Uint8Array,
): Uint8Array {
  const slots = parts.map(({ participants }) => encodeParticipants(participants));
  const bytes = slots.reduce((sum, each) => sum + PART_BYTES + (each?.length ?? 0), COUNT_BYTES);
  const body = new Uint8Array(bytes + commands.length);
  const view = new DataView(body.buffer);
  view.setUint16(0, parts.length);
  let at = COUNT_BYTES;
  for (const [index, { group }] of parts.entries()) {
    const its = slots[index] ?? null;
    view.setUint32(at, group.range);
    view.setUint32(at + 4, group.generation);
    view.setUint32(at + 8, its === null ? ALL_SLOTS : its.length / 2);
    at += PART_BYTES;
    if (its === null) continue;
    body.set(its, at);
    at += its.length;
  }
  body.set(commands, at);
  return body;
}

/** Throws RangeError on bytes that are no such body. */
export function decodeSpanningBody(body: Uint8Array): SpanningBody {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const count = view.getUint16(0);
  if (count < 2) throw new RangeError(`a spanning body of ${count} groups`);
  const parts: SpanningPart[] = [];
  let at = COUNT_BYTES;
  for (let index = 0; index < count; index += 1) {
    const group = { range: view.getUint32(at), generation: view.getUint32(at + 4) };
    const slots = view.getUint32(at + 8);
    at += PART_BYTES;
    const end = slots === ALL_SLOTS ? at : at + 2 * slots;
    if (end > body.length) throw new RangeError('a spanning body is cut short');
    if (group.range <= (parts.at(-1)?.group.range ?? -1)) {
      throw new RangeError('a spanning body names its groups out of order');
    }
    const participants = decodeParticipants(slots === ALL_SLOTS ? null : body.subarray(at, end));
    parts.push({ group, participants });
    at = end;
  }
  return { parts, commands: body.subarray(at) };
}

/** Of the entries of one group: so many of their bytes count. None for no bytes at all. */
export function countedBytes(entries: Uint8Array): number {
  if (entries.length < LENGTH_BYTES) return 0;
  return new DataView(entries.buffer, entries.byteOffset).getUint32(0);
}

/**
 * In the place of what was read: one of its groups has ended before it, so it has no effect in any.
 */
export const MOVED: Uint8Array = new Uint8Array(0);

/** Of a transaction over several groups. */
export function isMoved(reads: Uint8Array | undefined): boolean {
  return reads?.length === 0;
}

/** Per group, in the order of the body: length u32, then so many bytes of entries. */
export function encodeReads(entries: readonly Uint8Array[]): Uint8Array {
  const bytes = entries.reduce((sum, { length }) => sum + LENGTH_BYTES + length, 0);
  const reads = new Uint8Array(bytes);
  const view = new DataView(reads.buffer);
  let at = 0;
  for (const each of entries) {
    view.setUint32(at, each.length);
    reads.set(each, at + LENGTH_BYTES);
    at += LENGTH_BYTES + each.length;
  }
  return reads;
}

/** Views of the bytes. Throws RangeError when they are cut short. */
export function decodeReads(reads: Uint8Array): Uint8Array[] {
  const view = new DataView(reads.buffer, reads.byteOffset, reads.byteLength);
  const entries: Uint8Array[] = [];
  for (let at = 0; at < reads.length; ) {
    const end = at + LENGTH_BYTES + view.getUint32(at);
    if (end > reads.length) throw new RangeError('what was read is cut short');
    entries.push(reads.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return entries;
}
