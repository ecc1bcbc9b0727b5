/**
 * Sets of members and of votes are bit sets in one number. Every room may import this file, so it
 * imports nothing: what the kernel's votes are counted by is what quorums are counted by.
 */

/** How many bits are set; of numbers up to 32 bits. */
export function population(set: number): number {
  let rest = set;
  let count = 0;
  while (rest !== 0) {
    rest &= rest - 1;
    count += 1;
  }
  return count;
}
