/**
 * Real faults for a cluster of processes, by name. Each reports its action, makes sure that it took
 * effect, and can be undone. The kind, the time and the node are drawn at random; the caller sets
 * the length of the pauses.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DiskHog } from './disk-hog.ts';
import type { TestCluster, TestNode } from './harness.ts';
import type { LinkProxies } from './link-proxy.ts';
import type { SkewedClock } from './skewed-clock.ts';

export const FAULTS = ['kill', 'pause', 'partition', 'restart-all', 'slow-disk', 'clock'] as const;

export type FaultName = (typeof FAULTS)[number];

export interface World {
  readonly cluster: TestCluster;
  readonly proxies: LinkProxies;
  /** By node, in the order of the nodes. */
  readonly clocks: readonly SkewedClock[];
  readonly hog: DiskHog;
  /** The time of a small synced write without any fault. */
  readonly calmDiskMs: number;
  /** Nodes that may be lost at a time. */
  readonly lostMax: number;
}

export interface Fault {
  readonly name: FaultName;
  /** For people: what was done, to whom. */
  readonly what: string;
  /** Nodes that do not serve meanwhile. */
  readonly victims: readonly TestNode[];
  /** Why it must be assumed that nothing was done; undefined when it took effect. */
  check(): Promise<string | undefined>;
  heal(): Promise<void>;
}

/** A disk counts as slow from here on. */
const SLOWER_MIN = 2;
const STEP_MS_MAX = 2_000;

export async function injectFault(name: FaultName, world: World): Promise<Fault> {
  switch (name) {
    case 'kill':
      return kill(world);
    case 'pause':
      return pause(world);
    case 'partition':
      return partition(world);
    case 'restart-all':
      return restartAll(world);
    case 'slow-disk':
      return slowDisk(world);
    case 'clock':
      return stepClock(world);
  }
}

async function kill({ cluster, lostMax }: World): Promise<Fault> {
  const victims = minorityOf(cluster.nodes, lostMax);
  await Promise.all(victims.map((node) => node.kill()));
  const ends = await Promise.all(victims.map((node) => node.ended));
  return {
    name: 'kill',
    what: `kill -9 ${namesOf(victims)}`,
    victims,
    check: async () => {
      return ends.every((end) => end === 'SIGKILL') ? undefined : `ended with ${ends.join()}`;
    },
    heal: async () => {
      for (const node of victims) node.start();
      await Promise.all(victims.map((node) => node.ready()));
    },
  };
}

async function pause({ cluster, lostMax }: World): Promise<Fault> {
  const victims = minorityOf(cluster.nodes, lostMax);
  for (const node of victims) node.pause();
  return {
    name: 'pause',
    what: `SIGSTOP ${namesOf(victims)}`,
    victims,
    check: async () => {
      const running = victims.filter(({ pid }) => !isStopped(pid));
      return running.length === 0 ? undefined : `${namesOf(running)} did not stop`;
    },
    heal: async () => {
      for (const node of victims) node.resume();
    },
  };
}

async function partition({ cluster, proxies, lostMax }: World): Promise<Fault> {
  const before = proxies.heldBytes;
  const minority = minorityOf(cluster.nodes, lostMax);
  const majority = cluster.nodes.filter((node) => !minority.includes(node));
  const oneWay = Math.random() < 0.3;
  for (const inside of minority) {
    for (const outside of majority) {
      proxies.cut(inside.id, outside.id);
      if (!oneWay) proxies.cut(outside.id, inside.id);
    }
  }
  return {
    name: 'partition',
    what: `${namesOf(minority)} ${oneWay ? 'is not heard by' : 'is cut off from'} the others`,
    victims: minority,
    check: async () => (proxies.heldBytes > before ? undefined : 'no message was held back'),
    heal: async () => proxies.heal(),
  };
}

async function restartAll({ cluster }: World): Promise<Fault> {
  await cluster.killAll();
  return {
    name: 'restart-all',
    what: 'kill -9 all nodes',
    victims: cluster.nodes,
    check: async () => {
      const alive = cluster.nodes.filter(({ isRunning }) => isRunning);
      return alive.length === 0 ? undefined : `${namesOf(alive)} live`;
    },
    heal: async () => {
      for (const node of cluster.nodes) node.start();
      await cluster.ready();
    },
  };
}

async function slowDisk({ hog, calmDiskMs }: World): Promise<Fault> {
  hog.start();
  let slowestMs = 0;
  return {
    name: 'slow-disk',
    what: 'another process writes and syncs as much as the disk takes',
    victims: [],
    check: async () => {
      slowestMs = Math.max(slowestMs, await hog.probeMs());
      if (slowestMs >= SLOWER_MIN * calmDiskMs) return undefined;
      return `a synced write took ${slowestMs.toFixed(2)} ms, ${calmDiskMs.toFixed(2)} before`;
    },
    heal: () => hog.stop(),
  };
}

async function stepClock({ cluster, clocks }: World): Promise<Fault> {
  const at = Math.floor(Math.random() * clocks.length);
  const node = cluster.nodes[at];
  const clock = clocks[at];
  if (node === undefined || clock === undefined) throw new RangeError('no such clock');
  const forward = Math.random() < 0.5;
  const offsetMs = Math.round((forward ? 1 : -1) * STEP_MS_MAX * (0.1 + 0.9 * Math.random()));
  clock.step(offsetMs);
  return {
    name: 'clock',
    what: `the clock of ${namesOf([node])} steps by ${offsetMs} ms`,
    victims: [],
    check: async () => {
      const client = node.client();
      try {
        const [seconds, micros] = (await client.must('TIME')) as [string, string];
        const measuredMs = Number(seconds) * 1_000 + Number(micros) / 1_000 - Date.now();
        const isThere = Math.abs(measuredMs - offsetMs) < Math.abs(offsetMs) / 2;
        return isThere ? undefined : `its clock is off by ${measuredMs.toFixed()} ms`;
      } finally {
        client.close();
      }
    },
    heal: async () => clock.heal(),
  };
}

/** As many nodes as may be lost, or fewer, never none. */
function minorityOf(nodes: readonly TestNode[], most: number): TestNode[] {
  const count = 1 + Math.floor(Math.random() * most);
  const rest = [...nodes];
  return Array.from({ length: count }, () => {
    const [drawn] = rest.splice(Math.floor(Math.random() * rest.length), 1);
    if (drawn === undefined) throw new RangeError('too few nodes');
    return drawn;
  });
}

function namesOf(nodes: readonly TestNode[]): string {
  return nodes.map(({ id }) => `node ${id}`).join(' and ');
}

/** Linux: state T in /proc. Elsewhere a signal that was sent is believed. */
function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' && process.platform !== 'linux';
  }
}

/** Long enough for signals, cuts and clocks to be felt before `check` is asked. */
export function settle(): Promise<void> {
  return sleep(300);
}
