/**
 * The cost of TLS between peers: processor time per SET of three nodes with a secret over that of
 * three nodes with plain links, in pairs that take turns. --pairs 8, --requests 20000, --depth 1,
 * --clients 50. Needs redis-benchmark. Links alone: HoloFast is off.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { newSecret } from '../../transport/peer/security/cluster-secret.ts';
import { TestCluster } from '../cluster/harness.ts';

const TICKS_PER_SECOND = 100;
/** Of Student's distribution, 95 %, by pairs less one. */
const STUDENT = [12.7, 4.3, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.2, 2.18, 2.16, 2.14];

function cpuSeconds(cluster: TestCluster): number {
  return cluster.nodes.reduce((sum, { pid }) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];
    return sum + (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }, 0);
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
    const load = (cluster: TestCluster, requests: string): number => {
      const before = cpuSeconds(cluster);
      const where = ['-p', String(cluster.node(1).redisPort), '-q', '-t', 'set'];
      const how = ['-n', requests, '-P', values.depth, '-c', values.clients, '-r', '10000'];
      execFileSync('redis-benchmark', [...where, ...how], { stdio: 'ignore' });
      return ((cpuSeconds(cluster) - before) * 1e6) / Number(requests);
    };
    for (const cluster of [plain, sealed]) load(cluster, values.requests);
    const ratios: number[] = [];
    for (let pair = 1; pair <= Number(values.pairs); pair += 1) {
      const sealedFirst = pair % 2 === 0;
      const first = load(sealedFirst ? sealed : plain, values.requests);
      const second = load(sealedFirst ? plain : sealed, values.requests);
      const [open, tls] = sealedFirst ? [second, first] : [first, second];
      ratios.push(tls / open);
      console.log(`pair ${pair}: plain ${open.toFixed(1)} us, TLS ${tls.toFixed(1)} us per SET`);
    }
    const mean = ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length;
    const squares = ratios.reduce((sum, ratio) => sum + (ratio - mean) ** 2, 0);
    const error = Math.sqrt(squares / (ratios.length - 1) / ratios.length);
    const half = (STUDENT[ratios.length - 2] ?? 2) * error;
    console.log(
      `TLS / plain: ${mean.toFixed(3)} [${(mean - half).toFixed(3)}, ${(mean + half).toFixed(3)}]`,
    );
  } finally {
    await Promise.all([plain.remove(), sealed.remove()]);
    rmSync(directory, { recursive: true, force: true });
  }
}
