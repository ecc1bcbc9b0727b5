/**
 * The name of a group: one generation of a range. Messages, records and effects of the protocol
 * belong to a group, and never to "the current" one.
 */
export interface GroupId {
  /** u32. */
  readonly range: number;
  /** u32. */
  readonly generation: number;
}

/** For maps. */
export function groupKey({ range, generation }: GroupId): string {
  return `${range}.${generation}`;
}
