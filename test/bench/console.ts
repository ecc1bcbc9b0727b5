/**
 * The cost of open consoles: CPU per command of three nodes while consoles watch, over that without,
 * in interleaved pairs; and the share of a core that they take while there is no load, in pairs too,
 * of the node that serves them and of the others; and what 50 of hidden pages take.
 *
 *     npm run bench -- console [--pairs 20] [--idle 8] [--consoles 50] [--command SET|GET]
 *       [--connections 10] [--pipeline 16] [--tick 10]
 *
 * The load has a fixed rate: a pipeline on each connection every tick. `--idle`: pairs without load.
 * All consoles are open at node 1 and watch the overview; each of three also watches another view.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { TestCluster } from '../cluster/harness.ts';
import { TestConsole } from '../transport/console/console-bench.ts';
import { PacedLoad } from './paced-load.ts';
import { cpuNsOf, median, reportRatios } from './paired.ts';

const WINDOW_MS = 2_000;
/** Late compilation, first flushes, durability rounds. */
const WARM_MS = 10_000;
const OTHER_VIEWS = ['ranges', 'holofast', 'actors'] as const;

/** A hidden page watches nothing. */
type Opened = 'none' | 'hidden' | 'watching';

interface Idle {
  readonly serving: number;
  readonly others: number;
}

interface Pair<T> {
  readonly some: T;
  readonly none: T;
}

export async function run(args: string[]): Promise<void> {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args,
    options: {
      ...{ pairs: text('20'), idle: text('8'), consoles: text('50'), command: text('SET') },
      ...{ connections: text('10'), pipeline: text('16'), tick: text('10') },
    },
  });
  const cluster = await TestCluster.start();
  const { adminPort, redisPort: port } = cluster.node(1);
  const spentNs = (): number => cluster.nodes.reduce((sum, { pid }) => sum + cpuNsOf(pid), 0);
  const load = await new PacedLoad({
    port,
    command: values.command === 'GET' ? 'GET' : 'SET',
    connections: Number(values.connections),
    pipeline: Number(values.pipeline),
    tickMs: Number(values.tick),
  }).open();
  /** Microseconds per command. */
  const perCommand = async (): Promise<number> => {
    const before = spentNs();
    const commands = await load.run(WINDOW_MS);
    return (spentNs() - before) / 1_000 / commands;
  };
  /** Percent of a core: of the node that serves consoles, and of the others. */
  const idle = async (): Promise<Idle> => {
    const before = cluster.nodes.map(({ pid }) => cpuNsOf(pid));
    await sleep(WINDOW_MS);
    const [serving = 0, ...others] = cluster.nodes.map(
      ({ pid }, index) => (cpuNsOf(pid) - (before[index] ?? 0)) / 1e4 / WINDOW_MS,
    );
    return { serving, others: others.reduce((sum, share) => sum + share, 0) };
  };
  const count = Number(values.consoles);
  const beside = async <T>(opened: Opened, look: () => Promise<T>): Promise<T> => {
    const consoles = opened === 'none' ? [] : await open(adminPort, count, opened);
    // The first views.
    await sleep(500);
    const found = await look();
    for (const { socket } of consoles) socket.terminate();
    await sleep(100);
    return found;
  };
  try {
    await load.run(WARM_MS);
    const pairs = await pairsOf(Number(values.pairs), 'watching', (opened) =>
      beside(opened, perCommand),
    );
    if (pairs.length > 0) {
      const us = median(pairs.map(({ none }) => none)).toFixed(2);
      console.log(`${us} us CPU per ${values.command}, all nodes`);
      const ratios = pairs.map(({ some, none }) => some / none);
      reportRatios(`${values.command}: ${count} consoles / none`, ratios);
    }
    if (Number(values.idle) === 0) return;
    await sleep(WARM_MS);
    for (const opened of ['watching', 'hidden'] as const) {
      const idles = await pairsOf(Number(values.idle), opened, (each) => beside(each, idle));
      const more = (of: keyof Idle) =>
        median(idles.map(({ some, none }) => some[of] - none[of])).toFixed(2);
      console.log(
        `without load, ${count} consoles ${opened}: ${more('serving')} % of a core more at the ` +
          `node that serves them, ${more('others')} % at the others together`,
      );
    }
  } finally {
    load.close();
    await cluster.remove();
  }
}

/** With and without, first one and then the other in turn. */
async function pairsOf<T>(
  count: number,
  opened: Opened,
  look: (opened: Opened) => Promise<T>,
): Promise<Pair<T>[]> {
  const pairs: Pair<T>[] = [];
  for (let pair = 0; pair < count; pair += 1) {
    const isFirst = pair % 2 === 0;
    const first = await look(isFirst ? opened : 'none');
    const second = await look(isFirst ? 'none' : opened);
    pairs.push(isFirst ? { some: first, none: second } : { some: second, none: first });
  }
  return pairs;
}

async function open(port: number, count: number, opened: Opened): Promise<TestConsole[]> {
  const consoles = Array.from({ length: count }, () => new TestConsole(port));
  await Promise.all(consoles.map((console) => console.hello()));
  if (opened === 'hidden') return consoles;
  for (const [index, console] of consoles.entries()) {
    console.send({ type: 'subscribe', id: 1, view: 'overview', args: {} });
    const view = OTHER_VIEWS[index % (2 * OTHER_VIEWS.length)];
    const args = view === 'actors' ? { node: 1 } : {};
    if (view !== undefined) console.send({ type: 'subscribe', id: 2, view, args });
    if (view === 'ranges') console.send({ type: 'subscribe', id: 3, view: 'heat', args: {} });
  }
  return consoles;
}
