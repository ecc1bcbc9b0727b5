/**
 * One client does its worst, and the others wait: PING, GET and SET of the others on every node.
 *
 *     npm run bench -- worst [--only TEXT] [--seconds N] [--scale SHARE] [--seed N] [--directory PATH]
 *                            [--memory MB]
 *
 * Each case runs again and again for the seconds, on node 1. What it needs is prepared before and
 * not measured; the millions of a case are multiplied by the scale. Behind the cases: a mix of them
 * that the seed draws, and reads of cold keys, far more than the cache holds. With --memory the
 * nodes of those and the pages of their files have so much together, by a control group: as root.
 */
import { randomInt } from 'node:crypto';
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import Table from 'cli-table3';
import { type Answers, Bystanders, worstMs } from '../cluster/bystanders.ts';
import { TestCluster } from '../cluster/harness.ts';
import { RawClient, requestOf } from '../cluster/raw-client.ts';
import { drawCases, WORST_CASES, type WorstCase } from '../cluster/worst-cases.ts';

const QUESTIONS = ['PING', 'GET', 'SET'] as const;
/** Of one case. */
const RUNS_MAX = 1_000;
const MIX = 'a mix of them';
const MIX_RUNS = 20;
const COLD = 'GET of cold keys';
const COLD_KEYS = 800_000;
const COLD_BYTES = 1_000;
const COLD_CHUNK = 500;
const COLD_CACHE = '64mb';
const COLD_MS = 10_000;
/** Of control groups, where memory has a tree of its own. */
const IS_FIRST_VERSION = existsSync('/sys/fs/cgroup/memory');
const CONTROL_GROUP = `/sys/fs/cgroup/${IS_FIRST_VERSION ? 'memory/' : ''}holo-bench`;
/** Until the keys are flushed, and the log is cut. */
const COLD_SETTLE_MS = 10_000;

interface Measured {
  readonly runs: number;
  /** Of the bad client, on average. */
  readonly runMs: number;
  readonly answers: readonly Answers[];
  readonly failures: number;
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      only: { type: 'string', default: '' },
      seconds: { type: 'string', default: '5' },
      scale: { type: 'string', default: '1' },
      seed: { type: 'string', default: String(randomInt(2 ** 32)) },
      directory: { type: 'string', default: tmpdir() },
      memory: { type: 'string', default: '0' },
    },
  });
  const cases = WORST_CASES.filter(({ name }) => name.includes(values.only));
  const cluster = await TestCluster.start({ directory: values.directory });
  const bystanders = await Bystanders.start(cluster);
  const table = new Table({ head: HEAD, style: { head: [], border: [] } });
  try {
    for (const one of cases) {
      const measured = await measure(cluster, bystanders, one, values);
      const row = [one.name, ...cells(measured)];
      table.push(row);
      console.log(row.join(' | '));
    }
    if (MIX.includes(values.only)) {
      console.log(`the mix is that of --seed ${values.seed}`);
      const row = [
        `${MIX}, seed ${values.seed}`,
        ...cells(await mixed(cluster, bystanders, values)),
      ];
      table.push(row);
      console.log(row.join(' | '));
    }
  } finally {
    await bystanders.stop();
    const restarts = cluster.nodes.flatMap((node) => node.log().match(/.*is restarted.*/g) ?? []);
    console.log(table.toString());
    console.log(`parts restarted: ${restarts.length}`);
    for (const line of restarts) console.log(line.slice(0, 300));
    await cluster.remove();
  }
  if (COLD.includes(values.only)) await measureCold(values);
}

/** Cases that the seed draws, each prepared while the clock stands. */
async function mixed(
  cluster: TestCluster,
  bystanders: Bystanders,
  options: { seconds: string; scale: string; seed: string },
): Promise<Measured> {
  const all: Measured[] = [];
  for (const one of drawCases(Number(options.seed), MIX_RUNS)) {
    console.log(`  ${one.name}`);
    all.push(await measure(cluster, bystanders, one, { ...options, seconds: '0.001' }));
  }
  const runMs = all.reduce((sum, each) => sum + each.runMs, 0) / all.length;
  const failures = all.reduce((sum, each) => sum + each.failures, 0);
  return { runs: all.length, runMs, failures, answers: joined(all.map(({ answers }) => answers)) };
}

/**
 * One client reads keys of chance, of which few are in the cache, one after the other: as soon as
 * they are loaded, and when the flushes behind that are over. Then one key, which is in the cache.
 * The others only PING: their writes would take more of the nodes than the reads.
 */
async function measureCold(options: {
  scale: string;
  directory: string;
  memory: string;
}): Promise<void> {
  const keys = Math.ceil(COLD_KEYS * Number(options.scale));
  const { directory } = options;
  const flags = [`--cache-bytes=${COLD_CACHE}`];
  const limit = Number(options.memory) > 0 ? { through: withinMemory(options.memory) } : {};
  const cluster = await TestCluster.start({ directory, flags, ...limit });
  try {
    const client = new RawClient(cluster.node(1).redisPort);
    const value = 'v'.repeat(COLD_BYTES);
    for (let at = 0; at < keys; at += COLD_CHUNK) {
      const pairs = Array.from({ length: COLD_CHUNK }, (_, i) => [`cold:${at + i}`, value]).flat();
      await client.run(requestOf(['MSET', ...pairs]));
    }
    client.close();
    const bystanders = await Bystanders.start(cluster, ['PING']);
    const cold = (): number => Math.floor(Math.random() * keys);
    const where = `${keys} keys of ${COLD_BYTES} bytes, cache of ${COLD_CACHE}`;
    console.log(`${COLD}, just loaded: ${where}: ${await readsOf(cluster, bystanders, cold)}`);
    await sleep(COLD_SETTLE_MS);
    console.log(`${COLD}, later: ${await readsOf(cluster, bystanders, cold)}`);
    console.log(`GET of one key: ${await readsOf(cluster, bystanders, () => 1)}`);
    await bystanders.stop();
  } finally {
    await cluster.remove();
    if (Number(options.memory) > 0) rmdirSync(CONTROL_GROUP);
  }
}

/** A command that runs another one: all that it runs have so many MB together. */
function withinMemory(megabytes: string): readonly string[] {
  mkdirSync(CONTROL_GROUP, { recursive: true });
  const limit = IS_FIRST_VERSION ? 'memory.limit_in_bytes' : 'memory.max';
  writeFileSync(`${CONTROL_GROUP}/${limit}`, `${megabytes}M`);
  return ['sh', '-c', `echo $$ > ${CONTROL_GROUP}/cgroup.procs; exec "$@"`, 'sh'];
}

async function readsOf(
  cluster: TestCluster,
  bystanders: Bystanders,
  draw: () => number,
): Promise<string> {
  const reader = cluster.node(1).client();
  await bystanders.take();
  const tookMs: number[] = [];
  const endMs = performance.now() + COLD_MS;
  while (performance.now() < endMs) {
    const beganMs = performance.now();
    await reader.must('GET', `cold:${draw()}`);
    tookMs.push(performance.now() - beganMs);
  }
  reader.close();
  const answers = await bystanders.take();
  tookMs.sort((a, b) => a - b);
  const at = (share: number): string =>
    (tookMs[Math.ceil(tookMs.length * share) - 1] ?? 0).toFixed(2);
  const pingMs = worstMs(answers, 'PING', 0.99).toFixed(1);
  return `${tookMs.length} GETs, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms; PING of others p99 ${pingMs} ms`;
}

const HEAD = [
  'one client',
  'times',
  'each takes s',
  ...QUESTIONS.map((question) => `${question} p99 ms (max)`),
  'errors',
];

function cells({ runs, runMs, answers, failures }: Measured): string[] {
  const waits = QUESTIONS.map(
    (question) =>
      `${worstMs(answers, question, 0.99).toFixed(0)} (${worstMs(answers, question, 1).toFixed(0)})`,
  );
  return [String(runs), (runMs / 1000).toFixed(2), ...waits, String(failures)];
}

async function measure(
  cluster: TestCluster,
  bystanders: Bystanders,
  one: WorstCase,
  { seconds, scale }: { seconds: string; scale: string },
): Promise<Measured> {
  const clients: RawClient[] = [];
  const more = (): RawClient => {
    const client = new RawClient(cluster.node(1).redisPort);
    clients.push(client);
    return client;
  };
  let runs = 0;
  let runMs = 0;
  let client = more();
  const parts: (readonly Answers[])[] = [];
  while (runMs < Number(seconds) * 1000 && runs < RUNS_MAX) {
    if (runs === 0 || one.usesUp === true) await one.prepare?.(client, Number(scale));
    await bystanders.take();
    const beganMs = performance.now();
    await one.run(client, more, Number(scale));
    runMs += performance.now() - beganMs;
    parts.push(await bystanders.take());
    runs += 1;
    if (client.socket.destroyed) client = more();
  }
  for (const each of clients) each.close();
  const answers = joined(parts);
  const failures = answers.reduce((sum, each) => sum + each.failures.length, 0);
  return { runs, runMs: runMs / runs, answers, failures };
}

/** Per connection all that it has measured. */
function joined(parts: readonly (readonly Answers[])[]): Answers[] {
  const [first = []] = parts;
  return first.map((line, at) => ({
    ...line,
    tookMs: parts.flatMap((part) => part[at]?.tookMs ?? []).sort((a, b) => a - b),
    failures: parts.flatMap((part) => part[at]?.failures ?? []),
  }));
}
