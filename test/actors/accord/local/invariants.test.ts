/** Each check that stays on in production, met and broken. */
import { describe, expect, test } from 'vitest';
import { Command } from '../../../../actors/accord/local/command.ts';
import { BrokenInvariant, Invariants } from '../../../../actors/accord/local/invariants.ts';
import type { Mark, Transition } from '../../../../actors/accord/local/journal.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import { ZERO } from '../../../../actors/accord/primitives/timestamp.ts';
import { at, ballot } from '../fixture.ts';

const id = at(100);
const DEPS = { deps: [at(90)] };

function logs(
  invariants: Invariants,
  command: Command,
  type: Transition['type'],
  becomes: Partial<Omit<Command, 'id' | 'key'>>,
): void {
  Object.assign(command, becomes);
  invariants.transition(command, { type, id: command.id } as Transition);
}

function marked(type: Mark['type'], before = at(50)): Invariants {
  const invariants = new Invariants();
  invariants.mark({ type: 'RedundantBefore', before });
  if (type !== 'RedundantBefore') invariants.mark({ type, before });
  return invariants;
}

describe('a transaction', () => {
  const preAccepted = { status: Status.PreAccepted, executeAt: id, votedFast: true } as const;
  const committed = { status: Status.Committed, executeAt: at(110), ...DEPS } as const;

  test('may go its whole way', () => {
    const invariants = new Invariants();
    const command = new Command(id);
    logs(invariants, command, 'Defined', {});
    logs(invariants, command, 'PreAccepted', preAccepted);
    logs(invariants, command, 'Promised', { promised: ballot(5) });
    const accepted = { promised: ballot(7), accepted: ballot(7) };
    logs(invariants, command, 'AcceptedInvalidate', {
      status: Status.AcceptedInvalidate,
      ...accepted,
    });
    const higher = { promised: ballot(8), accepted: ballot(8) };
    const proposal = { executeAt: at(110), ...DEPS };
    logs(invariants, command, 'Accepted', { status: Status.Accepted, ...higher, ...proposal });
    logs(invariants, command, 'Committed', committed);
    logs(invariants, command, 'Stable', { status: Status.Stable });
    logs(invariants, command, 'Applied', { status: Status.Applied, sequence: 1 });
    expect(command.checked?.status).toBe(Status.Applied);
  });

  test.each<[string, Transition['type'], Partial<Command>, Transition['type'], Partial<Command>]>([
    ['a promise falls', 'Promised', { promised: ballot(5) }, 'Promised', { promised: ballot(4) }],
    ['the status falls', 'Committed', committed, 'PreAccepted', preAccepted],
    [
      'a value is accepted at a lower ballot',
      'Accepted',
      { ...committed, status: Status.Accepted, promised: ballot(9), accepted: ballot(9) },
      'Accepted',
      { accepted: ballot(8) },
    ],
    ['a decided time changes', 'Committed', committed, 'Stable', { executeAt: at(111) }],
    [
      'a decision is revoked',
      'Committed',
      committed,
      'Invalidated',
      { status: Status.Invalidated },
    ],
    ['a vote lies below t0', 'Defined', {}, 'PreAccepted', { ...preAccepted, executeAt: at(99) }],
    [
      'a vote for t0 follows a promise',
      'Promised',
      { promised: ballot(5) },
      'PreAccepted',
      preAccepted,
    ],
    ['it executes before t0', 'Defined', {}, 'Committed', { ...committed, executeAt: at(99) }],
    ['it depends on what is later', 'Defined', {}, 'Stable', { ...committed, deps: [at(110)] }],
    ['a place is left out', 'Stable', { ...committed, status: 5 }, 'Applied', { sequence: 2 }],
  ])('must not: %s', (_, first, before, second, after) => {
    const invariants = new Invariants();
    const command = new Command(id);
    logs(invariants, command, first, before);
    expect(() => logs(invariants, command, second, after)).toThrow(BrokenInvariant);
  });

  test.each(['RejectBefore', 'RedundantBefore'] as const)(
    'gets no vote for t0 below %s, but one for a later time',
    (type) => {
      const invariants = marked(type, at(101));
      const late = { ...preAccepted, executeAt: at(120), votedFast: false };
      logs(invariants, new Command(id), 'PreAccepted', late);
      expect(() => logs(invariants, new Command(id), 'PreAccepted', preAccepted)).toThrow(
        'a vote for t0 below',
      );
    },
  );

  test('is held to what the log told', () => {
    const invariants = new Invariants();
    const command = Object.assign(new Command(id), committed, { promised: ballot(5) });
    invariants.restored(command);
    invariants.begin({
      sequence: 6,
      rejectBefore: at(10),
      redundantBefore: at(10),
      durableBefore: ZERO,
    });
    expect(() => logs(invariants, command, 'Stable', { executeAt: at(130) })).toThrow('changes');
    const fine = { status: Status.Applied, executeAt: at(110), sequence: 7 } as const;
    logs(invariants, command, 'Applied', fine);
    expect(() => invariants.mark({ type: 'RejectBefore', before: at(9) })).toThrow('falls');
  });
});

describe('a mark', () => {
  test.each(['RejectBefore', 'RedundantBefore', 'DurableBefore'] as const)(
    '%s is repeated and rises, and never falls',
    (type) => {
      const invariants = marked(type);
      invariants.mark({ type, before: at(50) });
      if (type !== 'DurableBefore') invariants.mark({ type, before: at(51) });
      expect(() => invariants.mark({ type, before: at(49) })).toThrow(BrokenInvariant);
    },
  );

  test('of what is forgotten stays below the mark of what is settled', () => {
    const invariants = marked('DurableBefore', at(50));
    expect(() => invariants.mark({ type: 'DurableBefore', before: at(51) })).toThrow('is above');
  });
});
