/** The slots that bound what a transaction may look at. */
import { firstNotBefore } from '../types/binary-search.ts';

/** The conflict slots of the keys that a transaction may look at, ascending; undefined: of all. */
export type Footprint = Uint16Array | undefined;

export function hasSlot(footprint: Footprint, slot: number): boolean {
  if (footprint === undefined) return true;
  const at = firstNotBefore(0, footprint.length, (i) => (footprint[i] as number) < slot);
  return footprint[at] === slot;
}
