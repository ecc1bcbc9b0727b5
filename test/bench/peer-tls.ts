/**
 * The cost of TLS between peers: processor time per SET of three nodes with a secret over that of
 * three nodes with plain links, in pairs that take turns. --pairs 8, --requests 20000, --depth 1,
 * --clients 50. Needs redis-benchmark. Links alone: HoloFast is off.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { newSecret } from '../../transport/peer/security/cluster-secret.ts';
import { TestCluster } from '../cluster/harness.ts';
import { cpuNsOf, reportRatios } from './paired.ts';

function cpuUs(cluster: TestCluster): number {
  return cluster.nodes.reduce((sum, { pid }) => sum + cpuNsOf(pid), 0) / 1_000;
}

export async function run(args: string[]): Promise<void> {
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const options = {
    ...{ pairs: text('8'), requests: text('20000') },
    ...{ depth: text('1'), clients: text('50') },
  };
  const { values } = parseArgs({ args, options });
  const directory = mkdtempSync(join(tmpdir(), 'holo-peer-tls-'));
  const secret = join(directory, 'secret');
  writeFileSync(secret, newSecret(), { mode: 0o600 });
  const flags = ['--holofast=off', '--log-level=warn'];
  const plain = await TestCluster.start({ flags });
  const sealed = await TestCluster.start({ flags: [...flags, `--cluster-secret-file=${secret}`] });
  try {
    const load = (cluster: TestCluster): number => {
      const before = cpuUs(cluster);
      const where = ['-p', String(cluster.node(1).redisPort), '-q', '-t', 'set'];
      const how = ['-n', values.requests, '-P', values.depth, '-c', values.clients, '-r', '10000'];
      execFileSync('redis-benchmark', [...where, ...how], { stdio: 'ignore' });
      return (cpuUs(cluster) - before) / Number(values.requests);
    };
    // Until the compiler has done most of its work.
    for (let i = 0; i < 3; i += 1) for (const cluster of [plain, sealed]) load(cluster);
    const ratios: number[] = [];
    for (let pair = 1; pair <= Number(values.pairs); pair += 1) {
      const sealedFirst = pair % 2 === 0;
      const first = load(sealedFirst ? sealed : plain);
      const second = load(sealedFirst ? plain : sealed);
      const [open, tls] = sealedFirst ? [second, first] : [first, second];
      ratios.push(tls / open);
      console.log(`pair ${pair}: plain ${open.toFixed(1)} us, TLS ${tls.toFixed(1)} us per SET`);
    }
    reportRatios('CPU: TLS / plain', ratios);
  } finally {
    await Promise.all([plain.remove(), sealed.remove()]);
    rmSync(directory, { recursive: true, force: true });
  }
}
