/** The body of a transaction over several groups, and what it has read in them. */
import { expect, test } from 'vitest';
import { participantsOf, WHOLE_STORE } from '../../../../actors/accord/primitives/participants.ts';
import {
  decodeReads,
  decodeSpanningBody,
  encodeReads,
  encodeSpanningBody,
} from '../../../../actors/accord/primitives/spanning-body.ts';

const PARTS = [
  { group: { range: 1, generation: 9 }, participants: participantsOf([5, 70, 65_535]) },
  { group: { range: 2 ** 32 - 1, generation: 1 }, participants: WHOLE_STORE },
] as const;
const COMMANDS = Uint8Array.from([1, 2, 3]);

test('a body is read as it was written, wherever it lies', () => {
  const body = encodeSpanningBody(PARTS, COMMANDS);
  const shifted = Buffer.concat([Buffer.alloc(3), body]).subarray(3);
  expect(decodeSpanningBody(shifted)).toEqual({ parts: PARTS, commands: Buffer.from(COMMANDS) });
});

test('a body that is cut short, or names its groups twice or out of order, is none', () => {
  const body = encodeSpanningBody(PARTS, new Uint8Array(0));
  for (let end = 0; end < body.length; end += 1) {
    expect(() => decodeSpanningBody(body.subarray(0, end))).toThrow(RangeError);
  }
  const [first, second] = PARTS;
  for (const parts of [[first], [first, first], [second, first]]) {
    expect(() => decodeSpanningBody(encodeSpanningBody(parts, COMMANDS))).toThrow(RangeError);
  }
});

test('what was read comes back group by group', () => {
  const entries = [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)];
  const reads = encodeReads(entries);
  expect(decodeReads(reads)).toEqual(entries);
  expect(() => decodeReads(reads.subarray(0, -1))).toThrow(RangeError);
  expect(() => decodeReads(reads.subarray(0, 2))).toThrow(RangeError);
});
