/**
 * How far a replica's knowledge of one transaction has come (accord.md §1). The numbers ascend;
 * `Accepted`-phase entries are ordered among each other by ballot, see `compareProgress`.
 */
import { type Ballot, compare } from './timestamp.ts';

export const Status = {
  /** At most a promise is held; the definition may be unknown. */
  NotDefined: 0,
  PreAccepted: 1,
  AcceptedInvalidate: 2,
  Accepted: 3,
  /** executeAt and deps are final, but perhaps not at a quorum yet. */
  Committed: 4,
  /** The deps are known to be at a quorum: it may execute. */
  Stable: 5,
  /** Over several groups: what it has read in all of them is known, too. */
  PreApplied: 6,
  /** Handed to the executor, in order: its effects are a function of the log. */
  Applied: 7,
  Invalidated: 8,
  /** Settled everywhere and forgotten. */
  Truncated: 9,
} as const;

export type Status = (typeof Status)[keyof typeof Status];

export const STATUS_NAMES = [
  'NotDefined',
  'PreAccepted',
  'AcceptedInvalidate',
  'Accepted',
  'Committed',
  'Stable',
  'PreApplied',
  'Applied',
  'Invalidated',
  'Truncated',
] as const;

const PHASE = [0, 1, 2, 2, 3, 4, 5, 6, 6, 7] as const;
const PHASE_ACCEPT = 2;
const PHASE_COMMIT = 3;

interface Progress {
  readonly status: Status;
  /** Ballot of the accepted or committed value. */
  readonly accepted: Ballot;
}

/**
 * Positive when `a` knows more. Within the Accept and the Commit phase the ballot decides: a value
 * accepted later overrides, whether it is an executeAt or an invalidation.
 */
export function compareProgress(a: Progress, b: Progress): number {
  const byPhase = PHASE[a.status] - PHASE[b.status];
  if (byPhase !== 0) return byPhase;
  const phase = PHASE[a.status];
  if (phase === PHASE_ACCEPT || phase === PHASE_COMMIT) {
    const byBallot = compare(a.accepted, b.accepted);
    if (byBallot !== 0) return byBallot;
  }
  return a.status - b.status;
}

/** executeAt is agreed upon, and it is not an invalidation. */
export function isDecided(status: Status): boolean {
  return status >= Status.Committed && status <= Status.Applied;
}

/** The deps are known to be at a quorum, and it executes or has been. */
export function isStable(status: Status): boolean {
  return status >= Status.Stable && status <= Status.Applied;
}

/** Nothing is left to do for it on this replica. */
export function isTerminal(status: Status): boolean {
  return status >= Status.Applied;
}
