/** Replies in pieces: every byte once, in order, and the memory that they keep. */
import { describe, expect, test } from 'vitest';
import { ReplyWriter } from '../../../../transport/resp/codec/encoder.ts';
import { LongReply } from '../../../../transport/resp/codec/long-reply.ts';

const TEXT = Array.from({ length: 40_000 }, (_, i) => String.fromCharCode(i & 255)).join('');
const OTHER = `${TEXT.slice(1)}!`;

function allOf(reply: LongReply, bytes: number): string {
  const taken: Uint8Array[] = [];
  while (reply.length > 0) taken.push(reply.next(bytes));
  return Buffer.concat(taken).toString('latin1');
}

describe('a long reply', () => {
  test.each([1, 7, 39_999, 40_001, 1e6])('gives its bytes in order, %i at a time', (bytes) => {
    const reply = new LongReply();
    for (const piece of [Buffer.from('ab'), TEXT, Buffer.from('c'), OTHER]) reply.add(piece);
    expect(allOf(reply, bytes)).toBe(`ab${TEXT}c${OTHER}`);
    expect(reply.keptBytes).toBe(0);
  });

  test('keeps a text that follows itself once, until its last byte is taken', () => {
    const reply = new LongReply();
    for (let i = 0; i < 100; i += 1) reply.add(TEXT);
    expect(reply.keptBytes).toBeLessThan(2 * TEXT.length);
    reply.next(99 * TEXT.length);
    expect(reply.keptBytes).toBeGreaterThan(TEXT.length);
    reply.add(OTHER);
    expect(reply.keptBytes).toBeGreaterThan(2 * TEXT.length);
    reply.next(2 * TEXT.length);
    expect(reply.keptBytes).toBe(0);
  });

  test.each([0, 1, 2, 3, 40_001, 40_002, 40_003])('is cut back to %i bytes', (length) => {
    const reply = new LongReply();
    for (const piece of [Buffer.from('ab'), TEXT, Buffer.from('c'), OTHER]) reply.add(piece);
    reply.cutBack(length);
    reply.add(Buffer.from('z'));
    expect(allOf(reply, 1_000)).toBe(`${`ab${TEXT}c`.slice(0, length)}z`);
    expect(reply.keptBytes).toBe(0);
  });
});

describe('a writer', () => {
  test('renders the same bytes, taken whole or in pieces', () => {
    const [whole, pieces] = [new ReplyWriter(2), new ReplyWriter(2)];
    for (const writer of [whole, pieces]) {
      for (let i = 0; i < 10; i += 1) {
        writer.bulk(TEXT);
        writer.integer(i);
        for (let n = 0; n < 3_000; n += 1) writer.bulk('0123456789');
      }
    }
    const { length } = whole;
    const bytes = Buffer.from(whole.take());
    expect(bytes.length).toBe(length);
    expect(allOf(pieces.takePieces(), 50_000)).toBe(bytes.toString('latin1'));
    expect([whole.length, pieces.length]).toEqual([0, 0]);
  });

  test('drops what exceeds its limit, and is cut back to a reply', () => {
    const writer = new ReplyWriter(2);
    writer.keptBytesMax = 100_000;
    writer.bulk(TEXT);
    const { length } = writer;
    expect(writer.overflowed).toBe(false);
    for (let i = 0; i < 5; i += 1) writer.bulk(`${i}${TEXT}`);
    expect(writer.overflowed).toBe(true);
    expect(writer.allowMore()).toBe(false);
    expect(writer.length).toBe(length + 5 * (length + 1));
    writer.cutBack(length);
    writer.simple('OK');
    expect(Buffer.from(writer.take()).toString('latin1')).toBe(`$40000\r\n${TEXT}\r\n+OK\r\n`);
  });

  test('cuts back small replies within its slab, whatever came before', () => {
    const writer = new ReplyWriter(2);
    writer.integer(1);
    const { length } = writer;
    writer.bulk('x'.repeat(200_000));
    writer.cutBack(length);
    writer.integer(2);
    writer.cutBack(length);
    writer.integer(3);
    expect(Buffer.from(writer.take()).toString('latin1')).toBe(':1\r\n:3\r\n');
  });
});
