import { expect, test } from 'vitest';
import { Sampler } from '../../../../transport/resp/insight/sampler.ts';

test('draws all of a few, and tells of how many each is one', () => {
  const sampler = new Sampler(100);
  for (let i = 0; i < 50; i += 1) expect(sampler.takes()).toBe(true);
  expect(sampler.weight).toBe(1);
});

test('draws about so many per second of many, which stand for all', () => {
  const sampler = new Sampler(100);
  let drawn = 0;
  let stoodFor = 0;
  for (let second = 0; second < 30; second += 1) {
    for (let i = 0; i < 20_000; i += 1) {
      if (!sampler.takes()) continue;
      drawn += 1;
      stoodFor += sampler.weight;
    }
    sampler.adjust(1_000);
  }
  expect(drawn / 30).toBeGreaterThan(70);
  expect(drawn / 30).toBeLessThan(200);
  expect(stoodFor / 30 / 20_000).toBeGreaterThan(0.9);
  expect(stoodFor / 30 / 20_000).toBeLessThan(1.1);
});

test('draws ever fewer of a burst after a quiet second', () => {
  const sampler = new Sampler(100);
  sampler.adjust(1_000);
  let drawn = 0;
  for (let i = 0; i < 1_000_000; i += 1) if (sampler.takes()) drawn += 1;
  expect(drawn).toBeLessThan(1_500);
});
