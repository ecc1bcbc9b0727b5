/** Limits that depend on each other, met by real clients: an error for the client, no harm. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { HOST, TestCluster, type TestNode } from './harness.ts';

const BURSTS = 4;
const COMMANDS = 1_000;
const VALUE_BYTES = 2_000;
const LARGE_BYTES = 100 * 1024 * 1024;
const MULTI_PART_BYTES = 20 * 1024 * 1024;

let cluster: TestCluster;

beforeAll(async () => {
  // Batches are derived: of the default size they would not fit these segments.
  cluster = await TestCluster.start({ flags: ['--segment-bytes=1mb'] });
});

afterAll(() => cluster?.remove());

/** Sends the bytes whole, and resolves with what came back when `isDone`, or at the end. */
function exchange(node: TestNode, sent: Buffer, isDone: (text: string) => boolean) {
  return new Promise<string>((settle) => {
    const socket = connect(node.redisPort, HOST);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (isDone(text)) socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => settle(text));
    socket.write(sent);
  });
}

function set(key: string, valueBytes: number): Buffer {
  const head = `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${valueBytes}\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.alloc(valueBytes, 'v'), Buffer.from('\r\n')]);
}

async function allServe(): Promise<void> {
  for (const node of cluster.nodes) {
    expect(node.isRunning).toBe(true);
    const client = node.client();
    expect(await client.must('SET', `alive${node.id}`, 'x')).toBe('OK');
    client.close();
    expect(node.log()).not.toMatch(/"level":60/);
  }
}

test('bursts that fill batches, with segments smaller than the standard batch', async () => {
  for (let burst = 0; burst < BURSTS; burst += 1) {
    const commands = Array.from({ length: COMMANDS }, (_, at) =>
      set(`b${burst}.${at}`, VALUE_BYTES),
    );
    const all = Buffer.concat(commands);
    const [node] = cluster.nodes;
    if (node === undefined) throw new Error('no node');
    const replies = await exchange(node, all, (text) => text.length >= COMMANDS * '+OK\r\n'.length);
    expect(replies).toBe('+OK\r\n'.repeat(COMMANDS));
  }
  await allServe();
});

test('a value larger than a log segment is stored', async () => {
  const node = cluster.node(2);
  expect(await exchange(node, set('large', 3_000_000), (text) => text.includes('\n'))).toBe(
    '+OK\r\n',
  );
  expect(await cluster.node(3).client().must('STRLEN', 'large')).toBe(3_000_000);
  await allServe();
});

test('no setting lifts what a transaction may hold; a larger one is an error', async () => {
  const node = cluster.node(1);
  const client = node.client();
  for (const name of ['client-query-buffer-limit', 'proto-max-bulk-len', 'multi-bytes-max']) {
    const refused = await node.holoctl('config', 'set', name, '512mb');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('argument must be between');
    expect((await node.holoctl('config', 'set', name, '48mb')).code).toBe(0);
  }
  const reply = await exchange(node, set('huge', LARGE_BYTES), (text) => text.includes('\n'));
  expect(reply).toBe('-ERR Protocol error: invalid bulk length\r\n');
  const parts = [1, 2, 3].map((each) => set(`part${each}`, MULTI_PART_BYTES));
  const block = Buffer.concat([Buffer.from('MULTI\r\n'), ...parts, Buffer.from('EXEC\r\n')]);
  const answers = await exchange(node, block, (text) => text.includes('EXECABORT'));
  expect(answers).toContain('-ERR MULTI block is too large');
  for (const key of ['huge', 'part1']) expect(await client.must('EXISTS', key)).toBe(0);
  client.close();
  await allServe();
});
