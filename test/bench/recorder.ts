/**
 * The cost of the trace recorder: CPU per command of three nodes that record, over that of three
 * nodes that do not (`--trace-events 0`), in interleaved pairs.
 *
 *     npm run bench -- recorder [--command SET|GET] [--pairs 24] [--each 4] [--requests 100000]
 *       [--pipeline 16] [--clients 50]
 *
 * Both clusters run side by side, and one of them is idle. A pair is 10 slices of the requests for
 * each, in turn: other work on the machine lasts longer than a slice, and so burdens both alike.
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
import { hasTool } from '../cluster/redis-tools.ts';
import { measure } from './cluster.ts';
import { cpuNsOf, reportRatios } from './paired.ts';

const EVENTS_NOTED = 5_000_000;
const SLICES = 10;

interface Load {
  readonly command: 'SET' | 'GET';
  readonly requests: number;
  readonly pipeline: number;
  readonly clients: number;
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      command: { type: 'string', default: 'SET' },
      pairs: { type: 'string', default: '24' },
      each: { type: 'string', default: '4' },
      requests: { type: 'string', default: '100000' },
      pipeline: { type: 'string', default: '16' },
      clients: { type: 'string', default: '50' },
    },
  });
  if (!hasTool('redis-benchmark')) {
    console.log('redis-benchmark is not installed (Debian: redis-tools); nothing was measured');
    return;
  }
  const pairs = Number(values.pairs);
  const each = Number(values.each);
  const load: Load = {
    command: values.command === 'GET' ? 'GET' : 'SET',
    requests: Number(values.requests),
    pipeline: Number(values.pipeline),
    clients: Number(values.clients),
  };
  const ratios: number[] = [];
  const eventNs = measureEvent();
  console.log(`one event is noted in ${eventNs.toFixed(1)} ns`);
  for (let done = 0; done < pairs; done += each) {
    await measurePairs(Math.min(each, pairs - done), load, ratios, eventNs);
    reportRatios(`${load.command}: on / off`, ratios);
  }
}

async function measurePairs(
  pairs: number,
  load: Load,
  ratios: number[],
  eventNs: number,
): Promise<void> {
  const on = await TestCluster.start();
  const off = await TestCluster.start({ flags: ['--trace-events=0'] });
  const cpuUs = async (cluster: TestCluster, requests: number): Promise<number> => {
    const pids = cluster.nodes.map(({ pid }) => pid);
    const spentNs = (): number => pids.reduce((sum, pid) => sum + cpuNsOf(pid), 0);
    const before = spentNs();
    await measure({ ...load, requests }, { port: cluster.node(1).redisPort, pids });
    return (spentNs() - before) / 1_000;
  };
  const { command, requests } = load;
  try {
    // Late compilation and the first flushes belong to neither.
    for (const cluster of [on, off]) await cpuUs(cluster, requests);
    const before = await eventsOf(on);
    const spentUs = (await cpuUs(on, requests)) / requests;
    await cpuUs(off, requests);
    const events = ((await eventsOf(on)) - before) / requests;
    const share = (events * eventNs) / (spentUs * 10);
    console.log(
      `${command}: ${events.toFixed(3)} events a command of ${spentUs.toFixed(2)} us CPU: ` +
        `${share.toFixed(2)} %`,
    );
    for (let pair = 0; pair < pairs; pair += 1) {
      const spent = { on: 0, off: 0 };
      for (let slice = 0; slice < SLICES; slice += 1) {
        const isOnFirst = (pair + slice) % 2 === 0;
        if (isOnFirst) spent.on += await cpuUs(on, requests / SLICES);
        spent.off += await cpuUs(off, requests / SLICES);
        if (!isOnFirst) spent.on += await cpuUs(on, requests / SLICES);
      }
      ratios.push(spent.on / spent.off);
    }
  } finally {
    await Promise.all([on.remove(), off.remove()]);
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
