/** Clusters of processes with a secret: strangers, and a rotation under load. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeGreeting } from '../../../transport/peer/handshake.ts';
import { newSecret, parseSecrets } from '../../../transport/peer/security/cluster-secret.ts';
import { kernelSupport } from '../../bpf/support.ts';
import { HOST, TestCluster, type TestNode } from '../../cluster/harness.ts';
import { helloOf } from '../../transport/peer/loopback-nodes.ts';

const directory = mkdtempSync(join(tmpdir(), 'holo-rotation-'));
const file = join(directory, 'secret');
/** Where it can be, keys of the kernel's map are changed as well. */
const TIER = kernelSupport().addon === undefined ? 'userspace' : 'kernel';
let cluster: TestCluster;

function write(...secrets: readonly string[]): void {
  // Replaced at once, as a deployment would do it.
  writeFileSync(`${file}.new`, secrets.join('\n'), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

const [OLD, NEW] = [newSecret(), newSecret()];
const idOf = (secret: string): string => parseSecrets(secret)[0]?.id ?? '';

async function refusedAt(node: TestNode, reason: string): Promise<number> {
  const { body } = await node.http('/metrics');
  const name = `holostore_peer_connections_refused_total\\{reason="${reason}"\\}`;
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(body)?.[1]);
}

async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error('it did not come to that');
    await sleep(50);
  }
}

beforeAll(async () => {
  write(OLD);
  cluster = await TestCluster.start({
    flags: [`--cluster-secret-file=${file}`, `--holofast=${TIER}`],
  });
});

afterAll(async () => {
  await cluster?.remove();
  rmSync(directory, { recursive: true, force: true });
});

describe('a cluster with a secret', () => {
  test('says so, and tells the secret to nobody', async () => {
    const node = cluster.node(1);
    expect(JSON.parse((await node.http('/status')).body)).toMatchObject({ peers: 'secret' });
    expect(node.log()).toContain(`by the cluster secret ${idOf(OLD)}`);
    for (const { id } of cluster.nodes) expect(cluster.node(id).log()).not.toContain(OLD);
  });

  test('serves through a rotation without a failed command', async () => {
    let over = false;
    let written = 0;
    const failures: string[] = [];
    const load = cluster.nodes.map(async (node) => {
      const client = node.client();
      while (!over) {
        const outcome = await client.run('INCR', `count-${node.id}`);
        if (outcome.type === 'ok') written += 1;
        else failures.push(`node ${node.id}: ${outcome.why}`);
      }
      client.close();
    });
    /** All nodes have read the file. */
    const taken = async (...secrets: readonly string[]): Promise<void> => {
      write(...secrets);
      const lines = cluster.nodes.map((node) => node.log().length);
      for (const node of cluster.nodes) node.signal('SIGHUP');
      const ids = secrets.map(idOf).join(', ');
      const has = (node: TestNode, index: number): boolean =>
        node.log().slice(lines[index]).includes(ids);
      await until(() => cluster.nodes.every(has));
      await sleep(500);
    };
    await taken(OLD, NEW);
    await taken(NEW, OLD);
    await taken(NEW);
    await sleep(1_000);
    over = true;
    await Promise.all(load);
    expect(failures).toEqual([]);
    expect(written).toBeGreaterThan(20);
    await cluster.ready();
    for (const node of cluster.nodes) {
      const { holofast_frames_received: frames, ...rest } = await node.info('holofast');
      expect(Number(frames)).toBeGreaterThan(100);
      expect(rest).toMatchObject({ holofast_tier: TIER, holofast_frames_rejected: '0' });
      if (TIER === 'kernel') expect(rest['holofast_kernel_tampered']).toBe('0');
    }
    // Every pair is connected anew.
    const status = JSON.parse((await cluster.node(1).http('/status')).body);
    expect(status.members.every((member: { alive: boolean }) => member.alive)).toBe(true);
  });

  test('takes no forged greeting, counts it, and logs where it came from', async () => {
    const node = cluster.node(1);
    const { clusterId } = JSON.parse((await node.http('/status')).body);
    const before = await refusedAt(node, 'protocol');
    const forged = encodeGreeting({ kind: 'hello', hello: helloOf(2, { clusterId }), target: 1 });
    const socket = connect(node.peerPort, HOST);
    const closed = new Promise((resolve) => socket.on('close', resolve).on('error', () => {}));
    socket.resume().write(forged);
    await closed;
    await until(async () => (await refusedAt(node, 'protocol')) === before + 1);
    expect(node.log()).toMatch(/it does not speak TLS[^"]*\(from 127\.0\.0\.1:\d+\)/);
  });
});
