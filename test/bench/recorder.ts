/**
 * The cost of the trace recorder: CPU per command of three nodes that record, over that of three
 * nodes that do not (`--trace-events 0`), in interleaved pairs.
 *
 *     npm run bench -- recorder [--command SET|GET] [--pairs 24] [--each 8] [--connections 10]
 *       [--pipeline 16] [--tick 10]
 *
 * The load has a fixed rate: a pipeline on each connection every tick. Both clusters run side by
 * side, and one of them is idle; a pair is a window of each, first one and then the other in turn.
 * Every `each` pairs both are started anew, since two processes of one program differ for their
 * whole life. The interval is a bootstrap over the pairs. Beside it: the events per command, and the
 * time to note one, by itself.
 */
import { get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { TXN_EVENTS_MAX, TxnRing } from '../../actors/runtime/trace/txn-ring.ts';
import { MESSAGE_CODES } from '../../actors/runtime/trace/txn-steps.ts';
import { HOST, TestCluster } from '../cluster/harness.ts';
import { PacedLoad } from './paced-load.ts';
import { cpuNsOf, reportRatios } from './paired.ts';

const EVENTS_NOTED = 5_000_000;
const WINDOW_MS = 2_000;
/** Late compilation and the first flushes belong to neither. */
const WARM_MS = 5_000;

type Load = Omit<ConstructorParameters<typeof PacedLoad>[0], 'port'>;

export async function run(args: string[]): Promise<void> {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args,
    options: {
      ...{ command: text('SET'), pairs: text('24'), each: text('8') },
      ...{ connections: text('10'), pipeline: text('16'), tick: text('10') },
    },
  });
  const pairs = Number(values.pairs);
  const each = Number(values.each);
  const load: Load = {
    command: values.command === 'GET' ? 'GET' : 'SET',
    connections: Number(values.connections),
    pipeline: Number(values.pipeline),
    tickMs: Number(values.tick),
  };
  const ratios: number[] = [];
  const eventNs = measureEvent();
  console.log(`one event is noted in ${eventNs.toFixed(1)} ns`);
  for (let done = 0; done < pairs; done += each) {
    await measurePairs(Math.min(each, pairs - done), load, ratios, eventNs);
    reportRatios(`${load.command}: on / off`, ratios);
  }
}

class Measured {
  readonly cluster: TestCluster;
  readonly #load: PacedLoad;

  constructor(cluster: TestCluster, load: Load) {
    this.cluster = cluster;
    this.#load = new PacedLoad({ ...load, port: cluster.node(1).redisPort });
  }

  async open(): Promise<this> {
    await this.#load.open();
    await this.#load.run(WARM_MS);
    return this;
  }

  async look(): Promise<{ readonly us: number; readonly commands: number }> {
    const spentNs = () => this.cluster.nodes.reduce((sum, { pid }) => sum + cpuNsOf(pid), 0);
    const before = spentNs();
    const commands = await this.#load.run(WINDOW_MS);
    return { us: (spentNs() - before) / 1_000 / commands, commands };
  }

  close(): Promise<void> {
    this.#load.close();
    return this.cluster.remove();
  }
}

async function measurePairs(
  pairs: number,
  load: Load,
  ratios: number[],
  eventNs: number,
): Promise<void> {
  const clusters = [
    await TestCluster.start(),
    await TestCluster.start({ flags: ['--trace-events=0'] }),
  ];
  const [on, off] = clusters.map((cluster) => new Measured(cluster, load)) as [Measured, Measured];
  try {
    await on.open();
    await off.open();
    const before = await eventsOf(on.cluster);
    const { us, commands } = await on.look();
    const events = ((await eventsOf(on.cluster)) - before) / commands;
    const share = ((events * eventNs) / (us * 10)).toFixed(2);
    console.log(
      `${load.command}: ${events.toFixed(3)} events a command of ${us.toFixed(2)} us CPU: ${share} %`,
    );
    for (let pair = 0; pair < pairs; pair += 1) {
      const isOnFirst = pair % 2 === 0;
      const first = await (isOnFirst ? on : off).look();
      const second = await (isOnFirst ? off : on).look();
      ratios.push(isOnFirst ? first.us / second.us : second.us / first.us);
    }
  } finally {
    await Promise.all([on.close(), off.close()]);
  }
}

/** Nanoseconds to note an event, of a ring of the usual size. */
function measureEvent(): number {
  const ring = new TxnRing(TXN_EVENTS_MAX);
  const group = { range: 1, generation: 1 };
  const id = { hlc: 1, flags: 2, node: 1, store: 0 };
  const rounds = Array.from({ length: 5 }, () => {
    const startMs = performance.now();
    for (let i = 0; i < EVENTS_NOTED; i += 1) {
      ring.atMs = i;
      ring.out(i & 7, MESSAGE_CODES.PreAccept, group, { ...id, hlc: i }, 2, i);
    }
    return ((performance.now() - startMs) * 1e6) / EVENTS_NOTED;
  });
  return rounds.sort((a, b) => a - b)[2] ?? 0;
}

/** Events of transactions that all nodes have noted since their start. */
async function eventsOf(cluster: TestCluster): Promise<number> {
  // A node rests after each trace.
  await sleep(1_000);
  const all = await Promise.all(cluster.nodes.map(({ adminPort }) => writtenBy(adminPort)));
  return all.reduce((sum, written) => sum + written, 0);
}

/** The first line of a trace tells; the rest is not read. */
function writtenBy(port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = get({ host: HOST, port, path: '/trace?format=jsonl' }, (response) => {
      response.once('data', (chunk: Buffer) => {
        response.destroy();
        if (response.statusCode !== 200) return reject(new Error(chunk.toString('utf8')));
        const [line = ''] = chunk.toString('utf8').split('\n');
        resolve((JSON.parse(line) as { written: number }).written);
      });
    });
    request.on('error', reject);
  });
}
