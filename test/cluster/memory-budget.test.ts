/** Clients that ask a node for far more memory than it may use: it refuses, and serves the others. */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOST, TestCluster } from './harness.ts';
import { residentMib } from './memory.ts';

const MIB = 1024 * 1024;
const MAX_MIB = 256;
const HALVES = 40;
const HALF_BYTES = 15 * MIB;
const OOM = "OOM command not allowed when used memory > 'maxmemory'.";
/** Garbage that is not collected yet, and the buffers of the system. */
const GROWN_MIB_MAX = 450;

let cluster: TestCluster;

beforeAll(async () => {
  cluster = await TestCluster.start({ flags: [`--maxmemory=${MAX_MIB}mb`, '--cache-bytes=32mb'] });
});

afterAll(() => cluster?.remove());

function halfSent(port: number): Socket {
  const socket = connect(port, HOST);
  socket.on('error', () => undefined);
  socket.write(`*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${HALF_BYTES}\r\n`);
  socket.write(Buffer.alloc(HALF_BYTES - 1));
  return socket;
}

test('forty half-sent values of 15 MB: their clients are disconnected', async () => {
  const node = cluster.node(1);
  const client = node.client();
  expect(await client.must('PING')).toBe('PONG');
  const before = residentMib(node.pid);
  const sockets = Array.from({ length: HALVES }, () => halfSent(node.redisPort));
  let most = before;
  for (let looks = 0; looks < 20; looks += 1) {
    await sleep(100);
    expect(await client.must('PING')).toBe('PONG');
    most = Math.max(most, residentMib(node.pid));
  }
  const info = await node.info('stats');
  for (const socket of sockets) socket.destroy();
  expect(Number(info['evicted_clients'])).toBeGreaterThan(0);
  expect(most - before).toBeLessThan(GROWN_MIB_MAX);
  expect(await client.must('SET', 'k', '1')).toBe('OK');
  client.close();
}, 60_000);

test('ten SETRANGEs of 64 MB, each of 49 bytes: all but a few are refused', async () => {
  const node = cluster.node(2);
  const clients = Array.from({ length: 10 }, () => node.client());
  const asked = clients.map((client, at) => client.run('SETRANGE', `sr${at}`, '67108800', 'x'));
  const outcomes = await Promise.all(asked);
  const refused = outcomes.filter((outcome) => outcome.type === 'error' && outcome.why === OOM);
  expect(refused.length).toBeGreaterThanOrEqual(6);
  const [first] = clients;
  expect(await first?.must('GET', 'k')).toBe('1');
  expect(await first?.must('DEL', ...outcomes.map((_, at) => `sr${at}`))).toBe(10 - refused.length);
  for (const client of clients) client.close();
  for (const { log } of cluster.nodes.map((one) => ({ log: one.log() }))) {
    expect(log).not.toMatch(/is restarted|"level":60/);
  }
}, 60_000);

test('a client cannot change limits, the operator of the machine can', async () => {
  const node = cluster.node(3);
  const client = node.client();
  const refused = await client.run('CONFIG', 'SET', 'maxclients', '1');
  expect(refused).toMatchObject({ type: 'error' });
  expect(JSON.stringify(refused)).toContain('holoctl config set maxclients VALUE');
  const told = await node.holoctl('config', 'set', 'maxclients', '77');
  expect(told).toMatchObject({ code: 0, stdout: 'ok\n' });
  expect(await client.must('CONFIG', 'GET', 'maxclients')).toEqual(['maxclients', '77']);
  expect(await node.holoctl('config', 'set', 'maxmemory', '100')).toMatchObject({ code: 0 });
  // The value is in the cache from now on.
  expect(await client.must('GET', 'k')).toBe('1');
  await sleep(300);
  expect(await client.run('SET', 'x', '1')).toMatchObject({ type: 'error', why: OOM });
  expect(await client.must('GET', 'k')).toBe('1');
  expect(await node.http('/readyz')).toMatchObject({ status: 200 });
  expect((await node.http('/readyz')).body).toMatch(/^ready\nmemory: full/);
  expect((await node.http('/metrics')).body).toMatch(/holostore_memory_bytes\{part="max"\} 100/);
  expect((await node.info('memory'))['mem_budget_full']).toBe('1');
  client.close();
}, 60_000);
