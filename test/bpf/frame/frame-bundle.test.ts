/** Bundles: what goes in comes out, byte for byte; what is not wholly well-formed gives nothing. */
import { describe, expect, test } from 'vitest';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import {
  encodeFrame,
  FRAME_HEADER_BYTES,
  FrameKind,
  frameKind,
  frameSender,
  isFrame,
  writeHeader,
} from '../../../bpf/frame/frame.ts';
import {
  BUNDLE_FRAMES_MAX,
  bundleBytes,
  encodeBundle,
  framesOfBundle,
} from '../../../bpf/frame/frame-bundle.ts';
import { bareOkFrame, header, key } from '../support.ts';

const request = (bodyBytes: number, sender = 3): Uint8Array =>
  encodeFrame(header({ sender, slot: bodyBytes }), key, new Uint8Array(bodyBytes).fill(bodyBytes));

describe('a bundle', () => {
  test('holds its frames in order, in as many bytes as was said', () => {
    const frames = [request(0), request(1), request(300)];
    const bundle = encodeBundle(frames, 9);
    expect([frameKind(bundle), frameSender(bundle)]).toEqual([FrameKind.bundle, 3]);
    expect(bundle).toHaveLength(bundleBytes(3, 3 * FRAME_HEADER_BYTES + 301));
    expect(framesOfBundle(bundle)?.map((frame) => Buffer.from(frame))).toEqual(frames);
  });

  test('carries nothing but its frames: their tags are zero', () => {
    const frame = Buffer.alloc(FRAME_HEADER_BYTES, 0x55);
    writeHeader(frame, header({ sender: 3 }));
    const [inner] = framesOfBundle(Buffer.from(encodeBundle([frame], 9))) ?? [];
    expect(Buffer.from(inner?.subarray(-8) ?? '')).toEqual(Buffer.alloc(8));
  });

  test('of more frames than the limit gives nothing', () => {
    const frames = Array.from({ length: BUNDLE_FRAMES_MAX + 1 }, () => request(0));
    expect(framesOfBundle(encodeBundle(frames, 9))).toBeUndefined();
    expect(framesOfBundle(encodeBundle(frames.slice(1), 9))).toHaveLength(BUNDLE_FRAMES_MAX);
  });

  test('of no frames cannot be made', () => {
    expect(() => encodeBundle([], 9)).toThrow(RangeError);
  });

  test.each([
    ['a frame of another sender', encodeBundle([request(5), request(5, 4)], 9)],
    ['a plain reply', encodeBundle([bareOkFrame({ sender: 3 })], 9)],
    ['a bundle', encodeBundle([encodeBundle([request(5)], 9)], 9)],
    ['something that is no frame', encodeBundle([request(5), new Uint8Array(90)], 9)],
    ['a frame that is cut off', encodeBundle([request(5), request(6)], 9).subarray(0, -1)],
    ['half a length', encodeBundle([request(5)], 9).subarray(0, FRAME_HEADER_BYTES + 3)],
  ])('with %s gives nothing', (_what, bundle) => {
    const whole = Buffer.from(bundle);
    // The last frame of another sender must not decide whose bundle it is.
    expect(framesOfBundle(whole)).toBeUndefined();
  });

  test('that is damaged gives nothing, or frames that lie within it', () => {
    const rng = new SeededRng(7);
    const below = (limit: number): number => Math.floor(rng.next() * limit);
    const bundle = encodeBundle([request(40), request(0), request(80)], 9);
    for (let i = 0; i < 20_000; i += 1) {
      const damaged = Buffer.from(bundle);
      for (let flips = 1 + below(4); flips > 0; flips -= 1) {
        damaged[FRAME_HEADER_BYTES + below(damaged.length - FRAME_HEADER_BYTES)] = below(256);
      }
      for (const frame of framesOfBundle(damaged) ?? []) {
        expect(isFrame(frame) && frame.length <= damaged.length).toBe(true);
      }
    }
  });
});
