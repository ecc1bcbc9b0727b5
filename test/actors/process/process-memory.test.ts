import { expect, test } from 'vitest';
import { ProcessMemory } from '../../../actors/process/process-memory.ts';
import { humanBytes } from '../../../transport/human-bytes.ts';

test.each([
  [0, '0B'],
  [1023, '1023B'],
  [1024, '1.00K'],
  [1_572_864, '1.50M'],
  [3 * 1024 ** 3, '3.00G'],
  [2 * 1024 ** 5, '2048.00T'],
])('%d bytes are %s', (bytes, text) => {
  expect(humanBytes(bytes)).toBe(text);
});

test('remembers the most that was seen', () => {
  const memory = new ProcessMemory();
  const ballast = Buffer.alloc(64 * 1024 * 1024, 1);
  const { allocatedBytes, peakBytes } = memory.sample();
  expect(allocatedBytes).toBeGreaterThan(memory.startupBytes + ballast.length / 2);
  expect(peakBytes).toBe(allocatedBytes);
  expect(memory.sample().peakBytes).toBeGreaterThanOrEqual(peakBytes);
});
