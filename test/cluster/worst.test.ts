/**
 * While one client does its worst, the others get their answers, and no node restarts a part. The
 * bound holds on a machine with six others at work; `npm run bench -- worst` measures.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Bystanders, worstMs } from './bystanders.ts';
import { TestCluster } from './harness.ts';
import { RawClient } from './raw-client.ts';
import { drawCases, WORST_CASES, type WorstCase } from './worst-cases.ts';

/** Of the million of everything. */
const SCALE = 0.02;
const ANSWER_MS_MAX = 10_000;

let cluster: TestCluster;
let bystanders: Bystanders;

beforeAll(async () => {
  cluster = await TestCluster.start({ flags: ['--command-timeout-ms=30000'] });
  bystanders = await Bystanders.start(cluster);
});

afterAll(async () => {
  await bystanders?.stop();
  await cluster?.remove();
});

const MIX_SEED = Number(process.env['HOLO_SEED'] ?? 1 + Math.floor(Math.random() * 1e6));
const MIX_RUNS = 5;

test.for(WORST_CASES)('$name', { timeout: 60_000 }, (one) => doWorst(one));

test(`a mix of them, HOLO_SEED=${MIX_SEED}`, { timeout: 60_000 * MIX_RUNS }, async () => {
  for (const one of drawCases(MIX_SEED, MIX_RUNS)) await doWorst(one);
});

async function doWorst({ name, prepare, run }: WorstCase): Promise<void> {
  const clients: RawClient[] = [];
  const more = (): RawClient => {
    const client = new RawClient(cluster.node(1).redisPort);
    clients.push(client);
    return client;
  };
  const client = more();
  await prepare?.(client, SCALE);
  await bystanders.take();
  await run(client, more, SCALE);
  const answers = await bystanders.take();
  for (const each of clients) each.close();
  // A SET waits for the flush of what other clients have written, which takes seconds here.
  const others = answers.filter(({ question }) => question !== 'SET');
  expect(
    others.flatMap(({ failures }) => failures),
    name,
  ).toEqual([]);
  expect(worstMs(answers, 'PING', 1), name).toBeLessThan(ANSWER_MS_MAX);
  expect(worstMs(answers, 'GET', 1), name).toBeLessThan(ANSWER_MS_MAX);
  for (const node of cluster.nodes) expect(node.log()).not.toMatch(/is restarted|"level":60/);
}
