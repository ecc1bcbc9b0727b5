/** MONITOR: the lines are those of redis-server, but for their times and addresses. */
import { createConnection } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Oracle } from '../../storage/differential/oracle.ts';
import { HAS_REDIS } from '../../storage/differential/redis-server.ts';
import { array, Harness, request } from './harness.ts';

const COMMANDS: readonly (readonly string[])[] = [
  ['PING'],
  ['SELECT', '3'],
  ['set', 'k', 'v'],
  ['GET'],
  ['nosuch'],
  ['MULTI'],
  ['SET', 'a', '1'],
  ['GET', 'a'],
  ['EXEC'],
  ['MULTI'],
  ['SET', 'a', '1'],
  ['DISCARD'],
  ['CLIENT', 'LIST'],
  ['CLIENT', 'SETNAME', 'x'],
  ['CONFIG', 'GET', 'maxmemory'],
  ['AUTH', 'foo', 'bar'],
  ['HELLO', '3', 'AUTH', 'foo', 'bar'],
  ['ACL', 'LIST'],
  ['SET', 'k\n\x00"', '\xff\\\r\t\x07a'],
  ['INFO', 'server'],
];

/** Without what differs each time. */
function plain(lines: string): string[] {
  const all = lines.split('\r\n').filter((line) => line.startsWith('+') && line.includes(' ['));
  return all.map((line) => line.replace(/^\+\d+\.\d{6} \[(\d+) [^\]]+\]/, '[$1]'));
}

function ours(): string {
  const harness = new Harness();
  const monitor = harness.client();
  expect(monitor.ask(request('MONITOR'))).toBe('+OK\r\n');
  const client = harness.client();
  for (const words of COMMANDS) client.ask(array(...words));
  harness.endTurn();
  return monitor.socket.text;
}

describe.skipIf(!HAS_REDIS)('beside redis-server', () => {
  let oracle: Oracle;

  beforeAll(async () => {
    oracle = await Oracle.start('redis-server');
  });

  afterAll(() => oracle.close());

  test('a monitor sees the same', async () => {
    const [monitor, client] = [createConnection(oracle.port), createConnection(oracle.port)];
    let text = '';
    monitor.setEncoding('latin1').on('data', (data: string) => {
      text += data;
    });
    monitor.write('MONITOR\r\n');
    await vi.waitFor(() => expect(text).toBe('+OK\r\n'));
    for (const words of COMMANDS) {
      client.write(array(...words), 'latin1');
      await sleep(5);
    }
    await vi.waitFor(() => expect(text).toContain('INFO'));
    monitor.destroy();
    client.destroy();
    expect(plain(ours())).toEqual(plain(text));
  });
});

test('a line has time, database and address', () => {
  const line = ours().split('\r\n')[0];
  expect(line).toMatch(/^\+\d{10}\.\d{6} \[0 127\.0\.0\.1:\d+\] "PING"$/);
});

test('a monitor reads no keys, and RESET or its end ends it', () => {
  const harness = new Harness();
  const monitor = harness.client();
  monitor.ask(request('MONITOR'));
  expect(monitor.ask(request('GET k'))).toMatch(/^-ERR Replica can't interact/);
  expect(monitor.ask(request('CLIENT INFO'))).toMatch(/flags=O /);
  expect(monitor.ask(request('RESET'))).toContain('+RESET\r\n');
  harness.client().ask(request('PING'));
  expect(monitor.socket.text).toBe('');
  const other = harness.client();
  other.ask(request('MONITOR'));
  other.connection.kill();
  expect(harness.gateway.monitors.isUsed()).toBe(false);
  const block = harness.client().ask(['MULTI', 'MONITOR', 'EXEC'].map((x) => request(x)).join(''));
  expect(block).toMatch(/-ERR MONITOR isn't allowed for DENY BLOCKING client\r\n$/);
});

test('long words are cut, and a monitor that does not read is cut off at its limit', () => {
  const harness = new Harness({ outputBytesMax: 20_000 });
  const monitor = harness.client();
  monitor.ask(request('MONITOR'));
  const client = harness.client();
  client.ask(array('SET', 'k', 'x'.repeat(5_000)));
  expect(monitor.socket.text).toContain('x... (904 more bytes)"');
  monitor.socket.slow = true;
  for (let n = 0; n < 20 && !monitor.socket.destroyed; n += 1) {
    client.ask(array('SET', 'k', 'x'.repeat(5_000)));
  }
  expect(monitor.socket.destroyed).toBe(true);
  expect(client.ask(request('PING'))).toBe('+PONG\r\n');
});
