/** Which of two replies knows more (accord.md §1: phase, then ballot, then status). */
import { describe, expect, test } from 'vitest';
import {
  compareProgress,
  isDecided,
  isTerminal,
  STATUS_NAMES,
  Status,
} from '../../../../actors/accord/primitives/status.ts';
import { ZERO } from '../../../../actors/accord/primitives/timestamp.ts';
import { ballot } from '../fixture.ts';

const low = ballot(1);
const high = ballot(2);

describe('compareProgress', () => {
  test('a later phase wins, whatever the ballots', () => {
    const ascending = [
      Status.NotDefined,
      Status.PreAccepted,
      Status.Accepted,
      Status.Committed,
      Status.Stable,
      Status.Applied,
      Status.Truncated,
    ];
    for (const [index, status] of ascending.entries()) {
      for (const other of ascending.slice(0, index)) {
        const order = compareProgress(
          { status, accepted: ZERO },
          { status: other, accepted: high },
        );
        expect(order).toBeGreaterThan(0);
      }
    }
  });

  test.each([
    [Status.AcceptedInvalidate, Status.Accepted],
    [Status.Accepted, Status.AcceptedInvalidate],
    [Status.Accepted, Status.Accepted],
    [Status.Committed, Status.Committed],
  ])('within a phase the higher ballot wins (%i over %i)', (a, b) => {
    const newer = { status: a, accepted: high };
    const older = { status: b, accepted: low };
    expect(compareProgress(newer, older)).toBeGreaterThan(0);
    expect(compareProgress(older, newer)).toBeLessThan(0);
  });

  test('in the other phases ballots mean nothing', () => {
    for (const status of [Status.NotDefined, Status.PreAccepted, Status.Stable, Status.Applied]) {
      expect(compareProgress({ status, accepted: low }, { status, accepted: high })).toBe(0);
    }
  });
});

test('decided is what will execute; settled is what needs nothing more', () => {
  const names = (of: (status: Status) => boolean): string[] =>
    STATUS_NAMES.filter((_, index) => of(index as Status));
  expect(names(isDecided)).toEqual(['Committed', 'Stable', 'PreApplied', 'Applied']);
  expect(names(isTerminal)).toEqual(['Applied', 'Invalidated', 'Truncated']);
});
