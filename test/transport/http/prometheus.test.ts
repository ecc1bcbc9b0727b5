/** The alerts and the dashboard name metrics that exist, and each alert has its runbook. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { NodeMetrics } from '../../../transport/http/metrics.ts';

const ALERTS = readFileSync('docs/prometheus/alerts.yml', 'utf8');
const DASHBOARD = JSON.parse(readFileSync('docs/prometheus/dashboard.json', 'utf8')) as {
  panels: { id: number; title: string; targets: { expr: string }[] }[];
};
const RULES = ALERTS.split('- alert: ').slice(1);

async function known(): Promise<ReadonlySet<string>> {
  const nothing = () => [];
  const zero = () => 0;
  const metrics = new NodeMetrics({
    actors: nothing,
    deadLetters: nothing,
    links: nothing,
    clients: zero,
    keys: zero,
    retainedTransactions: zero,
    flushLag: zero,
    unloggedBytes: zero,
    clockOffsetSeconds: zero,
    diskProblems: nothing,
    unrouted: nothing,
    expiredKeys: zero,
    errorReplies: nothing,
    holofast: () => ({ mode: 'off', tier: 'off', reason: '', quorums: 0, counters: {} }),
  });
  const names = [...(await metrics.text()).matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(
    ([, name = '', type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
  return new Set(names);
}

function namesIn(expression: string): string[] {
  return expression.match(/\b(?:holostore|process)_[a-z_]+/g) ?? [];
}

test('every metric that the dashboard and the alerts name exists', async () => {
  const exists = await known();
  const expressions = DASHBOARD.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  for (const rule of RULES) expressions.push(/expr: (.*)/.exec(rule)?.[1] ?? '');
  const named = expressions.flatMap(namesIn);
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !exists.has(name))).toEqual([]);
  expect(new Set(DASHBOARD.panels.map(({ id }) => id)).size).toBe(DASHBOARD.panels.length);
});

test('every alert has a severity, a summary and a runbook that exists', () => {
  const headings = [...readFileSync('docs/operations.md', 'utf8').matchAll(/^### (.+)$/gm)].map(
    ([, title = '']) => title.toLowerCase().replaceAll(' ', '-'),
  );
  expect(RULES.length).toBeGreaterThan(8);
  const runbooks = RULES.map((rule) => /runbook: docs\/operations\.md#(\S+)/.exec(rule)?.[1]);
  expect(runbooks.toSorted()).toEqual(headings.toSorted());
  for (const rule of RULES) {
    expect(rule).toMatch(/severity: (warning|critical)/);
    expect(rule).toMatch(/summary: ".+"/);
    expect(rule).toMatch(/expr: (["']).+\1\n\s+for: \d+[sm]\n/);
  }
});

const promtool = spawnSync('promtool', ['--version']).error === undefined;

test.skipIf(!promtool)('promtool accepts the rules', () => {
  const { status, stderr } = spawnSync('promtool', [
    ...['check', 'rules', 'docs/prometheus/alerts.yml'],
  ]);
  expect([status, String(stderr)]).toEqual([0, '']);
});
