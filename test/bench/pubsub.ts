/**
 * Pub/sub with many subscribers on three nodes: how long messages take and how many are missing,
 * while some subscribers of everything do not read and are cut off at their output limit.
 *
 *     npm run bench -- pubsub [--subscribers 1000] [--rate 5000] [--seconds 10] [--slow 6]
 *       [--bytes 1000]
 *
 * Each subscriber has a channel of its own; publishers at all nodes take turns over the channels.
 * The slow ones come when half of the time is over: both halves are reported. Clients and publishers
 * are one process, whose own delays count.
 */
import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { HOST, TestCluster } from '../cluster/harness.ts';
import { request } from '../cluster/raw-client.ts';

const STEP_MS = 10;
const SETTLE_MS = 2_000;
const LIMIT = 'pubsub 1mb 512kb 5';

/** Counts of one half of the run. */
class Half {
  readonly delaysMs: number[] = [];
  published = 0;
  outOfOrder = 0;

  report(name: string): void {
    const sorted = this.delaysMs.sort((a, b) => a - b);
    const at = (share: number): string =>
      (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(2);
    console.log(
      `${name}: ${this.published} published, ${sorted.length} delivered, ` +
        `${this.published - sorted.length} missing, ${this.outOfOrder} out of order; ` +
        `ms: p50 ${at(0.5)}, p99 ${at(0.99)}, p99.9 ${at(0.999)}, highest ${at(1)}`,
    );
  }
}

interface Run {
  readonly cluster: TestCluster;
  readonly halves: readonly [Half, Half];
  readonly sockets: Socket[];
}

function open({ cluster, sockets }: Run, i: number): Socket {
  const { redisPort } = cluster.node((i % cluster.nodes.length) + 1);
  const socket = connect(redisPort, HOST).setNoDelay(true);
  socket.on('error', () => undefined);
  sockets.push(socket);
  return socket;
}

/** Resolves when it is subscribed; then notes each message. */
function subscribe(run: Run, i: number): Promise<void> {
  const socket = open(run, i);
  const last = [-1, -1];
  let text = '';
  return new Promise((settle) => {
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (text.includes('subscribe\r\n')) settle();
      let end = 0;
      for (const match of text.matchAll(/@(\d) (\d+) ([\d.]+);/g)) {
        const [half, sequence, sentMs] = match.slice(1).map(Number) as [0 | 1, number, number];
        run.halves[half].delaysMs.push(performance.now() - sentMs);
        if (sequence <= (last[half] as number)) run.halves[half].outOfOrder += 1;
        last[half] = sequence;
        end = match.index + match[0].length;
      }
      text = text.slice(Math.max(end, text.length - 64));
    });
    socket.write(request('SUBSCRIBE', `channel:${i}`));
  });
}

interface Load {
  readonly subscribers: number;
  readonly rate: number;
  readonly bytes: number;
}

/** Publishes for so long at a steady rate, whatever was late before. */
async function publish(
  run: Run,
  publishers: readonly Socket[],
  half: 0 | 1,
  ms: number,
  load: Load,
) {
  const { subscribers, rate, bytes } = load;
  const startMs = performance.now();
  const counts = run.halves[half];
  for (let nowMs = startMs; nowMs - startMs < ms; nowMs = performance.now()) {
    const due = Math.floor(((nowMs - startMs) * rate) / 1_000);
    for (; counts.published < due; counts.published += 1) {
      const n = counts.published;
      const body = `@${half} ${n} ${performance.now().toFixed(3)};`.padEnd(bytes, '.');
      const words = ['PUBLISH', `channel:${n % subscribers}`, body];
      // A channel has one publisher, so its messages have an order.
      publishers[(n % subscribers) % publishers.length]?.write(request(...words));
    }
    await sleep(STEP_MS);
  }
}

export async function run(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      subscribers: { type: 'string', default: '1000' },
      rate: { type: 'string', default: '5000' },
      seconds: { type: 'string', default: '10' },
      slow: { type: 'string', default: '6' },
      bytes: { type: 'string', default: '1000' },
    },
  });
  const [subscribers, rate, bytes] = [values.subscribers, values.rate, values.bytes].map(
    Number,
  ) as [number, number, number];
  const load = { subscribers, rate, bytes };
  const ms = 500 * Number(values.seconds);
  const cluster = await TestCluster.start();
  const bench: Run = { cluster, halves: [new Half(), new Half()], sockets: [] };
  try {
    for (const node of cluster.nodes) {
      const { code, stderr } = await node.holoctl(
        ...['config', 'set', 'client-output-buffer-limit', LIMIT],
      );
      if (code !== 0) throw new Error(stderr);
    }
    await Promise.all(Array.from({ length: subscribers }, (_, i) => subscribe(bench, i)));
    const publishers = cluster.nodes.map((_, i) => open(bench, i).resume());
    await sleep(SETTLE_MS);
    await publish(bench, publishers, 0, ms, load);
    await sleep(SETTLE_MS);
    const slow = Array.from({ length: Number(values.slow) }, (_, i) => open(bench, i).pause());
    for (const socket of slow) socket.write(request('PSUBSCRIBE', '*'));
    await publish(bench, publishers, 1, ms, load);
    await sleep(SETTLE_MS);
    bench.halves[0].report('all read');
    bench.halves[1].report(`${slow.length} do not`);
    const stats = await Promise.all(cluster.nodes.map((node) => node.info('stats')));
    const cut = stats.reduce((sum, each) => sum + Number(each['output_limit_disconnections']), 0);
    console.log(`${cut} of ${slow.length} slow subscribers were cut off (${LIMIT})`);
  } finally {
    for (const socket of bench.sockets) socket.destroy();
    await cluster.remove();
  }
}
