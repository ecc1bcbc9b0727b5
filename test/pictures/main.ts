/**
 * `npm run pictures`: makes the pictures of docs/pictures from three real nodes: what the Perfetto
 * view shows of a transaction, and the panels of the dashboard.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOST, TestCluster } from '../cluster/harness.ts';
import { runTool } from '../cluster/redis-tools.ts';
import type { PerfettoFile } from '../transport/trace/perfetto-rules.ts';
import { type Dashboard, dashboardPicture } from './dashboard-picture.ts';
import { perfettoPicture } from './perfetto-picture.ts';
import { parseScrape, type Scrape } from './promql.ts';

const ROOT = join(import.meta.dirname, '../..');
const PICTURES = join(ROOT, 'docs/pictures');
const SECONDS = 40;
const KILL_AFTER = 18;
const BACK_AFTER = 26;

const cluster = await TestCluster.start();
try {
  mkdirSync(PICTURES, { recursive: true });
  // The links compare their clocks.
  await sleep(2_000);
  await drawTransaction();
  await drawDashboard();
} finally {
  await cluster.remove();
}

/** Of two that conflict, the one that was begun at node 2. */
async function drawTransaction(): Promise<void> {
  const clients = cluster.nodes.map((node) => node.client());
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(clients.map((client) => client.must('APPEND', 'contended', 'x')));
    await sleep(20);
  }
  for (const client of clients) client.close();
  const nodes = cluster.nodes.map(({ adminPort }) => `${HOST}:${adminPort}`).join(',');
  const words = ['trace', 'dump', '--nodes', nodes, '--format', 'perfetto'];
  const { stdout } = await runTool(process.execPath, [cluster.node(1).program.holoctl, ...words]);
  const file = JSON.parse(stdout) as PerfettoFile;
  const begun = file.traceEvents.filter(({ ph, pid }) => ph === 'b' && pid === 2);
  const txn = String(begun.at(-4)?.args?.['txn'] ?? '');
  write('perfetto.svg', perfettoPicture(file, txn));
}

async function drawDashboard(): Promise<void> {
  let isOver = false;
  const load = [1, 2].flatMap((id) =>
    Array.from({ length: 8 }, async (_, at) => {
      const client = cluster.node(id).client();
      for (let i = 0; !isOver; i += 1) {
        const words =
          i % 3 === 0 ? ['SET', `k${(i * 7 + at) % 5_000}`, 'v'] : ['GET', `k${i % 5_000}`];
        await client.must(...(words as [string, ...string[]])).catch(() => sleep(50));
      }
      client.close();
    }),
  );
  const scrapes: Scrape[] = [];
  for (let second = 0; second < SECONDS; second += 1) {
    if (second === KILL_AFTER) await cluster.node(3).kill();
    if (second === BACK_AFTER) cluster.node(3).start();
    scrapes.push(await scrape());
    await sleep(1_000);
  }
  isOver = true;
  await Promise.all(load);
  const dashboard = JSON.parse(readFileSync(join(ROOT, 'docs/prometheus/dashboard.json'), 'utf8'));
  write('dashboard.svg', dashboardPicture(dashboard as Dashboard, scrapes));
}

async function scrape(): Promise<Scrape> {
  const samples = new Map();
  const atMs = performance.now();
  for (const node of cluster.nodes) {
    const answer = await node.http('/metrics', 2_000).catch(() => undefined);
    if (answer !== undefined) parseScrape(answer.body, `node-${node.id}`, samples);
  }
  return { atMs, samples };
}

function write(name: string, svg: string): void {
  const path = join(PICTURES, name);
  writeFileSync(path, svg);
  console.log(`${path}: ${(svg.length / 1024).toFixed(0)} KiB`);
}
