/**
 * The body of a Close: the groups that follow the one that it ends, its successors. The log keeps
 * the same bytes with the end of a group.
 *
 * Big endian: successors u16, then of each, ascending by slots: range u32, generation u32, fromSlot
 * u16, toSlot u16, members u8, and per member, ascending, node u32, flags u8: 1 for an elector, 2
 * for one that begins without data, 4 for one of these that was away for too long.
 */
import { type Group, type GroupDescriptor, lacksOf, quorumSizes } from './group.ts';
import { machineOf } from './group-id.ts';

const COUNT_BYTES = 2;
const GROUP_BYTES = 13;
const MEMBER_BYTES = 5;
const ELECTOR = 1;
const OWED = 2;
const ABSENT = 4;

export function encodeSuccessors(successors: readonly GroupDescriptor[]): Uint8Array {
  const members = successors.reduce((sum, each) => sum + each.members.length, 0);
  const bytes = COUNT_BYTES + GROUP_BYTES * successors.length + MEMBER_BYTES * members;
  const body = new Uint8Array(bytes);
  const view = new DataView(body.buffer);
  view.setUint16(0, successors.length);
  let at = COUNT_BYTES;
  for (const successor of successors) {
    const { id, fromSlot, toSlot, members: its } = successor;
    view.setUint32(at, id.range);
    view.setUint32(at + 4, id.generation);
    view.setUint16(at + 8, fromSlot);
    view.setUint16(at + 10, toSlot);
    view.setUint8(at + 12, its.length);
    at += GROUP_BYTES;
    for (const node of its.toSorted((a, b) => a - b)) {
      view.setUint32(at, node);
      view.setUint8(at + 4, flagsOf(node, successor));
      at += MEMBER_BYTES;
    }
  }
  return body;
}

function flagsOf(node: number, { electorate, owed, absent }: GroupDescriptor): number {
  const isElector = electorate.includes(node) ? ELECTOR : 0;
  const isOwed = owed?.includes(node) === true ? OWED : 0;
  return isElector | isOwed | (absent?.includes(node) === true ? ABSENT : 0);
}

/** Throws RangeError on bytes that are no such body. */
export function decodeSuccessors(body: Uint8Array): GroupDescriptor[] {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const successors: GroupDescriptor[] = [];
  let at = COUNT_BYTES;
  for (let left = view.getUint16(0); left > 0; left -= 1) {
    const id = { range: view.getUint32(at), generation: view.getUint32(at + 4) };
    const [fromSlot, toSlot] = [view.getUint16(at + 8), view.getUint16(at + 10)];
    const count = view.getUint8(at + 12);
    at += GROUP_BYTES;
    const flags = new Map<number, number>();
    for (let member = 0; member < count; member += 1) {
      flags.set(view.getUint32(at), view.getUint8(at + 4));
      at += MEMBER_BYTES;
    }
    const those = (flag: number): number[] =>
      [...flags].filter(([, its]) => (its & flag) !== 0).map(([node]) => node);
    const members = [...flags.keys()];
    const lacks = lacksOf({ owed: those(OWED), absent: those(ABSENT) });
    const slots = { fromSlot, toSlot };
    const electorate = those(ELECTOR);
    successors.push({ id, ...slots, members, electorate, ...lacks, machine: machineOf(id) });
  }
  if (at !== body.length) throw new RangeError('successors: more bytes than groups');
  return successors;
}

/**
 * Why the groups cannot follow this one; undefined: they can. Together they have its slots, and
 * each is of a later generation. They have its members, who hold the data; where one group alone
 * follows, a quorum of either has members that stay.
 */
export function whyNotSuccessors(
  { id, fromSlot, toSlot, members, quorums }: Group,
  successors: readonly GroupDescriptor[],
): string | undefined {
  let next = fromSlot;
  const [only] = successors.length === 1 ? successors : [];
  for (const each of successors) {
    if (each.fromSlot !== next || each.toSlot <= next) return `slot ${next} would have no group`;
    if (each.id.generation <= id.generation) return 'the generation does not grow';
    if (machineOf(each.id) !== machineOf(id)) return 'a successor is of another kind';
    const staying = members.filter((node) => each.members.includes(node)).length;
    const isSame = staying === members.length && staying === each.members.length;
    const needed = Math.max(
      quorums.slow,
      quorumSizes(each.members.length, each.members.length).slow,
    );
    if (!isSame && (each !== only || staying < needed)) return 'a successor has other members';
    next = each.toSlot;
  }
  return next === toSlot ? undefined : `slot ${next} would have no group`;
}
