/**
 * The cost of open consoles: CPU per command of three nodes while consoles watch, over that without,
 * in interleaved pairs; and the share of a core that they take while there is no load, in pairs too.
 *
 *     npm run bench -- console [--pairs 20] [--idle 8] [--consoles 50] [--requests 100000]
 *       [--pipeline 16] [--clients 50]
 *
 * A pair is 5 slices of the requests with consoles and 5 without, in turn: other work on the machine
 * lasts longer than a slice, and so burdens both alike. `--idle`: pairs without load.
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
const SLICES = 5;
/** After a load: flushes, durability rounds, late compilation. */
const SETTLE_MS = 10_000;
const OTHER_VIEWS = ['ranges', 'holofast', 'actors'] as const;

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      pairs: { type: 'string', default: '20' },
      consoles: { type: 'string', default: '50' },
      idle: { type: 'string', default: '8' },
      requests: { type: 'string', default: '100000' },
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
  const slice = async (): Promise<number> => {
    const requests = load.requests / SLICES;
    const before = spentNs();
    await measure({ command: 'SET', ...load, requests }, { port: cluster.node(1).redisPort, pids });
    return (spentNs() - before) / 1_000 / load.requests;
  };
  /** Opens the consoles, or not; measures; closes them. */
  const beside = async (isWatched: boolean, look: () => Promise<number>): Promise<number> => {
    const consoles = isWatched ? await open(cluster.node(1).adminPort, number('consoles')) : [];
    // The first views.
    await sleep(isWatched ? 500 : 100);
    const found = await look();
    close(consoles);
    await sleep(100);
    return found;
  };
  try {
    for (let warm = 0; warm < SLICES; warm += 1) await slice();
    await sleep(SETTLE_MS);
    const shares = await pairsOf(number('idle'), (isWatched) => beside(isWatched, idle));
    const percent = (values: readonly number[]) => `${(100 * median(values)).toFixed(2)} %`;
    const more = shares.map(({ watched, alone }) => watched - alone);
    console.log(
      `without load, all nodes: ${percent(shares.map(({ alone }) => alone))} of a core; with ` +
        `${values.consoles} consoles ${percent(more)} more`,
    );
    const ratios: number[] = [];
    for (let pair = 0; pair < number('pairs'); pair += 1) {
      const slices = await pairsOf(SLICES, (isWatched) => beside(isWatched, slice));
      const sum = (of: 'watched' | 'alone') => slices.reduce((all, each) => all + each[of], 0);
      if (pair === 0) console.log(`${sum('alone').toFixed(2)} us CPU per SET`);
      ratios.push(sum('watched') / sum('alone'));
    }
    if (ratios.length > 0) reportRatios(`SET: ${values.consoles} consoles / none`, ratios);
  } finally {
    await cluster.remove();
  }
}

interface Pair {
  readonly watched: number;
  readonly alone: number;
}

/** With and without, first one and then the other in turn. */
async function pairsOf(
  count: number,
  look: (isWatched: boolean) => Promise<number>,
): Promise<Pair[]> {
  const pairs: Pair[] = [];
  for (let pair = 0; pair < count; pair += 1) {
    const isFirst = pair % 2 === 0;
    const first = await look(isFirst);
    const second = await look(!isFirst);
    pairs.push(isFirst ? { watched: first, alone: second } : { watched: second, alone: first });
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
    if (view === 'ranges') console.send({ type: 'subscribe', id: 3, view: 'heat', args: {} });
  }
  return consoles;
}

function close(consoles: readonly TestConsole[]): void {
  for (const console of consoles) console.socket.terminate();
}
