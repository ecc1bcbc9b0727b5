import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameError } from '../../../transport/peer/frame-error.ts';
import { FrameReader } from '../../../transport/peer/frame-reader.ts';

function onWire(frames: readonly Uint8Array[]): Buffer {
  const parts: Uint8Array[] = [];
  for (const frame of frames) {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(frame.length);
    parts.push(length, frame);
  }
  return Buffer.concat(parts);
}

function readInPieces(stream: Buffer, cuts: readonly number[], frameBytesMax = 1 << 20): Buffer[] {
  const frames: Buffer[] = [];
  const reader = new FrameReader(frameBytesMax, (frame) => frames.push(Buffer.from(frame)));
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    reader.push(stream.subarray(at, cut));
    at = cut;
  }
  reader.push(stream.subarray(at));
  return frames;
}

test('frames come out whole and in order however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 }),
      (frames, cuts) => {
        const stream = onWire(frames);
        const at = cuts.map((cut) => Math.floor(cut * stream.length));
        expect(readInPieces(stream, at)).toEqual(frames.map((frame) => Buffer.from(frame)));
      },
    ),
  );
});

test('byte by byte, with signs of life between the frames', () => {
  const none = new Uint8Array(0);
  const stream = onWire([none, Buffer.from('one'), none, none, Buffer.from('two'), none]);
  const everywhere = Array.from({ length: stream.length }, (_, index) => index);
  expect(readInPieces(stream, everywhere).map(String)).toEqual(['one', 'two']);
});

test('a frame at the limit passes, one above it is an error before its bytes arrive', () => {
  expect(readInPieces(onWire([Buffer.alloc(100)]), [], 100)).toHaveLength(1);
  const reader = new FrameReader(100, () => undefined);
  expect(() => reader.push(Buffer.from([0, 0, 0, 101]))).toThrow(FrameError);
});
