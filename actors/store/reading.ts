/** The parts behind one barrier on their way through the executor, and the rows that they need. */
import { Arguments } from '../../storage/arguments.ts';
import type { KeyRow } from '../../storage/engine.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import type { Part } from '../../transport/resp/connection/part.ts';
import type { GroupId } from '../accord/topology/group-id.ts';

/** Rows that are read ahead at once. */
const ROWS_AHEAD_MAX = 1_024;

/** The parts behind one barrier on their way, part by part. */
export interface Reading {
  readonly type: 'Reading';
  /** It may begin while the read waits. */
  readonly group: GroupId;
  readonly token: number;
  readonly barrierSequence: number;
  readonly parts: readonly Part[];
  /** Places of parts that need a transaction, */
  readonly expired: number[];
  /** and of those whose slots were written since the barrier. */
  readonly uncovered: number[];
  /** The part that is next, or under way. */
  index: number;
  isWithinPart: boolean;
  /** Where in the part the next command begins, and how many are left. */
  at: number;
  left: number;
  /** Some steps of a command have run. */
  isWithinCommand: boolean;
  nowMs: number;
}

export function readingOf(
  group: GroupId,
  token: number,
  barrierSequence: number,
  parts: readonly Part[],
): Reading {
  const place = { index: 0, at: 0, left: 0, isWithinPart: false, isWithinCommand: false };
  const lists = { parts, expired: [], uncovered: [] };
  return { type: 'Reading', group, token, barrierSequence, nowMs: 0, ...lists, ...place };
}

/**
 * The rows that the commands of a read look up in the engine, at most `ROWS_AHEAD_MAX`; with more
 * of them, the read looks up the rest itself.
 */
export function rowsToRead(parts: readonly Part[], machine: StateMachine): readonly KeyRow[] {
  const args = new Arguments();
  const rows: KeyRow[] = [];
  for (const { bytes, count } of parts) {
    let at = 0;
    for (let left = count; left > 0 && rows.length < ROWS_AHEAD_MAX; left -= 1) {
      at = args.next(bytes, at);
      for (const row of machine.rowsToRead(args)) rows.push(row);
    }
  }
  return rows.slice(0, ROWS_AHEAD_MAX);
}
