/**
 * Real nodes with the kernel part, end to end: on `lo`, and on five hosts in network namespaces.
 * The counts add up; losing the kernel part under load costs speed and no command; a killed node
 * leaves nothing attached; and a node that cannot have it says so. All names and ports are this
 * process's own.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseNodeConfig } from '../../actors/process/settings/config.ts';
import { startNode } from '../../actors/process/start-node.ts';
import {
  BridgedHosts,
  endsAtOnce,
  hasTool,
  localHosts,
  RealCluster,
  type RealNode,
} from './real-cluster.ts';
import { kernelSupport } from './support.ts';

const portBase = 8100 + (process.pid % 300) * 64;
/** Five processes start and serve beside whatever else the machine does. */
const timeoutMs = 90_000;
const load = ['-t', 'set', '-r', '1000', '-c', '8', '-n', '1500'];

const { addon, reason } = kernelSupport();
const tools = hasTool('redis-benchmark') && hasTool('redis-cli');
const possible = addon !== undefined && process.getuid?.() === 0 && tools;
if (!possible) {
  const why = reason ?? (tools ? 'not root' : 'redis-benchmark or redis-cli is missing');
  console.log(`skipped, no real nodes with the kernel part: ${why}`);
}
/** All of `struct hf_counters`. */
const kernelCounters = [
  ...['fan_outs', 'clones', 'clone_errors', 'votes', 'duplicates', 'stale', 'dropped', 'passed'],
  ...['ring_full', 'tampered', 'foreign', 'quorums'],
];
const hasBpftool = hasTool('bpftool');
if (possible && !hasBpftool) console.log('skipped, removal from outside: bpftool is missing');

/** Ids of the BPF objects of a kind that a process holds open. */
function held(pid: number | undefined, kind: 'prog_id' | 'link_id'): number[] {
  const directory = `/proc/${pid}/fdinfo`;
  const found = readdirSync(directory).flatMap((name) => {
    try {
      const text = readFileSync(join(directory, name), 'latin1');
      return Number(new RegExp(`^${kind}:\\s*(\\d+)`, 'm').exec(text)?.[1] ?? []);
    } catch {
      return [];
    }
  });
  return [...new Set(found)].filter((id) => id > 0);
}

function number(fields: Record<string, string>, name: string): number {
  const value = Number(fields[name]);
  if (!Number.isFinite(value)) throw new Error(`no number ${name} in ${JSON.stringify(fields)}`);
  return value;
}

/** The samples of HoloFast at a scrape, without their prefix. */
async function metricsOf({ host, adminPort }: RealNode): Promise<Map<string, number>> {
  const answer = await fetch(`http://${host.address}:${adminPort}/metrics`);
  const prefix = 'holostore_holofast_';
  const samples = (await answer.text()).split('\n').filter((line) => line.startsWith(prefix));
  return new Map(
    samples.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(prefix.length, space), Number(line.slice(space + 1))];
    }),
  );
}

/** INFO of the first node once it says so, or as it is after some seconds. */
async function until(
  cluster: RealCluster,
  holds: (fields: Record<string, string>) => boolean,
): Promise<Record<string, string>> {
  for (let i = 0; i < 100 && !holds(cluster.holofast(cluster.first)); i += 1) await sleep(100);
  return cluster.holofast(cluster.first);
}

describe.skipIf(!possible)('three nodes on lo', { timeout: timeoutMs }, () => {
  let cluster: RealCluster | undefined;

  afterEach(async () => {
    await cluster?.stop();
    cluster = undefined;
  });

  async function start(modes: readonly ('kernel' | 'off' | 'userspace' | 'sendmmsg')[]) {
    cluster = await RealCluster.start({ hosts: localHosts(3), portBase, modes });
    return cluster;
  }

  test('serves, and the counters add up exactly, in INFO and in metrics', async () => {
    const running = await start(['kernel']);
    const node = running.first;
    const { rps } = await running.benchmark(node, load);
    expect(rps).toBeGreaterThan(0);
    // A probe may be between the kernel and the node at the moment of asking: one moment is enough.
    const fields = await until(
      running,
      (now) => number(now, 'kernel_passed') === number(now, 'frames_received'),
    );
    expect(fields['tier']).toBe('kernel');
    expect(fields['reason']).toContain('self-test passed');
    const of = (name: string): number => number(fields, name);
    for (const name of kernelCounters) expect(of(`kernel_${name}`)).toBeGreaterThanOrEqual(0);
    const fanOuts = of('kernel_fan_outs');
    expect(fanOuts).toBeGreaterThan(100);
    expect(of('fanned_out')).toBe(fanOuts);
    // Two members: one gets a clone, the other the frame itself.
    expect(of('kernel_clones')).toBe(fanOuts);
    // A frame that reached the socket was kept for good reason, or came up and was seen.
    const votes = of('kernel_votes');
    const quorums = of('kernel_quorums');
    expect(of('kernel_dropped')).toBe(votes + of('kernel_duplicates') - of('kernel_ring_full'));
    expect(of('kernel_passed')).toBe(of('frames_received'));
    expect(quorums).toBeGreaterThan(50);
    // Slots of PreAccept take two votes for a quorum, others one.
    expect(votes).toBeGreaterThanOrEqual(quorums);
    expect(votes).toBeLessThanOrEqual(2 * quorums + of('rounds'));
    expect(of('quorums')).toBeGreaterThan(50);
    expect(of('quorums')).toBeLessThanOrEqual(quorums);
    // Not `foreign`: a member that was late before is not waited for, and may answer all the same.
    for (const name of ['clone_errors', 'ring_full', 'tampered']) {
      expect(of(`kernel_${name}`), name).toBe(0);
    }
    for (const name of ['frames_rejected', 'unreadable', 'send_errors', 'reattached']) {
      expect(of(name), name).toBe(0);
    }
    const others = running.nodes.slice(1).map((other) => running.holofast(other));
    for (const other of others) expect(number(other, 'replies')).toBeGreaterThan(50);

    const metrics = await metricsOf(node);
    const shown = running.holofast(node);
    for (const name of Object.keys(shown)) {
      if (name === 'tier' || name === 'reason') continue;
      expect(metrics.has(`events_total{event="${name}"}`), name).toBe(true);
    }
    // The rest goes on counting: nodes probe each other.
    for (const name of ['kernel_fan_outs', 'kernel_clones', 'kernel_quorums', 'quorums']) {
      expect(metrics.get(`events_total{event="${name}"}`), name).toBe(of(name));
    }
    expect(metrics.get('tier{tier="kernel"}')).toBe(1);
    expect(metrics.get('quorum_seconds_count')).toBe(of('quorums'));
    expect(metrics.get('quorum_seconds_bucket{le="+Inf"}')).toBe(of('quorums'));
    expect(metrics.get('quorum_seconds_sum')).toBeGreaterThan(0);
  });

  test.skipIf(!hasBpftool)(
    'removed from outside under load: nothing is lost, and the kernel fans out again',
    async () => {
      const running = await start(['kernel']);
      const node = running.first;
      const before = running.holofast(node);
      expect(before['reattached']).toBe('0');
      const counting = running.benchmark(node, [...load, '-n', '3000']);
      const removed: number[] = [];
      for (let i = 0; i < 30; i += 1) {
        expect(running.command(node, 'incr', 'counted')).toBe(String(i + 1));
        await sleep(5);
        if (i !== 10) continue;
        for (const link of held(node.child.pid, 'link_id')) {
          const args = ['link', 'detach', 'id', String(link)];
          if (spawnSync('bpftool', args, { stdio: 'ignore' }).status === 0) removed.push(link);
        }
      }
      await counting;
      expect(removed).toHaveLength(1);
      const after = await until(running, (fields) => number(fields, 'reattached') > 0);
      expect(number(after, 'kernel_absent')).toBeGreaterThan(number(before, 'kernel_absent'));
      expect(after).toMatchObject({ tier: 'kernel', reattached: '1' });
      expect(after['reason']).toMatch(/the fan-out was attached again$/);
      expect(held(node.child.pid, 'link_id')).not.toEqual(removed);
      await running.benchmark(node, load);
      const last = running.holofast(node);
      const fanOuts = number(last, 'kernel_fan_outs') - number(after, 'kernel_fan_outs');
      expect(fanOuts).toBeGreaterThan(50);
      expect(number(last, 'kernel_absent')).toBe(number(after, 'kernel_absent'));
      expect(running.nodes.map((each) => running.command(each, 'get', 'counted'))).toEqual(
        Array(3).fill('30'),
      );
      const told = node.output.split('\n').filter((line) => line.includes('was attached again'));
      expect(told).toHaveLength(1);
    },
  );

  test('a killed node leaves nothing attached, and comes back', async () => {
    const running = await start(['kernel']);
    const node = running.first;
    const programs = held(node.child.pid, 'prog_id');
    expect(programs.length).toBeGreaterThanOrEqual(2);
    await running.kill(node);
    for (let i = 0; i < 100 && programs.some((id) => addon?.programAlive(id)); i += 1) {
      await sleep(20);
    }
    expect(programs.filter((id) => addon?.programAlive(id))).toEqual([]);
    const [, second] = running.nodes;
    if (second === undefined) throw new Error('no second node');
    expect(running.command(second, 'set', 'k', 'v')).toBe('OK');
    running.restart(node);
    await running.ready();
    expect(running.command(running.first, 'get', 'k')).toBe('v');
  });

  test('a node that stops detaches, before its process ends', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holofast-stop-'));
    const at = (port: number): string => `127.0.0.1:${port}`;
    const flags = [
      '--node-id=1',
      `--listen-redis=${at(portBase + 60)}`,
      `--listen-peer=${at(portBase + 51)}`,
      `--listen-admin=${at(portBase + 61)}`,
      `--data-dir=${directory}`,
      `--initial-members=${[1, 2, 3].map((id) => `${id}@${at(portBase + 50 + id)}`).join(',')}`,
      '--bootstrap',
      '--holofast=kernel',
    ];
    const before = held(process.pid, 'prog_id');
    const node = startNode(parseNodeConfig(flags, {}), pino({ level: 'silent' }));
    try {
      await expect.poll(() => held(process.pid, 'link_id'), { timeout: 10_000 }).toHaveLength(1);
      const programs = held(process.pid, 'prog_id').filter((id) => !before.includes(id));
      expect(programs.length).toBeGreaterThanOrEqual(2);
      await node.stop('the test is over');
      expect(held(process.pid, 'link_id')).toEqual([]);
      const alive = (): number[] => programs.filter((id) => addon?.programAlive(id));
      await expect.poll(alive, { timeout: 5_000 }).toEqual([]);
    } finally {
      await node.stop('the test is over');
      rmSync(directory, { recursive: true });
      // Nothing of a node that has stopped makes it anew.
      await sleep(300);
      expect(existsSync(directory)).toBe(false);
    }
  });

  test('tiers may be mixed, and a peer may have none', async () => {
    const modes = ['kernel', 'sendmmsg', 'userspace', 'off', 'kernel'] as const;
    cluster = await RealCluster.start({ hosts: localHosts(5), portBase, modes });
    const running = cluster;
    for (const node of running.nodes) await running.benchmark(node, [...load, '-n', '300']);
    const fields = running.nodes.map((node) => running.holofast(node));
    expect(fields.map(({ tier }) => tier)).toEqual(modes);
    fields.forEach((each, at) => {
      if (modes[at] === 'off') return;
      // The one without is served over TCP, and the others go on with frames.
      expect(number(each, 'reachable'), `node ${at + 1}`).toBe(3);
      expect(number(each, 'over_tcp'), `node ${at + 1}`).toBeGreaterThan(0);
      expect(number(each, 'rounds'), `node ${at + 1}`).toBeGreaterThan(0);
      expect(number(each, 'replies'), `node ${at + 1}`).toBeGreaterThan(0);
      expect(number(each, 'frames_rejected'), `node ${at + 1}`).toBe(0);
    });
    const sizes = new Set(running.nodes.map((node) => running.command(node, 'dbsize')));
    expect(sizes.size).toBe(1);
  });
});

describe('a node that cannot have the kernel part', () => {
  test('ends with one line when it was asked for', () => {
    const pins = join(tmpdir(), `holofast-nothing-${process.pid}`);
    const flags = ['--holofast=kernel', `--holofast-pins=${pins}`];
    const { status, fatal } = endsAtOnce(portBase, [], flags);
    expect(status).toBe(1);
    expect(fatal).toHaveLength(1);
    expect(fatal[0]).toContain('--holofast kernel cannot be');
  });
});

const bridged = new BridgedHosts(5);
const hasTools = possible && hasTool('nsenter');

describe.skipIf(!hasTools)('five hosts on a bridge', { timeout: timeoutMs }, () => {
  let cluster: RealCluster | undefined;

  let made = false;
  // Not earlier: where all tests here are skipped, nothing would remove them.
  beforeAll(() => {
    made = bridged.make();
  });
  beforeEach(({ skip }) => skip(!made, 'no network namespaces here'));
  afterEach(async () => {
    await cluster?.stop();
    cluster = undefined;
    for (let host = 1; host <= 5; host += 1) bridged.ip(host, 'link', 'set', 'eth0', 'up');
  });
  afterAll(() => bridged.remove());

  test('serve, count in the kernel, and go on without two of them', async () => {
    cluster = await RealCluster.start({ hosts: bridged.hosts, portBase, modes: ['kernel'] });
    const node = cluster.first;
    await cluster.benchmark(node, load);
    const fields = cluster.holofast(node);
    expect(fields['tier']).toBe('kernel');
    const fanOuts = number(fields, 'kernel_fan_outs');
    expect(fanOuts).toBeGreaterThan(50);
    expect(number(fields, 'kernel_clones')).toBe(3 * fanOuts);
    expect(number(fields, 'kernel_quorums')).toBeGreaterThan(20);
    for (const victim of cluster.nodes.slice(3)) await cluster.kill(victim);
    await cluster.benchmark(node, [...load, '-n', '300']);
    const after = number(cluster.holofast(node), 'kernel_quorums');
    expect(after).toBeGreaterThan(number(fields, 'kernel_quorums'));

    // Their machines go too, and the first host forgets their addresses.
    for (const host of [4, 5]) bridged.ip(host, 'link', 'set', 'eth0', 'down');
    bridged.ip(1, 'neigh', 'flush', 'dev', 'eth0');
    await cluster.benchmark(node, [...load, '-n', '300']);
    await sleep(500);
    const without = cluster.holofast(node);
    await cluster.benchmark(node, [...load, '-n', '300']);
    const last = cluster.holofast(node);
    expect(number(last, 'kernel_fan_outs')).toBeGreaterThan(number(without, 'kernel_fan_outs'));
    expect(number(last, 'kernel_absent')).toBe(number(without, 'kernel_absent'));
  });

  test('a peer whose Ethernet address changes is sent frames again', async () => {
    cluster = await RealCluster.start({ hosts: bridged.hosts, portBase, modes: ['kernel'] });
    const node = cluster.first;
    const [, second] = cluster.nodes;
    if (second === undefined) throw new Error('no second node');
    await cluster.benchmark(node, load);
    for (const change of [['down'], ['address', '02:00:00:00:00:99'], ['up']]) {
      bridged.ip(2, 'link', 'set', 'eth0', ...change);
    }
    // Until then TCP carries what that peer is sent; the others' frames go on.
    await until(cluster, (fields) => fields['reachable'] === '4');
    await cluster.benchmark(node, load);
    const before = [cluster.holofast(node), cluster.holofast(second)];
    expect(before[0]?.['reachable']).toBe('4');
    await cluster.benchmark(node, load);
    const after = [cluster.holofast(node), cluster.holofast(second)];
    const grew = (at: 0 | 1, name: string): number =>
      number(after[at] ?? {}, name) - number(before[at] ?? {}, name);
    const fanOuts = grew(0, 'kernel_fan_outs');
    expect(fanOuts).toBeGreaterThan(50);
    expect(grew(0, 'kernel_clones')).toBe(3 * fanOuts);
    // The kernel's frames to that peer's new address arrive there and are answered.
    expect(grew(1, 'replies')).toBeGreaterThan(fanOuts / 4);
  });
});
