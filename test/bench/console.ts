/**
 * The cost of open consoles: CPU per command of three nodes while consoles watch, over that without,
 * in interleaved pairs; and the share of a core that they take while there is no load, in pairs too.
 *
 *     npm run bench -- console [--pairs 20] [--consoles 50] [--requests 150000] [--pipeline 16] [--clients 50]
 *
 * All consoles are open at node 1 and watch the overview; each of three also watches another view.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { TestCluster } from '../cluster/harness.ts';
import { hasTool } from '../cluster/redis-tools.ts';
import { TestConsole } from '../transport/console/console-bench.ts';
import { measure } from './cluster.ts';
import { cpuNsOf, median, reportRatios } from './paired.ts';

const IDLE_MS = 3_000;
const IDLE_PAIRS = 8;
/** After a load: flushes, durability rounds, late compilation. */
const SETTLE_MS = 10_000;
const OTHER_VIEWS = ['ranges', 'holofast', 'actors'] as const;

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      pairs: { type: 'string', default: '20' },
      consoles: { type: 'string', default: '50' },
      requests: { type: 'string', default: '150000' },
      pipeline: { type: 'string', default: '16' },
      clients: { type: 'string', default: '50' },
    },
  });
  if (!hasTool('redis-benchmark')) {
    console.log('redis-benchmark is not installed (Debian: redis-tools); nothing was measured');
    return;
  }
  const number = (name: keyof typeof values): number => Number(values[name]);
  const load = {
    requests: number('requests'),
    pipeline: number('pipeline'),
    clients: number('clients'),
  };
  const cluster = await TestCluster.start();
  const pids = cluster.nodes.map(({ pid }) => pid);
  const spentNs = (): number => pids.reduce((sum, pid) => sum + cpuNsOf(pid), 0);
  const idle = async (): Promise<number> => {
    const before = spentNs();
    await sleep(IDLE_MS);
    return (spentNs() - before) / 1e6 / IDLE_MS;
  };
  const perCommandUs = async (): Promise<number> => {
    const before = spentNs();
    await measure({ command: 'SET', ...load }, { port: cluster.node(1).redisPort, pids });
    return (spentNs() - before) / 1_000 / load.requests;
  };
  /** Opens the consoles, or not; measures; closes them. */
  const beside = async (isWatched: boolean, look: () => Promise<number>): Promise<number> => {
    const consoles = isWatched ? await open(cluster.node(1).adminPort, number('consoles')) : [];
    // The first views.
    await sleep(isWatched ? 1_000 : 100);
    const found = await look();
    close(consoles);
    await sleep(100);
    return found;
  };
  try {
    await perCommandUs();
    await sleep(SETTLE_MS);
    const shares = await pairsOf(IDLE_PAIRS, (isWatched) => beside(isWatched, idle));
    const percent = (values: readonly number[]) => `${(100 * median(values)).toFixed(2)} %`;
    console.log(
      `without load, all nodes: ${percent(shares.map(([, alone]) => alone))} of a core; with ` +
        `${values.consoles} consoles ${percent(shares.map(([watched, alone]) => watched - alone))} more`,
    );
    const pairs = await pairsOf(number('pairs'), (isWatched) => beside(isWatched, perCommandUs));
    console.log(`${median(pairs.map(([, alone]) => alone)).toFixed(2)} us CPU per SET`);
    reportRatios(
      `SET: ${values.consoles} consoles / none`,
      pairs.map(([watched, alone]) => watched / alone),
    );
  } finally {
    await cluster.remove();
  }
}

/** With and without, first one and then the other in turn. */
async function pairsOf(
  count: number,
  look: (isWatched: boolean) => Promise<number>,
): Promise<[watched: number, alone: number][]> {
  const pairs: [number, number][] = [];
  for (let pair = 0; pair < count; pair += 1) {
    const isFirst = pair % 2 === 0;
    const first = await look(isFirst);
    const second = await look(!isFirst);
    pairs.push(isFirst ? [first, second] : [second, first]);
  }
  return pairs;
}

async function open(port: number, count: number): Promise<TestConsole[]> {
  const consoles = Array.from({ length: count }, () => new TestConsole(port));
  await Promise.all(consoles.map((console) => console.hello()));
  for (const [index, console] of consoles.entries()) {
    console.send({ type: 'subscribe', id: 1, view: 'overview', args: {} });
    const view = OTHER_VIEWS[index % (2 * OTHER_VIEWS.length)];
    const args = view === 'actors' ? { node: 1 } : {};
    if (view !== undefined) console.send({ type: 'subscribe', id: 2, view, args });
  }
  return consoles;
}

function close(consoles: readonly TestConsole[]): void {
  for (const console of consoles) console.socket.terminate();
}
