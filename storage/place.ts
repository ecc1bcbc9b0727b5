/**
 * The place of a name in hash order: of a key inside its slot, of a member in its collection. Pure.
 * All nodes must compute the same values, and always will: cursors and files contain them.
 */

const PLACE_SEED = 0x2f0b4c47;
const PLACE_PRIME = 0x5bd1e995;

/** The finaliser of MurmurHash3: every input bit reaches every output bit. */
function avalanche(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The place inside the slot as a signed 32-bit integer; its order is that of `place >>> 0`. */
export function placeOfText(key: string): number {
  let h = PLACE_SEED;
  for (let i = 0; i < key.length; i += 1) h = Math.imul(h ^ key.charCodeAt(i), PLACE_PRIME);
  return avalanche(h ^ key.length);
}
