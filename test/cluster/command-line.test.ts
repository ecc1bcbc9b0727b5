/**
 * Starting a node wrongly, end to end: one clear reason and an exit code that is not 0. About
 * fifteen seconds.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LSN_MAX, RECORD_HEADER_BYTES, recordBytes } from '../../wal/record.ts';
import { SEGMENT_HEADER_BYTES, segmentName, sortNames } from '../../wal/segment.ts';
import { HOST, TestCluster, type TestNode } from './harness.ts';
import { freePorts } from './ports.ts';
import { runTool } from './redis-tools.ts';

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await TestCluster.start();
});

afterEach(() => cluster?.remove());

/** Runs a node with the flags of `node` but for `changes`, until it ends by itself. */
async function refusal(node: TestNode, changes: Readonly<Record<string, string>>) {
  const flags = node.flags.map((flag) => {
    const [name = ''] = flag.split('=');
    return changes[name] === undefined ? flag : `${name}=${changes[name]}`;
  });
  const { code, stdout, stderr } = await runTool(
    process.execPath,
    [node.program.main, 'node', ...flags],
    20_000,
  );
  const last = `${stdout}${stderr}`.trim().split('\n').at(-1) ?? '';
  const reason = last.startsWith('{') ? String(JSON.parse(last).msg) : last;
  expect(reason).not.toContain('\n');
  return { code, reason };
}

test('a directory that is in use, or of another node; other addresses are hints', async () => {
  const node = cluster.node(1);
  const { dataDir, members } = node;
  expect(await refusal(node, {})).toEqual({
    code: 1,
    reason:
      `holostore: data directory ${dataDir} is in use by another node (process ${node.pid}): ` +
      'end that one, or give each node a directory of its own with --data-dir',
  });
  await node.kill();
  expect(await refusal(node, { '--node-id': '2' })).toEqual({
    code: 1,
    reason:
      `holostore: data directory ${dataDir} belongs to node 1, not to node 2: ` +
      '--node-id or --data-dir is wrong',
  });
  const others = [...members.slice(0, 2), `3@${HOST}:1`].join(',');
  // It knows its cluster, and where the others are.
  node.start([`--initial-members=${others}`]);
  await node.ready();
});

test('ports in use are named with what they are for', async () => {
  const node = cluster.node(1);
  const [redis = 0, peer = 0, admin = 0] = await freePorts(3);
  const free: Record<string, string> = {
    '--listen-redis': `${HOST}:${redis}`,
    '--listen-peer': `${HOST}:${peer}`,
    '--listen-admin': `${HOST}:${admin}`,
  };
  const used = {
    '--listen-redis': node.redisPort,
    '--listen-peer': node.peerPort,
    '--listen-admin': node.adminPort,
  };
  for (const [flag, port] of Object.entries(used)) {
    const changes = { ...free, [flag]: `${HOST}:${port}` };
    const dataDir = join(cluster.directory, `spare${flag}`);
    const { code, reason } = await refusal(node, { ...changes, '--data-dir': dataDir });
    expect(code).toBe(1);
    expect(reason).toContain(String(port));
    expect(reason).toContain('is in use by another process; stop that process');
    expect(reason).toContain(`give another port with ${flag}`);
  }
});

test('a node that comes back with an emptied directory is refused by name', async () => {
  const node = cluster.node(3);
  await node.client().must('SET', 'k', 'v');
  await node.kill();
  rmSync(node.dataDir, { recursive: true });
  mkdirSync(node.dataDir);
  node.start();
  const reason = 'its data directory was replaced or emptied, and its promises are lost';
  await eventually(() => node.log().includes(reason));
  expect(node.log()).toContain('refused by node 1: node 3 comes with another disk');
  expect(cluster.node(1).log()).toContain('node 3 comes with another disk');
  expect((await node.http('/readyz')).status).toBe(503);
  // The others go on without it.
  expect(await cluster.node(2).client().must('GET', 'k')).toBe('v');
});

test.each([
  ['store', 'holds no store'],
  ['wal', 'holds no log'],
])('a node whose %s is gone does not start, and says why', async (name, reason) => {
  const node = cluster.node(1);
  const kept = join(cluster.directory, name);
  await write(node, 50);
  await node.kill();
  renameSync(join(node.dataDir, name), kept);
  node.start();
  expect(await node.ended).toBe(3);
  expect(node.log()).toContain(`${join(node.dataDir, name)} ${reason}`);
  rmSync(join(node.dataDir, name), { recursive: true, force: true });
  renameSync(kept, join(node.dataDir, name));
  node.start();
  await node.ready();
});

describe('the log', () => {
  test('with a torn last write it starts, and says what was cut', async () => {
    const node = cluster.node(1);
    await write(node, 50);
    await node.kill();
    const { path, bytes, end, nextLsn } = readSegment(node);
    // Half a record: a power cut leaves that of a write that was not acknowledged.
    bytes.writeUInt32LE(0x12345678, end);
    bytes.writeUInt32LE(4000, end + 4);
    bytes.writeBigUInt64LE(BigInt(nextLsn), end + 8);
    bytes.fill(0x55, end + RECORD_HEADER_BYTES, end + 900);
    writeFileSync(path, bytes);
    node.start();
    await node.ready();
    expect(node.log()).toMatch(/"tornTails":1,"cutBytes":\d+,"msg":"the log is open"/);
    expect(await node.client().must('GET', 'k49')).toBe('49');
  });

  test('with damage in its middle the node refuses to start and says where', async () => {
    const node = cluster.node(1);
    await write(node, 50);
    await node.kill();
    const { path, bytes, starts } = readSegment(node);
    const damaged = starts[Math.floor(starts.length / 2)] ?? 0;
    const at = damaged + RECORD_HEADER_BYTES;
    bytes[at] = (bytes[at] ?? 0) ^ 0x01;
    writeFileSync(path, bytes);
    const { code, reason } = await refusal(node, {});
    // The code for data that the node must not use: a parent does not try again.
    expect(code).toBe(3);
    expect(reason).toContain(path);
    expect(reason).toContain(String(damaged));
    // The other two still serve.
    expect(await cluster.node(2).client().must('GET', 'k49')).toBe('49');
  });
});

async function write(node: TestNode, count: number): Promise<void> {
  const client = node.client();
  for (let at = 0; at < count; at += 1) await client.must('SET', `k${at}`, String(at));
  client.close();
  // Every node has it in its log, not only a quorum.
  await sleep(300);
}

async function eventually(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds() && performance.now() < deadline) await sleep(50);
  expect(holds()).toBe(true);
}

interface SegmentContent {
  readonly path: string;
  readonly bytes: Buffer;
  /** Offsets of the records. */
  readonly starts: readonly number[];
  /** Behind the last record. */
  readonly end: number;
  readonly nextLsn: number;
}

/** The newest segment of a node that does not run. */
function readSegment(node: TestNode): SegmentContent {
  const folder = join(node.dataDir, 'wal');
  const firstLsn = sortNames(readdirSync(folder)).live.at(-1) ?? LSN_MAX;
  const path = join(folder, segmentName(firstLsn));
  const bytes = readFileSync(path);
  const starts: number[] = [];
  let end = SEGMENT_HEADER_BYTES;
  let nextLsn = firstLsn;
  while (bytes.readBigUInt64LE(end + 8) === BigInt(nextLsn)) {
    starts.push(end);
    end += recordBytes(bytes.readUInt32LE(end + 4));
    nextLsn += 1;
  }
  return { path, bytes, starts, end, nextLsn };
}
