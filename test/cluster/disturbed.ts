/** Clusters that faults come over, one after the other, while a program uses them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { DiskHog } from './disk-hog.ts';
import { TestCluster } from './harness.ts';
import { LinkProxies } from './link-proxy.ts';
import { type FaultName, injectFault, type World } from './nemesis.ts';

const NODES = 3;
const COMMAND_TIMEOUT_MS = 1_000;
const CALM_MS = 1_000;
const FAULT_MS = 1_500;

/** Three nodes whose links can be cut, while `use` runs; removed behind it. */
export async function withWorld(use: (world: World) => Promise<void>): Promise<void> {
  const proxies = new LinkProxies();
  const cluster = await TestCluster.prepare({
    nodes: NODES,
    flags: [`--command-timeout-ms=${COMMAND_TIMEOUT_MS}`],
    advertise: (id, peerPort) => proxies.inFrontOf(id, peerPort),
  });
  const hog = new DiskHog(cluster.directory);
  try {
    await cluster.startAll();
    await use({ cluster, proxies, clocks: [], hog, calmDiskMs: 1, lostMax: 1 });
  } finally {
    proxies.heal();
    await cluster.remove();
    await proxies.close();
  }
}

/** These faults in turn, until the program has ended; returns those that were to be seen. */
export async function disturb(
  world: World,
  faults: readonly FaultName[],
  hasEnded: () => boolean,
): Promise<string[]> {
  const done: string[] = [];
  for (let next = 0; !hasEnded(); next += 1) {
    await sleep(CALM_MS);
    if (hasEnded()) break;
    const fault = await injectFault(faults[next % faults.length] as FaultName, world);
    await sleep(FAULT_MS);
    if ((await fault.check()) === undefined) done.push(fault.name);
    await fault.heal();
  }
  return done;
}
