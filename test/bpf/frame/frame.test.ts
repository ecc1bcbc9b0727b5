/** The frame: fields survive, damage of any bit is noticed, limits are kept. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bareOkKind,
  checkFrame,
  encodeBareOk,
  encodeFrame,
  FRAME_BYTES_MAX,
  FRAME_FLAG,
  FRAME_HEADER_BYTES,
  FrameKind,
  frameBody,
  frameKind,
  frameRound,
  GENERATION_MAX,
  ROUND_OFFSET,
  readHeader,
} from '../../../bpf/frame/frame.ts';
import { sipKey } from '../../../bpf/frame/siphash.ts';
import { bareOkFrame, header, key } from '../support.ts';

const stamp = fc.record({
  hlc: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
  flags: fc.nat({ max: 0xffff }),
  node: fc.nat({ max: 0xffffffff }),
  store: fc.nat({ max: 0xffff }),
});

const anyHeader = fc.record({
  kind: fc.constantFrom(...Object.values(FrameKind)),
  flags: fc.constantFrom(0, FRAME_FLAG.plain),
  sender: fc.nat({ max: 15 }),
  slot: fc.nat({ max: 0xffffffff }),
  group: fc.nat({ max: 0xffff }),
  need: fc.nat({ max: 16 }),
  generation: fc.nat({ max: GENERATION_MAX }),
  txn: stamp,
  ballot: stamp,
  groupId: fc.record({
    range: fc.nat({ max: 0xffffffff }),
    generation: fc.nat({ max: 0xffffffff }),
  }),
});

describe('frame', () => {
  test('every field and the body survive', () => {
    fc.assert(
      fc.property(anyHeader, fc.uint8Array({ maxLength: 200 }), (fields, body) => {
        const frame = encodeFrame(fields, key, body);
        expect(checkFrame(frame, key)).toBeUndefined();
        expect(readHeader(frame)).toEqual(fields);
        expect(Buffer.compare(frameBody(frame), body)).toBe(0);
      }),
    );
  });

  test('the layout on the wire', () => {
    const frame = encodeFrame(
      header({ slot: 0x01020304, group: 0x0506, need: 7, generation: 0x0a0b0c0d0e0f }),
      key,
    );
    const hex = Buffer.from(frame).toString('hex');
    expect(hex.slice(0, 48)).toBe('484f4c4f0203000001020304050607000000' + '0a0b0c0d0e0f');
    expect(frame).toHaveLength(FRAME_HEADER_BYTES);
    // hlc 1.7e15, flags 2, store 3, node 7; ballot zero; range 5, generation 6; zeros
    const txn = '00060a24181e4000' + '0002' + '0003' + '00000007';
    const groupId = '00000005' + '00000006';
    expect(hex.slice(48, 144)).toBe(`${txn}${'00'.repeat(16)}${groupId}${'00'.repeat(8)}`);
  });

  test('any single flipped bit is noticed', () => {
    const frame = encodeFrame(header(), key, Buffer.from('SET a 1'));
    for (let bit = 0; bit < frame.length * 8; bit += 1) {
      const damaged = Uint8Array.from(frame);
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(checkFrame(damaged, key), `bit ${bit}`).toBeDefined();
    }
  });

  test('defects are reported by name', () => {
    const frame = bareOkFrame();
    const changed = (at: number, value: number): Uint8Array => {
      const copy = Uint8Array.from(frame);
      copy[at] = value;
      return copy;
    };
    expect(checkFrame(frame.subarray(0, 79), key)).toBe('short');
    expect(checkFrame(changed(0, 0), key)).toBe('magic');
    expect(checkFrame(changed(4, 9), key)).toBe('version');
    expect(checkFrame(changed(5, 0), key)).toBe('kind');
    expect(checkFrame(changed(5, 13), key)).toBe('kind');
    expect(checkFrame(changed(6, 3), key)).toBe('flags');
    expect(checkFrame(changed(7, 16), key)).toBe('sender');
    expect(checkFrame(changed(20, 1), key)).toBe('tag');
    expect(checkFrame(frame, sipKey(new Uint8Array(16)))).toBe('tag');
  });

  test('a body cut short or made longer is noticed', () => {
    const frame = encodeFrame(header(), key, new Uint8Array(16));
    expect(checkFrame(frame.subarray(0, 88), key)).toBe('tag');
    expect(checkFrame(Buffer.concat([frame, new Uint8Array(8)]), key)).toBe('tag');
  });

  test('a plain reply speaks of the same round with its own tag', () => {
    const request = encodeFrame(header(), key, Buffer.from('body'));
    const reply = encodeBareOk(request, 2, key);
    expect(checkFrame(reply, key)).toBeUndefined();
    expect(readHeader(reply)).toEqual(
      header({ kind: FrameKind.preAcceptSame, flags: FRAME_FLAG.plain, sender: 2 }),
    );
    expect(frameRound(reply)).toEqual(frameRound(request));
    expect(reply).toHaveLength(FRAME_HEADER_BYTES);
  });

  test('only requests have a plain reply', () => {
    const pairs = Object.values(FrameKind).map((kind) => bareOkKind(kind));
    expect(pairs).toEqual([
      2,
      undefined,
      4,
      undefined,
      6,
      undefined,
      8,
      undefined,
      10,
      undefined,
      undefined,
      undefined,
    ]);
    expect(() => encodeBareOk(bareOkFrame(), 1, key)).toThrow(RangeError);
  });

  test('fields that do not fit are refused', () => {
    for (const bad of [
      { sender: 16 },
      { generation: GENERATION_MAX + 1 },
      { generation: -1 },
      { slot: 2 ** 32 },
      { need: 17 },
      { groupId: { range: 0.5, generation: 1 } },
      { groupId: { range: 1, generation: 2 ** 32 } },
      { txn: { hlc: 2 ** 53, flags: 0, node: 0, store: 0 } },
      { txn: { hlc: 0, flags: 0, node: 2 ** 32, store: 0 } },
      { ballot: { hlc: 0, flags: 0, node: 0, store: 65536 } },
      { ballot: { hlc: 0, flags: 65536, node: 0, store: 0 } },
    ]) {
      expect(() => encodeFrame(header(bad), key), JSON.stringify(bad)).toThrow(RangeError);
    }
  });

  test('a frame has a largest size', () => {
    const body = new Uint8Array(FRAME_BYTES_MAX - FRAME_HEADER_BYTES);
    expect(frameKind(encodeFrame(header(), key, body))).toBe(FrameKind.preAccept);
    expect(() => encodeFrame(header(), key, new Uint8Array(body.length + 1))).toThrow(RangeError);
  });

  test('a round does not change with the frame that it was taken from', () => {
    const frame = encodeFrame(header(), key);
    const taken = frameRound(frame);
    const before = Uint8Array.from(taken);
    frame.fill(0xff);
    expect(taken).toEqual(before);
  });

  test('TxnId, ballot and group id begin at a multiple of eight', () => {
    expect(ROUND_OFFSET % 8).toBe(0);
  });
});
