/**
 * The cost of the trace recorder: CPU per command of three nodes while they record, over that while
 * they do not, in interleaved pairs.
 *
 *     npm run bench -- recorder [--command SET|GET] [--pairs 60] [--each 20] [--connections 10]
 *       [--pipeline 16] [--tick 10]
 *
 * The load has a fixed rate: a pipeline on each connection every tick. Two processes of one program
 * differ by more than the recorder costs, for their whole life: so it is the same nodes that record
 * and do not, at a signal (`SIGWINCH`), as with `--trace-events 0`. Every `each` pairs they are
 * started anew. The interval is a bootstrap over the pairs. Beside it: the events per command, and
 * the time to note one, by itself.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { TXN_EVENTS_MAX, TxnRing } from '../../actors/runtime/trace/txn-ring.ts';
import { MESSAGE_CODES } from '../../actors/runtime/trace/txn-steps.ts';
import { HOST, TestCluster } from '../cluster/harness.ts';
import { findProgram } from '../cluster/program.ts';
import { PacedLoad } from './paced-load.ts';
import { cpuNsOf, reportRatios } from './paired.ts';

const EVENTS_NOTED = 5_000_000;
const WINDOW_MS = 1_000;
/** Late compilation and the first flushes belong to neither. */
const WARM_MS = 5_000;

type Load = Omit<ConstructorParameters<typeof PacedLoad>[0], 'port'>;

export async function run(args: string[]): Promise<void> {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const { values } = parseArgs({
    args,
    options: {
      ...{ command: text('SET'), pairs: text('60'), each: text('20') },
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

/** Runs in each node: takes hold of its ring as the log's first turn is noted in it. */
const SWITCH = `
import { TxnRing } from 'RING';
const { ofNode } = TxnRing.prototype;
TxnRing.prototype.ofNode = function (...args) {
  TxnRing.prototype.ofNode = ofNode;
  const { eventsMax } = this;
  process.on('SIGWINCH', () => {
    this.eventsMax = this.eventsMax === 0 ? eventsMax : 0;
  });
  return ofNode.apply(this, args);
};
`;

async function measurePairs(
  pairs: number,
  load: Load,
  ratios: number[],
  eventNs: number,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'holo-recorder-'));
  const preload = join(directory, 'switch.mjs');
  const ring = join(dirname(findProgram().main), 'runtime/trace/txn-ring.js');
  writeFileSync(preload, SWITCH.replace('RING', pathToFileURL(ring).href));
  const cluster = await TestCluster.start({ nodeArguments: () => ['--import', preload] });
  const paced = new PacedLoad({ ...load, port: cluster.node(1).redisPort });
  const pids = cluster.nodes.map(({ pid }) => pid);
  const look = async (forMs = WINDOW_MS): Promise<{ us: number; commands: number }> => {
    const spentNs = () => pids.reduce((sum, pid) => sum + cpuNsOf(pid), 0);
    const before = spentNs();
    const commands = await paced.run(forMs);
    return { us: (spentNs() - before) / 1_000 / commands, commands };
  };
  const change = () => {
    for (const pid of pids) process.kill(pid, 'SIGWINCH');
  };
  try {
    await paced.open();
    await paced.run(WARM_MS);
    const before = await eventsOf(cluster);
    const { us, commands } = await look(2 * WINDOW_MS);
    const events = ((await eventsOf(cluster)) - before) / commands;
    const share = ((events * eventNs) / (us * 10)).toFixed(2);
    console.log(
      `${load.command}: ${events.toFixed(3)} events a command of ${us.toFixed(2)} us CPU: ${share} %`,
    );
    for (let pair = 0; pair < pairs; pair += 1) {
      // The first of a pair is what the second of the last one was.
      const first = await look();
      change();
      const second = await look();
      ratios.push(pair % 2 === 0 ? first.us / second.us : second.us / first.us);
    }
  } finally {
    paced.close();
    await cluster.remove();
    rmSync(directory, { recursive: true, force: true });
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
