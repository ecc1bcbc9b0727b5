/**
 * Which node's clients may take the elements that have come to a key. Every node computes it from
 * the time of the transaction and from what the nodes have told of their clients, so that in most
 * cases each element is tried for once. In proportion to the clients: all wait for equally long.
 */

/** Elements of one transaction that are shared out; the others follow as these are taken. */
const SHARED_MAX = 64;

/** `counts`: clients that wait, by node. Returns how many of the elements are those of `self`. */
export function shareOf(
  self: number,
  counts: readonly (readonly [node: number, waiting: number])[],
  added: number,
  atUs: number,
): number {
  const waiting = counts.toSorted(([a], [b]) => a - b);
  const total = waiting.reduce((sum, [, count]) => sum + count, 0);
  let share = 0;
  for (let i = 0; i < Math.min(added, total, SHARED_MAX); i += 1) {
    let place = scattered(atUs, i) % total;
    const owner = waiting.find(([, count]) => {
      place -= count;
      return place < 0;
    });
    if (owner?.[0] === self) share += 1;
  }
  return share;
}

/** 32 bits of a hash of a time and a number (the finalizer of MurmurHash3). */
function scattered(atUs: number, i: number): number {
  let hash = (Math.floor(atUs / 2 ** 32) ^ atUs ^ Math.imul(i + 1, 0x9e3779b9)) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
