/**
 * The invariants of a replica, checked in production at every logged transition: each check costs a
 * few comparisons, independent of the amount of state. A violation means that the code or the
 * memory of this node is wrong; its next message could contradict its promises, so the node stops
 * before anything of this turn leaves (accord.md §4.3 names the rules).
 */
import { compareProgress, isDecided, STATUS_NAMES, Status } from '../primitives/status.ts';
import { compare, equal, keyOf, max, type Timestamp, ZERO } from '../primitives/timestamp.ts';
import type { Checked, Command } from './command.ts';
import type { Mark, Transition } from './journal.ts';

export class BrokenInvariant extends Error {
  override readonly name = 'BrokenInvariant';
}

interface Restored {
  readonly sequence: number;
  readonly rejectBefore: Timestamp;
  readonly redundantBefore: Timestamp;
  readonly durableBefore: Timestamp;
}

export class Invariants {
  #sequence = 0;
  #hasEnded = false;
  readonly #marks: Record<Mark['type'], Timestamp> = {
    RejectBefore: ZERO,
    RedundantBefore: ZERO,
    DurableBefore: ZERO,
  };

  /** A command as the log tells it. */
  restored(command: Command): void {
    command.checked = checkedOf(command);
  }

  /** The marks, and the last place in the order of execution, as log and engine tell them. */
  begin(state: Restored): void {
    this.#sequence = state.sequence;
    this.#marks.RejectBefore = state.rejectBefore;
    this.#marks.RedundantBefore = state.redundantBefore;
    this.#marks.DurableBefore = state.durableBefore;
  }

  /** Marks never fall (I3), and nothing is forgotten that is not settled (I15). */
  mark({ type, before }: Mark): void {
    const known = this.#marks[type];
    if (compare(before, known) < 0) {
      broken(`${type} falls from ${keyOf(known)} to ${keyOf(before)}`);
    }
    this.#marks[type] = before;
    const { DurableBefore, RedundantBefore } = this.#marks;
    if (compare(DurableBefore, RedundantBefore) > 0) {
      broken(`DurableBefore ${keyOf(DurableBefore)} is above ${keyOf(RedundantBefore)}`);
    }
  }

  /** The group has ended: what executes from now on has no place in the order. */
  end(): void {
    this.#hasEnded = true;
  }

  /** The command is as it will be when the record is on disk. */
  transition(command: Command, { type }: Transition): void {
    monotone(command);
    switch (type) {
      case 'PreAccepted':
        this.#voted(command);
        break;
      case 'Accepted':
      case 'Committed':
      case 'Stable':
      case 'PreApplied':
        bounded(command);
        break;
      case 'Applied':
        this.#applied(command);
        break;
      case 'Defined':
      case 'Promised':
      case 'AcceptedInvalidate':
      case 'Invalidated':
        break;
    }
    command.checked = checkedOf(command);
  }

  /** I5: no vote for t0 below a mark that was promised, nor after a promise. */
  #voted(command: Command): void {
    const { id, executeAt, votedFast, promised } = command;
    if (executeAt === undefined || compare(executeAt, id) < 0) wrong(command, 'a vote below t0');
    if (!votedFast) return;
    const floor = max(this.#marks.RejectBefore, this.#marks.RedundantBefore);
    if (compare(id, floor) < 0) wrong(command, `a vote for t0 below ${keyOf(floor)}`);
    if (!equal(promised, ZERO)) wrong(command, `a vote for t0 after ${keyOf(promised)}`);
  }

  /** I10: one place each, without gaps. */
  #applied(command: Command): void {
    const { sequence } = command;
    if (this.#hasEnded) {
      if (sequence !== 0) wrong(command, `place ${sequence} behind the end of the group`);
      return;
    }
    if (sequence !== this.#sequence + 1) {
      wrong(command, `place ${sequence} in the order follows ${this.#sequence}`);
    }
    this.#sequence = sequence;
  }
}

function checkedOf({ promised, accepted, status, executeAt }: Command): Checked {
  return { promised, accepted, status, executeAt };
}

/** I2, I3: nothing that is known of a transaction goes back; a decided time stands. */
function monotone(command: Command): void {
  const { checked, promised, status, executeAt } = command;
  if (checked === undefined) return;
  if (compare(promised, checked.promised) < 0) {
    wrong(command, `the promise falls from ${keyOf(checked.promised)} to ${keyOf(promised)}`);
  }
  if (compareProgress(command, checked) < 0) {
    wrong(command, `it goes from ${STATUS_NAMES[checked.status]} to ${STATUS_NAMES[status]}`);
  }
  if (!isDecided(checked.status) || checked.executeAt === undefined) return;
  if (status === Status.Invalidated) wrong(command, 'it is decided, and invalidated');
  if (executeAt === undefined || !equal(executeAt, checked.executeAt)) {
    wrong(command, `its decided time ${keyOf(checked.executeAt)} changes`);
  }
}

/** A transaction executes at t0 or later, and depends only on what begins before that. */
function bounded(command: Command): void {
  const { id, executeAt, deps } = command;
  if (executeAt === undefined || compare(executeAt, id) < 0) {
    wrong(command, 'it executes before t0');
  }
  const last = deps?.at(-1);
  if (last !== undefined && compare(last, executeAt) >= 0) {
    wrong(command, `it depends on ${keyOf(last)}, at or above ${keyOf(executeAt)}`);
  }
}

function wrong(command: Command, what: string): never {
  broken(`transaction ${command.key}: ${what}`);
}

function broken(what: string): never {
  throw new BrokenInvariant(
    `safety: ${what}; the node stops before any of this leaves: keep its data and the trace`,
  );
}
