/**
 * The cost of open consoles: CPU per command of three nodes while consoles watch, over that without,
 * in interleaved pairs; and the share of a core that they take while there is no load.
 *
 *     npm run bench -- console [--pairs 20] [--consoles 50] [--requests 60000] [--pipeline 16] [--clients 50]
 *
 * All consoles are open at node 1 and watch the overview; each of three also watches another view.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { TestCluster } from '../cluster/harness.ts';
import { hasTool } from '../cluster/redis-tools.ts';
import { TestConsole } from '../transport/console/console-bench.ts';
import { measure } from './cluster.ts';
import { cpuNsOf, reportRatios } from './paired.ts';

const IDLE_MS = 10_000;
const OTHER_VIEWS = ['ranges', 'holofast', 'actors'] as const;

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      pairs: { type: 'string', default: '20' },
      consoles: { type: 'string', default: '50' },
      requests: { type: 'string', default: '60000' },
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
  try {
    await perCommandUs();
    const alone = await idle();
    const watchers = await open(cluster.node(1).adminPort, number('consoles'));
    const watched = await idle();
    const share = (part: number): string => `${(100 * part).toFixed(2)} %`;
    console.log(
      `without load, all nodes together: ${share(alone)} of a core; with ${watchers.length} ` +
        `consoles ${share(watched)}: ${share(watched - alone)} more`,
    );
    close(watchers);
    const ratios: number[] = [];
    for (let pair = 0; pair < number('pairs'); pair += 1) {
      const found: Record<string, number> = {};
      for (const isWatched of pair % 2 === 0 ? [true, false] : [false, true]) {
        const consoles = isWatched ? await open(cluster.node(1).adminPort, number('consoles')) : [];
        found[String(isWatched)] = await perCommandUs();
        close(consoles);
        await sleep(100);
      }
      ratios.push((found['true'] ?? Number.NaN) / (found['false'] ?? Number.NaN));
    }
    reportRatios(`SET: ${values.consoles} consoles / none`, ratios);
  } finally {
    await cluster.remove();
  }
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
