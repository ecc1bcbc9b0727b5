/** The part of Prometheus' language that pictures use, against values worked out by hand. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Dashboard } from './dashboard-picture.ts';
import { evaluate, parseScrape, type Scrape } from './promql.ts';

function scrape(atMs: number, ...texts: readonly string[]): Scrape {
  const samples = new Map();
  for (const [at, text] of texts.entries()) parseScrape(text, `n${at + 1}`, samples);
  return { atMs, samples };
}

const SCRAPES = [
  scrape(0, 'c_total{f="a"} 10\nc_total{f="b"} 5', 'c_total{f="a"} 100'),
  scrape(1_000, 'c_total{f="a"} 30\nc_total{f="b"} 5', 'c_total{f="a"} 4'),
];

function valuesOf(expression: string): Record<string, number> {
  return Object.fromEntries(
    evaluate(expression, SCRAPES, 1, 5_000).map(({ labels, value }) => {
      return [`${labels['instance'] ?? ''} ${labels['f'] ?? ''}`, value];
    }),
  );
}

test('selectors, rates of counters that may begin anew, and sums', () => {
  expect(valuesOf('c_total{f="b"}')).toEqual({ 'n1 b': 5 });
  expect(valuesOf('rate(c_total[$__rate_interval])')).toEqual({ 'n1 a': 20, 'n1 b': 0, 'n2 a': 4 });
  expect(valuesOf('sum by (f) (rate(c_total[$__rate_interval]))')).toEqual({ ' a': 24, ' b': 0 });
  expect(valuesOf('sum by (f) (c_total) / sum by (f) (c_total{instance="n1"})')).toEqual({
    ' a': 34 / 30,
    ' b': 1,
  });
  expect(evaluate('rate(c_total[$__rate_interval])', SCRAPES, 0, 5_000)).toEqual([]);
  expect(() => valuesOf('max(c_total)')).toThrow('is expected before "(c_total)"');
});

test('quantiles lie within their bucket', () => {
  const at = scrape(0, 'h_bucket{le="1"} 50\nh_bucket{le="2"} 100\nh_bucket{le="+Inf"} 100');
  const [sample] = evaluate('histogram_quantile(0.75, sum by (le) (h_bucket))', [at], 0, 1);
  expect(sample).toEqual({ labels: {}, value: 1.5 });
});

test('it understands each panel of the dashboard', () => {
  const dashboard = JSON.parse(readFileSync('docs/prometheus/dashboard.json', 'utf8')) as Dashboard;
  for (const { expr } of dashboard.panels.flatMap(({ targets }) => targets)) {
    expect(evaluate(expr, SCRAPES, 1, 5_000)).toEqual([]);
  }
});
