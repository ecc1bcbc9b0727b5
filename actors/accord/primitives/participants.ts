/**
 * The footprint of a transaction: a set of conflict slots (key hashes), or the whole store. Two
 * transactions conflict when their footprints meet; two keys that share a slot by chance are only
 * ordered needlessly.
 */

/** Ascending, without repeats; `WHOLE_STORE` meets everything. */
export type Participants = Uint16Array | typeof WHOLE_STORE;

export const WHOLE_STORE = 'whole-store';

export function participantsOf(slots: Iterable<number>): Participants {
  const sorted = Uint16Array.from(slots).sort();
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
