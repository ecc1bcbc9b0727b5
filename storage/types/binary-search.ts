/**
 * The first index from `from` on, and at most `to`, of which `isBefore` is false; where it is true,
 * it is true of all indices before.
 */
export function firstNotBefore(
  from: number,
  to: number,
  isBefore: (at: number) => boolean,
): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}
