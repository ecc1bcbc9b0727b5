/**
 * The footprint of a transaction: a set of conflict slots (key hashes), or the whole store. Two
 * transactions conflict when their footprints meet; two keys that share a slot by chance are only
 * ordered needlessly.
 */

import { CONFLICT_SLOTS } from '../../../storage/keyspace/slots.ts';

/** Ascending, without repeats; `WHOLE_STORE` meets everything. */
export type Participants = Uint16Array | typeof WHOLE_STORE;

export const WHOLE_STORE = 'whole-store';

/** From so many on, marking them in a bit set is cheaper than sorting. */
const MANY = 512;
const WORD_BITS = 32;
/** One bit for each slot; all zero between two calls. */
const marks = new Uint32Array(CONFLICT_SLOTS / WORD_BITS);

export function participantsOf(slots: Iterable<number>): Participants {
  const all = Uint16Array.from(slots);
  if (all.length >= MANY) return participantsOfMany(all);
  const sorted = all.sort();
  let kept = 0;
  for (let at = 0; at < sorted.length; at += 1) {
    const slot = sorted[at] as number;
    if (kept === 0 || slot !== sorted[kept - 1]) {
      sorted[kept] = slot;
      kept += 1;
    }
  }
  return sorted.subarray(0, kept);
}

function participantsOfMany(slots: Uint16Array): Participants {
  for (let at = 0; at < slots.length; at += 1) {
    const slot = slots[at] as number;
    const word = Math.floor(slot / WORD_BITS);
    marks[word] = (marks[word] as number) | (1 << (slot % WORD_BITS));
  }
  let kept = 0;
  for (let word = 0; word < marks.length; word += 1) {
    let left = marks[word] as number;
    if (left === 0) continue;
    marks[word] = 0;
    while (left !== 0) {
      const bit = WORD_BITS - 1 - Math.clz32(left & -left);
      slots[kept] = word * WORD_BITS + bit;
      kept += 1;
      left &= left - 1;
    }
  }
  return slots.subarray(0, kept);
}

export function meets(a: Participants, b: Participants): boolean {
  if (a === WHOLE_STORE || b === WHOLE_STORE) return true;
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const left = a[i] as number;
    const right = b[j] as number;
    if (left === right) return true;
    if (left < right) i += 1;
    else j += 1;
  }
  return false;
}

/** Whether they have this slot. */
export function hasSlot(participants: Participants, slot: number): boolean {
  if (participants === WHOLE_STORE) return true;
  let low = 0;
  let high = participants.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((participants[middle] as number) < slot) low = middle + 1;
    else high = middle;
  }
  return participants[low] === slot;
}

/** Two bytes a slot, little endian; null stands for the whole store. */
export function encodeParticipants(participants: Participants): Uint8Array | null {
  if (participants === WHOLE_STORE) return null;
  const bytes = new Uint8Array(participants.length * 2);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < participants.length; at += 1) {
    view.setUint16(at * 2, participants[at] as number, true);
  }
  return bytes;
}

export function decodeParticipants(bytes: Uint8Array | null): Participants {
  if (bytes === null) return WHOLE_STORE;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const slots = new Uint16Array(bytes.length >>> 1);
  for (let at = 0; at < slots.length; at += 1) slots[at] = view.getUint16(at * 2, true);
  return slots;
}
