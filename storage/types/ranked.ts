/** A sorted set as commands see it, in whatever form it is. Places in the order count from 0. */

/** Whether an entry lies before some place in the order: true up to it, false from there on. */
export type IsBefore = (score: number, member: string) => boolean;

export type RankedVisit = (member: string, score: number) => void;

export interface Ranked {
  readonly size: number;
  scoreOf(member: string): number | undefined;
  /** Never NaN; a zero of either sign does not replace one of the other. */
  set(member: string, score: number): void;
  delete(member: string): void;
  rankOf(member: string): number | undefined;
  /** How many entries lie before a place. */
  countWhere(isBefore: IsBefore): number;
  /** The member at a place, which must be there. */
  memberAt(rank: number): string;
  /** Visits `count` entries upwards from a place; they must be there. Change nothing meanwhile. */
  ascend(rank: number, count: number, visit: RankedVisit): void;
  /** The same downwards. */
  descend(rank: number, count: number, visit: RankedVisit): void;
}
