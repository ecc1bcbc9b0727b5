/** The conflict index against a list that is searched from end to end. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Command } from '../../../../actors/accord/local/command.ts';
import { ConflictIndex } from '../../../../actors/accord/local/conflict-index.ts';
import {
  meets,
  type Participants,
  participantsOf,
  WHOLE_STORE,
} from '../../../../actors/accord/primitives/participants.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import {
  compare,
  keyOf,
  max,
  type Timestamp,
  ZERO,
} from '../../../../actors/accord/primitives/timestamp.ts';
import { CONFLICT_SLOTS } from '../../../../storage/keyspace/slots.ts';
import { at } from '../fixture.ts';

function command(
  hlc: number,
  participants: Participants,
  status: Status = Status.PreAccepted,
): Command {
  const made = new Command(at(hlc));
  made.definition = { participants, body: new Uint8Array(0) };
  made.status = status;
  made.executeAt = made.id;
  return made;
}

const participantSets: fc.Arbitrary<Participants> = fc.oneof(
  { weight: 6, arbitrary: fc.array(fc.nat(4), { minLength: 1, maxLength: 3 }).map(participantsOf) },
  { weight: 1, arbitrary: fc.constant<Participants>(WHOLE_STORE) },
);

const steps = fc.array(
  fc.record({
    act: fc.constantFrom('add', 'remove', 'bump'),
    hlc: fc.integer({ min: 1, max: 30 }),
    participants: participantSets,
  }),
  { maxLength: 40 },
);

describe('against a naive model', () => {
  test('the same conflicts and the same highest time', () => {
    fc.assert(
      fc.property(steps, participantSets, fc.nat(31), (all, asked, boundHlc) => {
        const index = new ConflictIndex(0, CONFLICT_SLOTS);
        const model = new Map<string, Command>();
        const bumps: Array<{ participants: Participants; time: Timestamp }> = [];
        for (const { act, hlc, participants } of all) {
          const made = command(hlc, participants);
          const known = model.get(made.key);
          if (act === 'bump') {
            index.bump(participants, at(hlc));
            bumps.push({ participants, time: at(hlc) });
          } else if (act === 'remove' && known !== undefined) {
            index.remove(known);
            model.delete(made.key);
          } else if (act === 'add' && known === undefined) {
            index.add(made);
            model.set(made.key, made);
          }
        }
        const self = command(99, asked);
        const expected = [...model.values()]
          .filter(({ id, definition }) => {
            const met = definition !== undefined && meets(definition.participants, asked);
            return met && compare(id, at(boundHlc)) < 0;
          })
          .map(({ key }) => key)
          .sort();
        const found = index.conflictsBelow(self, asked, at(boundHlc)).map(keyOf);
        expect([...found].sort()).toEqual(expected);
        const highest = bumps
          .filter(({ participants }) => meets(participants, asked))
          .reduce((so, { time }) => max(so, time), ZERO);
        expect(index.maxConflict(asked)).toEqual(highest);
        expect(index.size).toBe(model.size);
      }),
    );
  });
});

describe('conflicts', () => {
  const one = participantsOf([1]);

  test('leave out itself and what can never execute; PreAccepted ones count', () => {
    const index = new ConflictIndex(0, CONFLICT_SLOTS);
    const self = command(5, one);
    const invalid = command(1, one, Status.Invalidated);
    const undecided = command(2, one);
    for (const each of [self, invalid, undecided]) index.add(each);
    expect(index.conflictsBelow(self, one, at(9))).toEqual([undecided.id]);
  });

  test('the bound is on t0, and exclusive', () => {
    const index = new ConflictIndex(0, CONFLICT_SLOTS);
    for (const hlc of [1, 2, 3]) index.add(command(hlc, one));
    expect(index.conflictsBelow(command(9, one), one, at(2))).toEqual([at(1)]);
  });

  test('a floor raises every slot, and time never goes back', () => {
    const index = new ConflictIndex(0, CONFLICT_SLOTS);
    index.bump(one, at(7));
    index.raiseFloor(at(5));
    index.bump(one, at(6));
    expect(index.maxConflict(one)).toEqual(at(7));
    expect(index.maxConflict(participantsOf([2]))).toEqual(at(5));
  });

  test('adding and removing twice changes nothing', () => {
    const index = new ConflictIndex(0, CONFLICT_SLOTS);
    const only = command(1, participantsOf([1, 2]));
    index.add(only);
    index.add(only);
    expect([index.size, only.indexed]).toEqual([1, 2]);
    index.remove(only);
    index.remove(only);
    expect([index.size, only.indexed]).toEqual([0, 0]);
  });
});

describe('covering', () => {
  const everybody = (): boolean => true;

  test('a reader that drops a conflict names a later one that was ordered behind it', () => {
    const shapes = fc.array(
      fc.record({
        participants: participantSets,
        applied: fc.boolean(),
        majority: fc.boolean(),
        shift: fc.nat(3),
      }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(shapes, participantSets, (all, asked) => {
        const index = new ConflictIndex(0, CONFLICT_SLOTS);
        const byMajority = new Set<Command>();
        const commands = all.map(({ participants, applied, majority, shift }, i) => {
          const made = command(i + 1, participants, applied ? Status.Applied : Status.Stable);
          made.executeAt = at(i + 1 + shift, 2);
          if (applied && majority) byMajority.add(made);
          index.add(made);
          return made;
        });
        for (const made of commands) {
          if (byMajority.has(made)) index.prune(made, (other) => byMajority.has(other));
        }
        const found = new Set(index.conflictsBelow(command(99, asked), asked, at(99)).map(keyOf));
        for (const lost of commands) {
          const participants = lost.definition?.participants ?? asked;
          if (!meets(participants, asked) || found.has(lost.key)) continue;
          // Behind it, met by it, applied by a majority, and still named.
          const prune = commands.some(
            (later) =>
              found.has(later.key) &&
              byMajority.has(later) &&
              meets(later.definition?.participants ?? participants, participants) &&
              compare(later.executeAt ?? ZERO, lost.executeAt ?? ZERO) > 0,
          );
          expect(byMajority.has(lost)).toBe(true);
          expect(prune).toBe(true);
        }
      }),
    );
  });

  test('a command that is not applied, executes later, or touches another slot stays', () => {
    const index = new ConflictIndex(0, CONFLICT_SLOTS);
    const stable = command(1, participantsOf([1]), Status.Stable);
    const later = command(2, participantsOf([1]), Status.Applied);
    later.executeAt = at(9);
    const elsewhere = command(3, participantsOf([2]), Status.Applied);
    const covered = command(4, participantsOf([1]), Status.Applied);
    const prune = command(5, participantsOf([1]), Status.Applied);
    for (const each of [stable, later, elsewhere, covered, prune]) index.add(each);
    index.prune(prune, everybody);
    expect([stable, later, elsewhere, covered, prune].map(({ indexed }) => indexed)).toEqual([
      1, 1, 1, 0, 1,
    ]);
  });

  test('the highest time stays when the conflict goes', () => {
    const index = new ConflictIndex(0, CONFLICT_SLOTS);
    const old = command(1, participantsOf([1]), Status.Applied);
    index.add(old);
    index.bump(participantsOf([1]), at(8));
    index.remove(old);
    expect(index.maxConflict(participantsOf([1]))).toEqual(at(8));
  });
});

test('the table covers the slots of its group alone, and holds no memory before its first use', () => {
  const index = new ConflictIndex(1_000, 1_002);
  expect(index.maxConflict(participantsOf([1_000, 1_001]))).toBe(ZERO);
  index.forEachConflict(participantsOf([1_001]), () => expect.unreachable());
  index.add(command(3, WHOLE_STORE));
  index.raiseFloor(at(2));
  expect(index.isAllocated).toBe(false);
  index.bump(participantsOf([1_001]), at(5));
  expect(index.isAllocated).toBe(true);
  const first = command(6, participantsOf([1_000, 1_001]));
  index.add(first);
  expect(index.maxConflict(participantsOf([1_000]))).toEqual(at(2));
  expect(index.maxConflict(participantsOf([1_001]))).toEqual(at(5));
  expect(
    index.conflictsBelow(command(9, participantsOf([1_001])), participantsOf([1_001]), at(9)),
  ).toEqual([at(3), at(6)]);
  index.remove(first);
  expect(index.size).toBe(1);
});
