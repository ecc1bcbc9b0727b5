/**
 * Traces of three real nodes, gathered by `holoctl` as an operator does: transactions that
 * conflict, in every format and by the rules of its viewer, and one that another node recovers.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkPerfetto } from '../transport/trace/perfetto-rules.ts';
import { type Clocked, checkShiviz, happensBefore } from '../transport/trace/shiviz-rules.ts';
import { HOST, TestCluster } from './harness.ts';
import { hasTool, runTool } from './redis-tools.ts';

const PROCESSOR = ['trace_processor', 'trace_processor_shell'].find(hasTool);
const ROUNDS = 30;

let cluster: TestCluster;
let nodes = '';

beforeAll(async () => {
  cluster = await TestCluster.start();
  nodes = cluster.nodes.map(({ adminPort }) => `${HOST}:${adminPort}`).join(',');
  // The links have compared their clocks by then.
  await sleep(1_500);
  const clients = cluster.nodes.map((node) => node.client());
  for (let round = 0; round < ROUNDS; round += 1) {
    await Promise.all(clients.map((client) => client.must('APPEND', 'contended', 'x')));
  }
  for (const client of clients) client.close();
}, 60_000);

afterAll(() => cluster?.remove());

async function holoctl(...args: string[]): Promise<string> {
  const program = [cluster.node(1).program.holoctl, ...args];
  const { code, stdout, stderr } = await runTool(process.execPath, program);
  expect([code, stderr]).toEqual([0, '']);
  return stdout;
}

async function dumped(format: string): Promise<string> {
  const path = join(cluster.directory, `trace.${format}`);
  const said = await holoctl('trace', 'dump', '--nodes', nodes, '--format', format, '--out', path);
  expect(said).toContain(`bytes written to ${path}`);
  if (format !== 'jsonl') expect(said).toMatch(/by the clock of node 1, ± \d+(\.\d+)? us/);
  return readFileSync(path, 'utf8');
}

test('Perfetto: the rules of its importer, with flows between actors and between nodes', async () => {
  const { file, acrossNodes } = checkPerfetto(await dumped('perfetto'));
  expect(file.otherData.alignmentErrorUs).toBeGreaterThan(0);
  expect(acrossNodes).toBeGreaterThan(ROUNDS * 3);
  const names = new Set(file.traceEvents.map(({ name }) => name));
  for (const name of ['PreAccept', 'PreAcceptOk', 'Stable', 'write and sync', 'executed']) {
    expect(names).toContain(name);
  }
});

test.skipIf(PROCESSOR === undefined)('the trace processor reads it without errors', async () => {
  await dumped('perfetto');
  const query = "select sum(value) from stats where severity = 'error' or severity = 'data_loss'";
  const path = join(cluster.directory, 'trace.perfetto');
  const { code, stdout } = await runTool(PROCESSOR ?? '', ['query', path, query]);
  expect([code, stdout.trim().split('\n').at(-1)]).toEqual([0, '0']);
});

test('ShiViz: conflicting transactions are executed in one order on every node', async () => {
  const lines = checkShiviz(await dumped('shiviz'));
  const executions = (node: number): (readonly [string, Clocked])[] =>
    lines.flatMap((line) => {
      const txn = /^executed txn=(\S+)$/.exec(line.event)?.[1];
      return txn !== undefined && line.host.startsWith(`n${node}/`) ? [[txn, line] as const] : [];
    });
  const order = executions(1).map(([txn]) => txn);
  expect(order.length).toBeGreaterThanOrEqual(ROUNDS);
  for (const id of cluster.ids) {
    const own = executions(id);
    expect(own.map(([txn]) => txn)).toEqual(order);
    for (const [index, [, later]] of own.entries()) {
      const earlier = own[index - 1]?.[1];
      if (earlier === undefined) continue;
      expect(happensBefore(earlier, later)).toBe(true);
      expect(happensBefore(later, earlier)).toBe(false);
    }
  }
  const waits = lines.filter(({ event }) => /^(dep|waits) on=/.test(event));
  expect(waits.length).toBeGreaterThan(ROUNDS);
});

test('OTLP and JSON lines hold every transaction', async () => {
  const events = (await dumped('jsonl'))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { kind: string; txn?: string; step?: string });
  const txns = new Set(
    events.flatMap(({ step, txn }) => (step === 'answered' && txn ? [txn] : [])),
  );
  expect(txns.size).toBeGreaterThanOrEqual(ROUNDS);
  interface Span {
    readonly traceId: string;
    readonly parentSpanId?: string;
  }
  const file = JSON.parse(await dumped('otlp')) as {
    resourceSpans: { scopeSpans: { spans: Span[] }[] }[];
  };
  expect(file.resourceSpans).toHaveLength(3);
  const spans = file.resourceSpans.flatMap((each) =>
    each.scopeSpans.flatMap((scope) => scope.spans),
  );
  const roots = spans.filter(({ parentSpanId }) => parentSpanId === undefined);
  expect(roots.length).toBeGreaterThanOrEqual(txns.size);
  expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(roots.length);
});

test('a transaction whose coordinator is killed shows its recovery', async () => {
  const survivors = [2, 3].map((id) => `${HOST}:${cluster.node(id).adminPort}`).join(',');
  for (let tries = 0; ; tries += 1) {
    const node = cluster.node(1);
    const clients = Array.from({ length: 8 }, () => node.client());
    let isOver = false;
    const load = clients.map(async (client, at) => {
      while (!isOver) await client.must('SET', `k${at}`, 'v').catch(() => undefined);
    });
    await sleep(300);
    await node.kill();
    isOver = true;
    await Promise.all(load);
    for (const client of clients) client.close();
    await sleep(2_000);
    const found = await recoveredAt(survivors);
    if (found !== undefined) {
      const picture = await holoctl('trace', found, '--nodes', survivors);
      for (const words of ['BeginRecovery', 'recovery: ']) expect(picture).toContain(words);
      // A transaction that nobody can have executed is invalidated by those who recover it.
      expect(picture).toMatch(/recovered|invalidated/);
      return;
    }
    expect(tries).toBeLessThan(10);
    node.start();
    await node.ready();
  }
}, 120_000);

async function recoveredAt(places: string): Promise<string | undefined> {
  for (const id of [2, 3]) {
    const { body } = await cluster.node(id).http('/trace/slow?after=0');
    const slow = JSON.parse(body) as { txn: string; why: string }[];
    const found = slow.find(({ why }) => why === 'recovered');
    if (found === undefined) continue;
    const tail = await holoctl('trace', 'tail', '--nodes', places, '--count', '1');
    expect(tail).toMatch(/ ms {2}(slow|recovered|sampled)/);
    return found.txn;
  }
  return undefined;
}
