import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CONFLICT_SLOTS,
  firstSlotOf,
  POSITIONS,
  positionOf,
  REDIS_SLOTS,
  redisSlotOf,
  slotOfBytes,
  slotOfText,
} from '../../../storage/keyspace/slots.ts';
import { placeOfText } from '../../../storage/place.ts';

/** As the specification of Redis Cluster gives it, bit by bit. */
function crc16(text: string): number {
  let crc = 0;
  for (let i = 0; i < text.length; i += 1) {
    crc ^= text.charCodeAt(i) << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = ((crc << 1) ^ ((crc & 0x8000) === 0 ? 0 : 0x1021)) & 0xffff;
    }
  }
  return crc;
}

function tagOf(key: string): string {
  const open = key.indexOf('{');
  const close = open === -1 ? -1 : key.indexOf('}', open + 1);
  return close > open + 1 ? key.slice(open + 1, close) : key;
}

const keyWithBraces = fc.string({
  unit: fc.constantFrom('a', 'b', '{', '}', '\xff'),
  maxLength: 12,
});

describe('slots', () => {
  test('are the same for bytes and text', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 50 }), fc.nat(10), (bytes, from) => {
        const start = Math.min(from, bytes.length);
        const text = Buffer.from(bytes.subarray(start)).toString('latin1');
        expect(slotOfBytes(bytes, start, bytes.length)).toBe(slotOfText(text));
      }),
    );
  });

  test('lie in the slot that Redis Cluster gives the key, or the tag in its first braces', () => {
    fc.assert(
      fc.property(keyWithBraces, fc.string({ unit: 'binary-ascii', maxLength: 3 }), (key, edge) => {
        const slot = slotOfText(key);
        const redisSlot = crc16(tagOf(key)) % REDIS_SLOTS;
        expect(redisSlotOf(slot)).toBe(redisSlot);
        expect(slot).toBeGreaterThanOrEqual(firstSlotOf(redisSlot));
        expect(slot).toBeLessThan(firstSlotOf(redisSlot + 1));
        // Braces around the key in its buffer are not its own.
        const bytes = Buffer.from(`{${edge}${key}}${edge}`, 'latin1');
        const start = 1 + edge.length;
        expect(slotOfBytes(bytes, start, start + key.length)).toBe(slot);
      }),
      { numRuns: 1_000 },
    );
  });

  test('never change: cursors and files carry them', () => {
    const positions = ['', 'a', 'key:000000000001', '\xff\x00', '{user}:1'].map((key) =>
      positionOf(slotOfText(key), placeOfText(key)),
    );
    expect(positions).toMatchInlineSnapshot(`
      [
        76444349,
        266208041898426,
        153327329606110,
        17578281468907,
        94056265464651,
      ]
    `);
  });

  test('are in range and spread evenly over similar keys', () => {
    const counts = new Uint32Array(CONFLICT_SLOTS);
    const keys = 20 * CONFLICT_SLOTS;
    for (let i = 0; i < keys; i += 1) {
      const slot = slotOfText(`key:${String(i).padStart(12, '0')}`);
      counts[slot] = (counts[slot] ?? Number.NaN) + 1;
    }
    // Twenty per slot: a Poisson distribution stays well within these.
    expect(Math.max(...counts)).toBeLessThan(60);
    expect(counts.filter((count) => count === 0).length).toBe(0);
    // The checksum of Redis is linear: some series of keys spread less evenly than at random (20).
    const variance = counts.reduce((sum, count) => sum + (count - 20) ** 2, 0) / CONFLICT_SLOTS;
    expect(variance).toBeLessThan(60);
  });

  test('spread the keys of one tag over the conflict slots of its Redis slot', () => {
    const counts = new Map<number, number>();
    for (let i = 0; i < 4_000; i += 1) {
      const slot = slotOfText(`{user}:${i}`);
      counts.set(slot, (counts.get(slot) ?? 0) + 1);
    }
    expect([...counts.keys()].map(redisSlotOf)).toEqual(
      Array.from({ length: 4 }, () => crc16('user') % REDIS_SLOTS),
    );
    for (const count of counts.values()) expect(count).toBeGreaterThan(800);
  });

  test('positions tell similar keys apart', () => {
    const seen = new Set<number>();
    for (let i = 0; i < 200_000; i += 1) {
      const key = `user:${i}:name`;
      const position = positionOf(slotOfText(key), placeOfText(key));
      if (position >= 0 && position < POSITIONS) seen.add(position);
    }
    expect(seen.size).toBe(200_000);
  });
});
