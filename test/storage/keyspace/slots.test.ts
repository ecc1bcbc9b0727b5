import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CONFLICT_SLOTS,
  hashOfBytes,
  hashOfText,
  POSITIONS,
  placeOfText,
  positionOf,
  slotOfText,
} from '../../../storage/keyspace/slots.ts';

describe('slots', () => {
  it('are the same for bytes and text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.nat(10), (bytes, from) => {
        const text = Buffer.from(bytes.subarray(from)).toString('latin1');
        expect(hashOfBytes(bytes, Math.min(from, bytes.length), bytes.length)).toBe(
          hashOfText(text),
        );
        expect(slotOfText(text)).toBe(hashOfText(text) >>> 16);
      }),
    );
  });

  it('never change: cursors and files carry them', () => {
    const positions = ['', 'a', 'key:000000000001', '\xff\x00'].map((key) =>
      positionOf(slotOfText(key), placeOfText(key)),
    );
    expect(positions).toMatchInlineSnapshot(`
      [
        188282852766397,
        29138732061114,
        33682425641438,
        235565051610091,
      ]
    `);
  });

  it('are in range and spread evenly over similar keys', () => {
    const counts = new Uint32Array(CONFLICT_SLOTS);
    const keys = 20 * CONFLICT_SLOTS;
    for (let i = 0; i < keys; i++) {
      const slot = slotOfText(`key:${String(i).padStart(12, '0')}`);
      counts[slot] = (counts[slot] ?? Number.NaN) + 1;
    }
    // Twenty per slot: a Poisson distribution stays well within these.
    expect(Math.max(...counts)).toBeLessThan(60);
    expect(counts.filter((count) => count === 0).length).toBe(0);
    const variance = counts.reduce((sum, count) => sum + (count - 20) ** 2, 0) / CONFLICT_SLOTS;
    expect(variance).toBeGreaterThan(17);
    expect(variance).toBeLessThan(23);
  });

  it('positions tell similar keys apart', () => {
    const seen = new Set<number>();
    for (let i = 0; i < 200_000; i++) {
      const key = `user:${i}:name`;
      const position = positionOf(slotOfText(key), placeOfText(key));
      if (position >= 0 && position < POSITIONS) seen.add(position);
    }
    expect(seen.size).toBe(200_000);
  });
});
