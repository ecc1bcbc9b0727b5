/**
 * SET and GET over TLS beside Redis over TLS: three nodes, and a redis-server that syncs every
 * write, take turns, each over TLS and in the clear. --rounds 6, --set 100000, --get 400000,
 * --depth 16, --clients 50. Needs redis-server and redis-benchmark with TLS, and openssl.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { HOST, TestCluster } from '../cluster/harness.ts';
import { freePorts } from '../cluster/ports.ts';
import { TestAuthority } from '../security/made-certificates.ts';
import { describeMachine, startSyncedRedis } from './beside-redis.ts';
import { type Measured, measure, type Target } from './cluster.ts';
import { reportRatios } from './paired.ts';

const COMMANDS = ['SET', 'GET'] as const;
type Side = 'nodes, TLS' | 'Redis, TLS' | 'nodes, plain' | 'Redis, plain';
type Sides = Readonly<Record<Side, Target>>;

interface Running {
  readonly sides: Sides;
  stop(): Promise<unknown>;
}

export async function run(args: string[]): Promise<void> {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const options = {
    ...{ rounds: text('6'), set: text('100000'), get: text('400000') },
    ...{ depth: text('16'), clients: text('50') },
  };
  const { values } = parseArgs({ args, options });
  const directory = mkdtempSync(join(tmpdir(), 'holo-client-tls-'));
  await describeMachine(directory);
  const { sides, stop } = await start(directory);
  try {
    for (const command of COMMANDS) {
      const requests = Number(command === 'SET' ? values.set : values.get);
      const load = { command, clients: Number(values.clients), pipeline: Number(values.depth) };
      const rounds: Record<Side, Measured>[] = [];
      // The first one warms up.
      for (let round = 0; round <= Number(values.rounds); round += 1) {
        const measured = await measureRound({ ...load, requests }, sides, round);
        if (round > 0) rounds.push(measured);
      }
      report(command, rounds);
    }
  } finally {
    await stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function start(directory: string): Promise<Running> {
  const authority = new TestAuthority();
  const files = { ca: authority.ca, ...authority.node(1) };
  const file = (name: string): string => join(directory, name);
  for (const [name, pem] of Object.entries(files)) writeFileSync(file(name), pem);
  authority.remove();
  const own = ['--tls-cert-file', file('cert'), '--tls-key-file', file('key')];
  const [redisTls = 0, nodeTls = 0] = await freePorts(2);
  const redis = await startSyncedRedis(directory, [
    ...['--tls-port', String(redisTls), '--tls-ca-cert-file', file('ca')],
    ...['--tls-auth-clients', 'no', ...own],
  ]);
  const cluster = await TestCluster.prepare({ directory });
  const stop = (): Promise<unknown> => Promise.all([redis.stop(), cluster.remove()]);
  try {
    for (const node of cluster.nodes) {
      node.start(node.id === 1 ? ['--listen-redis-tls', `${HOST}:${nodeTls}`, ...own] : []);
    }
    await cluster.ready();
  } catch (error) {
    await stop();
    throw error;
  }
  const pids = cluster.nodes.map(({ pid }) => pid);
  const ours = { port: cluster.node(1).redisPort, pids };
  const theirs = { port: redis.port, pids: [redis.pid] };
  const issuers = file('ca');
  return {
    stop,
    sides: {
      'nodes, TLS': { ...ours, port: nodeTls, issuers },
      'Redis, TLS': { ...theirs, port: redisTls, issuers },
      'nodes, plain': ours,
      'Redis, plain': theirs,
    },
  };
}

/** In turns, and each round begins with another one. */
async function measureRound(
  load: Parameters<typeof measure>[0],
  sides: Sides,
  round: number,
): Promise<Record<Side, Measured>> {
  const names = Object.keys(sides) as Side[];
  const order = names.map((_, at) => names[(at + round) % names.length] as Side);
  const measured: Partial<Record<Side, Measured>> = {};
  for (const name of order) measured[name] = await measure(load, sides[name]);
  return measured as Record<Side, Measured>;
}

function report(command: string, rounds: readonly Record<Side, Measured>[]): void {
  const [first] = rounds;
  for (const name of Object.keys(first ?? {}) as Side[]) {
    const mean = (value: (one: Measured) => number): number =>
      rounds.reduce((sum, round) => sum + value(round[name]), 0) / rounds.length;
    const perSecond = Math.round(mean((one) => one.perSecond));
    const [p50, p99] = [mean((one) => one.p50), mean((one) => one.p99)].map((ms) => ms.toFixed(2));
    const cpuUs = mean((one) => one.cpuUs).toFixed(2);
    console.log(`${command}, ${name}: ${perSecond}/s, p50 ${p50}, p99 ${p99} ms, CPU ${cpuUs} us`);
  }
  const ratios = (over: Side, under: Side, value: (one: Measured) => number): number[] =>
    rounds.map((round) => value(round[over]) / value(round[under]));
  for (const [over, under] of [
    ['nodes, TLS', 'Redis, TLS'],
    ['nodes, plain', 'Redis, plain'],
    ['nodes, TLS', 'nodes, plain'],
    ['Redis, TLS', 'Redis, plain'],
  ] as const) {
    const what = `${command}: ${over} / ${under}`;
    reportRatios(
      `${what}: commands/s`,
      ratios(over, under, (one) => one.perSecond),
    );
    reportRatios(
      `${what}: CPU`,
      ratios(over, under, (one) => one.cpuUs),
    );
  }
}
