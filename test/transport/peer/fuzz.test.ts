/**
 * A share of the fuzzing of what peers send; `fuzz-replica.ts`, `fuzz-codec.ts` and
 * `fuzz-handshake.ts` are commands that run as much as they are told. A failure prints the seed and the frame.
 */
import { expect, test } from 'vitest';
import { DEFECTS } from '../../../actors/accord/messages/field-validation.ts';
import { fuzzCodec } from './fuzz-codec.ts';
import { fuzzHandshake } from './fuzz-handshake.ts';
import { fuzzReplica } from './fuzz-replica.ts';

const LONG_MS = 120_000;

test(
  'damaged frames: nothing throws, nothing unsound is said, memory stays bounded',
  () => {
    const report = fuzzReplica(40_000, 20);
    expect(report.heapMbMax).toBeLessThan(1_024);
    // It has looked at all kinds of damage, and behind the door as well.
    expect(Object.keys(report.refused).sort()).toEqual(
      DEFECTS.filter((defect) => defect !== 'size').sort(),
    );
    expect(report.undecodable).toBeGreaterThan(1_000);
    expect(report.accepted).toBeGreaterThan(4_000);
    expect(report.answers).toBeGreaterThan(1_000);
  },
  LONG_MS,
);

test(
  'hostile CBOR: messages or a FrameError, soon and in bounded memory',
  () => {
    const report = fuzzCodec(40_000, 1);
    expect(report.heapMbMax).toBeLessThan(1_024);
    expect(report.decoded).toBeGreaterThan(1_000);
    expect(report.refused['HOLO_FRAME_CONTENT']).toBeGreaterThan(8_000);
  },
  LONG_MS,
);

test('greetings: nothing throws, and only a sound one opens a link', () => {
  const report = fuzzHandshake(50_000, 1);
  expect(report.opened).toBeGreaterThan(500);
  expect(report.refused['identity']).toBeGreaterThan(500);
  expect(report.refused['protocol']).toBeGreaterThan(5_000);
});
