import { expect, test } from 'vitest';
import { HdrHistogram } from '../../transport/hdr-histogram.ts';
import { LatencyBoard, PHASES } from '../../transport/http/latency-report.ts';

test('quantiles of any distribution are right to 3.2 percent, and never above the maximum', () => {
  const histogram = new HdrHistogram();
  const values: number[] = [];
  for (let n = 1; n <= 20_000; n += 1) values.push((n * 7_919) % 100_003 ** (1 + (n % 2)));
  for (const value of values) histogram.record(value);
  values.sort((a, b) => a - b);
  expect(histogram.count).toBe(20_000);
  expect(histogram.maxUs).toBe(values.at(-1));
  for (const share of [0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exact = values[Math.ceil(share * values.length) - 1] as number;
    const found = histogram.quantileUs(share);
    expect(found).toBeGreaterThanOrEqual(exact);
    expect(found).toBeLessThanOrEqual(exact * 1.032 + 1);
  }
});

test('the ends of the range, and nothing at all', () => {
  const histogram = new HdrHistogram();
  expect(histogram.quantileUs(0.5)).toBe(0);
  histogram.record(-5);
  histogram.record(0.25, 3);
  expect(histogram.quantileUs(0.99)).toBe(0);
  histogram.record(2 ** 40);
  expect(histogram.count).toBe(5);
  expect(histogram.quantileUs(1)).toBeGreaterThanOrEqual(2 ** 36 - 1);
});

test('a report has every phase', () => {
  const board = new LatencyBoard();
  board.record('votes', 2.5, 10);
  const votes = board.report().find(({ phase }) => phase === 'votes');
  expect(votes).toMatchObject({ count: 10, maxUs: 2_500, p50Us: 2_500 });
  expect(board.report().map(({ phase }) => phase)).toEqual(['read', 'write', ...PHASES]);
  expect(board.report().filter(({ count }) => count > 0)).toEqual([votes]);
});
