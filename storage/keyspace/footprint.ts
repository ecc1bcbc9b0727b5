/** The conflict slots of the keys that a transaction may look at, ascending; undefined: of all. */
export type Footprint = Uint16Array | undefined;

export function hasSlot(footprint: Footprint, slot: number): boolean {
  if (footprint === undefined) return true;
  let low = 0;
  let high = footprint.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((footprint[middle] as number) < slot) low = middle + 1;
    else high = middle;
  }
  return footprint[low] === slot;
}
