/** The hash against the reference implementation's vectors, and its handling of a gap. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { sipHash24, sipKey } from '../../../bpf/frame/siphash.ts';
import { vectorDirectory } from '../support.ts';

const referenceKey = sipKey(Uint8Array.from({ length: 16 }, (_, index) => index));

function hash(data: Uint8Array, ...rest: [number?, number?, number?]): string {
  const out = new Uint32Array(2);
  sipHash24(referenceKey, data, out, ...rest);
  return Buffer.from(out.buffer).toString('hex');
}

test('all 64 vectors of the reference implementation', () => {
  const file = readFileSync(join(vectorDirectory, 'siphash-2-4.json'), 'utf8');
  const { outputs }: { outputs: string[] } = JSON.parse(file);
  expect(outputs).toHaveLength(64);
  outputs.forEach((expected, length) => {
    const data = Uint8Array.from({ length }, (_, index) => index);
    expect(hash(data), `length ${length}`).toBe(expected);
  });
});

test('a gap is as if it had been cut out', () => {
  const whole = Uint8Array.from({ length: 61 }, (_, index) => (index * 7) & 0xff);
  for (const end of [8, 16, 24, 25, 40, 61]) {
    const cut = Uint8Array.from([...whole.subarray(0, 8), ...whole.subarray(16, end)]);
    expect(hash(whole, end, 8, 16), `end ${end}`).toBe(hash(cut));
  }
});

test('data longer than 255 bytes: the length counts modulo 256', () => {
  expect(hash(new Uint8Array(256))).not.toBe(hash(new Uint8Array(0)));
  expect(hash(new Uint8Array(300))).not.toBe(hash(new Uint8Array(301)));
});

test('a key of another size is refused', () => {
  expect(() => sipKey(new Uint8Array(15))).toThrow(RangeError);
});
