/** When a slice ends, and how often it looks at the clock. */
import { expect, test } from 'vitest';
import { ApplySlice } from '../../../actors/store/apply-slice.ts';

/** The commands of one slice, each of which takes so long, and the times that the clock was read. */
function run(commandMs: (index: number) => number, commandsMax?: number): [number, number] {
  let nowMs = 5;
  let reads = 0;
  const clock = (): number => {
    reads += 1;
    return nowMs;
  };
  const slice = new ApplySlice(clock, commandsMax);
  slice.begin();
  let commands = 0;
  while (!slice.isOver) {
    nowMs += commandMs(commands);
    commands += 1;
    slice.ran();
  }
  return [commands, reads];
}

test('slow commands are counted one by one', () => {
  expect(run(() => 4)).toEqual([3, 4]);
  expect(run(() => 60)).toEqual([1, 2]);
});

test('fast ones cost one look at the clock in sixteen', () => {
  const [commands, reads] = run(() => 0.001);
  expect(commands).toBeGreaterThanOrEqual(10_000);
  expect(commands).toBeLessThan(10_032);
  expect(reads).toBeLessThan(commands / 15);
});

test('behind fast ones, at most sixteen slow ones are not noticed', () => {
  const [commands] = run((index) => (index < 100 ? 0.001 : 10));
  expect(commands).toBeLessThanOrEqual(100 + 16);
});

test('it ends with its commands, whatever the time', () => {
  expect(run(() => 0, 3)[0]).toBe(3);
  expect(run(() => 0, 1)[0]).toBe(1);
});
