import { crc32 } from 'node:zlib';
import { Encoder } from 'cbor-x';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  Channel,
  decodeFrame,
  encodeFrame,
  FRAME_VERSION,
  type FrameSection,
  MESSAGES_MAX,
} from '../../../transport/peer/codec.ts';
import { FrameError } from '../../../transport/peer/frame-error.ts';
import { GROUP, messagesOf, protocolFrame } from './frames.ts';

const id = { hlc: 1_763_700_000_000_000, flags: 2, node: 3, store: 0 };

function carry(messages: readonly object[]): readonly object[] {
  return messagesOf(protocolFrame(messages));
}

function parts(messages: readonly object[]): Uint8Array[] {
  return encodeFrame(Channel.protocol, [{ ...GROUP, messages }]);
}

/** A frame with valid lengths and checksum around any CBOR bytes. */
function frameAround(cbor: Uint8Array, bodies = 0, tail: Uint8Array = new Uint8Array()): Buffer {
  const frame = Buffer.alloc(14 + cbor.length + tail.length);
  frame[0] = FRAME_VERSION;
  frame[5] = Channel.protocol;
  frame.writeUInt32BE(cbor.length, 6);
  frame.writeUInt32BE(bodies, 10);
  frame.set(cbor, 14);
  frame.set(tail, 14 + cbor.length);
  frame.writeUInt32BE(crc32(frame.subarray(5)), 1);
  return frame;
}

function codeOf(frame: Uint8Array): string {
  try {
    decodeFrame(frame);
  } catch (error) {
    if (error instanceof FrameError) {
      return error.code;
    }
    throw error;
  }
  return 'decoded';
}

describe('the decoded messages equal the encoded ones', () => {
  test('numbers up to 2^53, null, booleans, text, nested objects and arrays', () => {
    const messages = [
      { type: 'PreAcceptOk', id, vote: { ...id, hlc: 2 ** 53 - 1 }, deps: null },
      {
        type: 'Nack',
        small: [0, 1, 23, 24, 255, 256, 65_536, 2 ** 32 - 1, 2 ** 32, -1, -2147483649],
      },
      { type: 'Text', text: 'päöß€\u{1f600}', empty: '', yes: true, no: false },
    ];
    expect(carry(messages)).toEqual(messages);
    expect(carry([])).toEqual([]);
  });

  test('byte strings come back as bytes', () => {
    const deps = Uint8Array.from([0, 1, 254, 255]);
    const [message] = carry([{ type: 'Stable', deps }]) as [{ deps: Uint8Array }];
    expect(message.deps).toBeInstanceOf(Uint8Array);
    expect(Array.from(message.deps)).toEqual([0, 1, 254, 255]);
  });

  test.each([0, 1, 1000, 100_000])('bodies of %i bytes', (length) => {
    const body = Buffer.alloc(length, 0xa5);
    const frame = protocolFrame([
      { type: 'PreAccept', id, body, slots: null },
      { type: 'CommitOk', id },
      { type: 'Stable', body: Uint8Array.from([1]) },
    ]);
    const messages = messagesOf(frame) as { type: string; body?: Uint8Array }[];
    expect(messages.map((message) => message.type)).toEqual(['PreAccept', 'CommitOk', 'Stable']);
    expect(messages[0]?.body).toBeInstanceOf(Uint8Array);
    expect(Buffer.compare(messages[0]?.body ?? new Uint8Array([9]), body)).toBe(0);
    expect(messages[0]?.body?.buffer).toBe(frame.buffer);
    expect(messages[1]).not.toHaveProperty('body');
    expect(Array.from(messages[2]?.body ?? [])).toEqual([1]);
  });

  test('a large body is not copied', () => {
    const body = Buffer.alloc(1 << 20);
    expect(parts([{ type: 'PreAccept', body }])[1]).toBe(body);
  });

  test('the message that was given is not changed', () => {
    const message = Object.freeze({ type: 'PreAccept', body: new Uint8Array(3) });
    carry([message]);
    expect(message.body).toHaveLength(3);
  });

  test('any plain messages', () => {
    const field = fc.oneof(
      fc.integer({ min: -(2 ** 31), max: 2 ** 31 }),
      fc.maxSafeNat(),
      fc.string({ unit: 'grapheme' }),
      fc.boolean(),
      fc.constant(null),
      fc.record({ node: fc.nat(), hlc: fc.maxSafeNat() }),
    );
    const message = fc.record({ type: fc.string(), a: field, b: fc.array(field) });
    fc.assert(
      fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
        expect(carry(messages)).toEqual(messages.map((each) => ({ ...each })));
      }),
      { numRuns: 200 },
    );
  });

  test('too many messages are refused before they are sent', () => {
    const many = new Array<object>(MESSAGES_MAX + 1).fill({});
    expect(() => parts(many)).toThrow(FrameError);
    const half = { ...GROUP, messages: many.slice(MESSAGES_MAX / 2) };
    expect(() => encodeFrame(Channel.protocol, [half, half])).toThrow(FrameError);
  });

  test('sections in their order, each with its group and its messages', () => {
    const body = (byte: number, bytes: number): Buffer => Buffer.alloc(bytes, byte);
    const sections: FrameSection[] = [
      { range: 1, generation: 1, messages: [{ type: 'A' }, { type: 'B', body: body(1, 3) }] },
      { range: 2 ** 32 - 1, generation: 0, messages: [] },
      { range: 7, generation: 2 ** 32 - 1, messages: [{ type: 'C', body: body(2, 40_000) }] },
      { range: 1, generation: 1, messages: [{ type: 'D', body: body(3, 0) }] },
    ];
    const frame = Buffer.concat(encodeFrame(Channel.protocol, sections));
    expect(decodeFrame(frame)).toEqual({ channel: Channel.protocol, sections });
  });

  test('the channel; of one that is not spoken nothing else is read', () => {
    const messages = [{ type: 'ClockProbe', sentMs: 1 }];
    for (const channel of Object.values(Channel)) {
      const frame = Buffer.concat(encodeFrame(channel, [{ ...GROUP, messages }]));
      const spoken = channel !== Channel.meta;
      const sections = spoken ? [{ ...GROUP, messages }] : [];
      expect(decodeFrame(frame)).toEqual({ channel, sections });
    }
    const nonsense = frameAround(Buffer.from('ffff', 'hex'));
    nonsense[5] = 99;
    nonsense.writeUInt32BE(crc32(nonsense.subarray(5)), 1);
    expect(decodeFrame(nonsense)).toEqual({ channel: 99, sections: [] });
  });
});

describe('malformed frames', () => {
  const sample = protocolFrame([
    { type: 'PreAccept', id, deps: new Uint8Array(40), slots: null, body: Buffer.alloc(200, 7) },
    { type: 'PreAcceptOk', id, vote: id, deps: null },
  ]);
  /** One section of group 1.1 whose messages are these bytes of CBOR. */
  const inSection = (hex: string): Buffer => Buffer.from(`81830101${hex}`, 'hex');

  test('each kind has its code', () => {
    expect(codeOf(sample.subarray(0, 12))).toBe('HOLO_FRAME_TRUNCATED');
    const version = Buffer.from(sample);
    version[0] = 9;
    expect(codeOf(version)).toBe('HOLO_FRAME_VERSION');
    const flipped = Buffer.from(sample);
    flipped[20] = (flipped[20] ?? 0) ^ 1;
    expect(codeOf(flipped)).toBe('HOLO_FRAME_CHECKSUM');
    expect(codeOf(frameAround(Buffer.from('83', 'hex')))).toBe('HOLO_FRAME_CONTENT');
    expect(codeOf(frameAround(Buffer.from('a0', 'hex')))).toBe('HOLO_FRAME_CONTENT');
    expect(codeOf(frameAround(inSection('8101')))).toBe('HOLO_FRAME_CONTENT');
    expect(codeOf(frameAround(inSection('81a0')))).toBe('decoded');
    expect(codeOf(frameAround(Buffer.from('80', 'hex'), 1))).toBe('HOLO_FRAME_TRUNCATED');
  });

  test('a section is two numbers and an array of messages', () => {
    for (const hex of [
      '8101',
      '81a0',
      '8180',
      '81820101',
      '8184010180a0',
      '818301f680',
      '81832001',
    ]) {
      expect([hex, codeOf(frameAround(Buffer.from(hex, 'hex')))]).toEqual([
        hex,
        'HOLO_FRAME_CONTENT',
      ]);
    }
    const encoder = new Encoder({ useRecords: false });
    for (const group of [
      [1, -1],
      [1.5, 1],
      [2 ** 32, 1],
      ['1', 1],
      [null, 1],
      [1, true],
    ]) {
      const cbor = encoder.encode([[...group, []]]);
      expect([group, codeOf(frameAround(cbor))]).toEqual([group, 'HOLO_FRAME_CONTENT']);
    }
  });

  test('bodies must belong to one message each and use the frame up', () => {
    const one = inSection('81a0');
    const entry = (owner: number, length: number): Buffer => {
      const bytes = Buffer.alloc(8);
      bytes.writeUInt32BE(owner, 0);
      bytes.writeUInt32BE(length, 4);
      return bytes;
    };
    const tail = (...parts: Uint8Array[]): Buffer => Buffer.concat(parts);
    expect(codeOf(frameAround(one, 1, tail(entry(0, 2), Buffer.alloc(2))))).toBe('decoded');
    expect(codeOf(frameAround(one, 1, entry(1, 0)))).toBe('HOLO_FRAME_CONTENT');
    expect(codeOf(frameAround(one, 1, entry(0, 1)))).toBe('HOLO_FRAME_CONTENT');
    expect(codeOf(frameAround(one, 1, entry(0, 0xffffffff)))).toBe('HOLO_FRAME_CONTENT');
    expect(codeOf(frameAround(one, 2, tail(entry(0, 0), entry(0, 0))))).toBe('HOLO_FRAME_CONTENT');
    expect(codeOf(frameAround(one, 0, Buffer.alloc(3)))).toBe('HOLO_FRAME_CONTENT');
    const named = new Encoder({ useRecords: false }).encode([[1, 1, [{ body: 1 }]]]);
    expect(codeOf(frameAround(named, 1, entry(0, 0)))).toBe('HOLO_FRAME_CONTENT');
  });

  test('tags outside the protocol are refused, also where reading them would take for ever', () => {
    for (const hex of [
      '81c11a00000000',
      '81c249010000000000000000',
      '81d81b8266526567457870612e',
    ]) {
      expect(codeOf(frameAround(Buffer.from(hex, 'hex')))).toBe('HOLO_FRAME_CONTENT');
    }
    // Sixty nested shared values, each of which used to be read twice.
    const nested = Buffer.from(`81${'d81c81'.repeat(60)}d81d00`, 'hex');
    expect(codeOf(frameAround(nested))).toBe('HOLO_FRAME_CONTENT');
    const deep = Buffer.concat([Buffer.from([0x81]), Buffer.alloc(1 << 20, 0x81)]);
    expect(codeOf(frameAround(deep))).toBe('HOLO_FRAME_CONTENT');
    const hugeArray = Buffer.from('9a06ffffff', 'hex');
    expect(codeOf(frameAround(hugeArray))).toBe('HOLO_FRAME_CONTENT');
  });

  test('a malformed frame leaves nothing behind for the next one', () => {
    const poison = Buffer.from('81d9dfff8519e00081616101', 'hex');
    codeOf(frameAround(poison));
    expect(messagesOf(sample)).toHaveLength(2);
    expect(carry([{ type: 'CommitOk', id }])).toEqual([{ type: 'CommitOk', id }]);
  });

  test('every truncation', () => {
    for (let length = 0; length < sample.length; length += 1) {
      expect(codeOf(sample.subarray(0, length))).not.toBe('decoded');
    }
  });

  test('every bit flip', () => {
    for (let bit = 0; bit < sample.length * 8; bit += 1) {
      const frame = Buffer.from(sample);
      frame[bit >> 3] = (frame[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(codeOf(frame)).not.toBe('decoded');
    }
  });

  test('random bytes, and random damage behind a valid checksum, give a FrameError or messages', () => {
    const before = process.memoryUsage().rss;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        codeOf(bytes);
        codeOf(frameAround(bytes));
        const array = frameAround(Buffer.concat([Buffer.from([0x81]), bytes]));
        codeOf(array);
      }),
      { numRuns: 5000 },
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(sample.length - 6), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (damage) => {
          const frame = Buffer.from(sample);
          for (const [offset, byte] of damage) {
            frame[5 + offset] = byte;
          }
          frame.writeUInt32BE(crc32(frame.subarray(5)), 1);
          codeOf(frame);
        },
      ),
      { numRuns: 5000 },
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(400 << 20);
  });
});
