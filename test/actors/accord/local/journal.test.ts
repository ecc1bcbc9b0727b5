/** Log records of the protocol: every type there and back, and nothing cut short is taken. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bytesOfRecord,
  decodeRecord,
  encodeRecord,
  groupOfRecord,
  type JournalRecord,
} from '../../../../actors/accord/local/journal.ts';
import { depsOf } from '../../../../actors/accord/primitives/deps.ts';
import { participantsOf, WHOLE_STORE } from '../../../../actors/accord/primitives/participants.ts';
import { rejected } from '../../../../actors/accord/primitives/timestamp.ts';
import type { GroupDescriptor } from '../../../../actors/accord/topology/group.ts';
import { at, ballot } from '../fixture.ts';

const GROUP = { range: 7, generation: 2 ** 32 - 1 };
const stamps = fc.tuple(fc.maxSafeNat(), fc.nat(9)).map(([hlc, node]) => at(hlc, node));
const deps = fc.array(stamps, { maxLength: 4 }).map((ids) => depsOf(ids));
const slots = fc.array(fc.nat(65_535), { maxLength: 5 });

const SUCCESSORS: readonly GroupDescriptor[] = [1, 2].map((range) => ({
  id: { range, generation: 2 },
  ...{ fromSlot: 100 * range, toSlot: 100 * (range + 1), members: [1, 2, 3], electorate: [1, 3] },
  ...(range === 2 && { owed: [2, 3], absent: [3] }),
  machine: 'keyspace',
}));

const records: fc.Arbitrary<JournalRecord> = fc.oneof(
  fc.record({
    type: fc.constant('Defined' as const),
    id: stamps,
    participants: fc.oneof(slots.map(participantsOf), fc.constant(WHOLE_STORE)),
    body: fc.uint8Array({ maxLength: 400, size: 'max' }),
  }),
  fc.record({
    type: fc.constant('PreAccepted' as const),
    id: stamps,
    vote: fc.oneof(stamps, stamps.map(rejected)),
    votedFast: fc.boolean(),
  }),
  fc.record({
    type: fc.constantFrom('Promised' as const, 'AcceptedInvalidate' as const),
    id: stamps,
    ballot: stamps,
  }),
  fc.record({
    type: fc.constantFrom('Accepted' as const, 'Committed' as const),
    id: stamps,
    ballot: stamps,
    executeAt: stamps,
    deps,
  }),
  fc.record({ type: fc.constant('Stable' as const), id: stamps, executeAt: stamps, deps }),
  fc.record({
    type: fc.constant('PreApplied' as const),
    id: stamps,
    reads: fc.uint8Array({ maxLength: 400, size: 'max' }),
  }),
  fc.record({ type: fc.constant('Applied' as const), id: stamps, sequence: fc.maxSafeNat() }),
  fc.record({ type: fc.constant('Invalidated' as const), id: stamps }),
  fc.record({
    type: fc.constant('Ended' as const),
    close: stamps,
    executeAt: stamps,
    successors: fc.constant(SUCCESSORS),
  }),
  fc.record({
    type: fc.constantFrom(
      'RejectBefore' as const,
      'RedundantBefore' as const,
      'DurableBefore' as const,
    ),
    before: stamps,
  }),
);

function bytesOf(record: JournalRecord): { type: number; payload: Buffer } {
  const { type, parts } = encodeRecord(GROUP, record);
  return { type, payload: Buffer.concat(parts) };
}

describe('records', () => {
  test('come back as they were, from the middle of a segment too', () => {
    fc.assert(
      fc.property(records, (record) => {
        const { type, payload } = bytesOf(record);
        const segment = new Uint8Array(payload.length + 5).fill(0xff);
        segment.set(payload, 3);
        const stored = segment.subarray(3, 3 + payload.length);
        expect(decodeRecord(type, stored)).toEqual(record);
        expect(groupOfRecord(stored)).toEqual(GROUP);
      }),
      { numRuns: 400 },
    );
  });

  test('every type has a number of its own', () => {
    const numbers = new Map<number, string>();
    fc.assert(
      fc.property(records, (record) => {
        const { type } = encodeRecord(GROUP, record);
        expect(numbers.get(type) ?? record.type).toBe(record.type);
        numbers.set(type, record.type);
      }),
      { numRuns: 400 },
    );
    expect(numbers.size).toBe(14);
  });

  test('none is longer than it is counted for before it is encoded', () => {
    fc.assert(
      fc.property(records, (record) => {
        expect(bytesOf(record).payload.length).toBeLessThanOrEqual(bytesOfRecord(record));
      }),
      { numRuns: 400 },
    );
  });

  test('a refusal stays on the vote', () => {
    const vote = rejected(at(5));
    const record = { type: 'PreAccepted', id: at(4), vote, votedFast: false } as const;
    const { type, payload } = bytesOf(record);
    expect(decodeRecord(type, payload)).toEqual(record);
  });
});

const FIXED: readonly JournalRecord[] = [
  { type: 'PreAccepted', id: at(1), vote: at(2), votedFast: true },
  { type: 'Promised', id: at(1), ballot: ballot(2) },
  { type: 'AcceptedInvalidate', id: at(1), ballot: ballot(2) },
  { type: 'Accepted', id: at(1), ballot: ballot(2), executeAt: at(3), deps: [at(0)] },
  { type: 'Committed', id: at(1), ballot: ballot(2), executeAt: at(3), deps: [at(0)] },
  { type: 'Stable', id: at(1), executeAt: at(3), deps: [at(0)] },
  { type: 'Applied', id: at(1), sequence: 7 },
  { type: 'Invalidated', id: at(1) },
  { type: 'RejectBefore', before: at(1) },
  { type: 'RedundantBefore', before: at(1) },
  { type: 'DurableBefore', before: at(1) },
  { type: 'Ended', close: at(0), executeAt: at(1), successors: SUCCESSORS },
];

describe('cut short', () => {
  test.each(FIXED)('$type throws by one byte less, and by nearly all less', (record) => {
    const { type, payload } = bytesOf(record);
    for (const length of [payload.length - 1, 5, 0]) {
      expect(() => decodeRecord(type, payload.subarray(0, length))).toThrow(RangeError);
    }
  });

  test('a definition throws when its slots are cut; its body is whatever follows', () => {
    const participants = participantsOf([1, 2, 3]);
    const { type, payload } = bytesOf({
      type: 'Defined',
      id: at(1),
      participants,
      body: new Uint8Array(0),
    });
    expect(() => decodeRecord(type, payload.subarray(0, payload.length - 1))).toThrow('cut short');
    expect(() => decodeRecord(type, payload.subarray(0, 20))).toThrow(RangeError);
  });

  test('a payload without a group throws', () => {
    expect(() => groupOfRecord(new Uint8Array(7))).toThrow('names no group');
  });

  test('an unknown type throws', () => {
    expect(() => decodeRecord(99, new Uint8Array(40))).toThrow('unknown record type 99');
  });
});
