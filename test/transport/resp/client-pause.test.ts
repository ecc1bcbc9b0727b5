/** CLIENT PAUSE and UNPAUSE at one gateway. */
import { describe, expect, test } from 'vitest';
import { Harness, type HarnessClient, request } from './harness.ts';

function pass(harness: Harness, ms: number): void {
  harness.nowMs += ms;
  harness.gateway.onTick();
  harness.endTurn();
}

function paused(mode: string, ms = 1_000): [Harness, HarnessClient, HarnessClient] {
  const harness = new Harness();
  const [admin, client] = [harness.client(), harness.client()];
  expect(admin.ask(request(`CLIENT PAUSE ${ms} ${mode}`.trim()))).toBe('+OK\r\n');
  return [harness, admin, client];
}

describe('bad input', () => {
  test.each([
    ['CLIENT PAUSE x', '-ERR timeout is not an integer or out of range'],
    ['CLIENT PAUSE -1', '-ERR timeout is negative'],
    ['CLIENT PAUSE 10 FOO', '-ERR CLIENT PAUSE mode must be WRITE or ALL'],
    ['CLIENT PAUSE 1 WRITE X', "-ERR unknown subcommand or wrong number of arguments for 'PAUSE'."],
    ['CLIENT PAUSE', "-ERR wrong number of arguments for 'client|pause' command"],
    ['CLIENT UNPAUSE X', "-ERR wrong number of arguments for 'client|unpause' command"],
  ])('%s', (line, start) => {
    const harness = new Harness();
    expect(harness.client().ask(request(line))).toContain(start);
    expect(harness.gateway.pause.isOn()).toBe(false);
  });
});

test('ALL: every command waits, in its order, until the time is over', () => {
  const [harness, admin, client] = paused('');
  expect(client.ask(request('PING') + request('SET k 1') + request('GET k'))).toBe('');
  expect(admin.ask(request('PING'))).toBe('');
  expect(harness.gateway.pause.size()).toBe(2);
  pass(harness, 900);
  expect(client.socket.text).toBe('');
  pass(harness, 100);
  expect(client.socket.text).toBe('+PONG\r\n+OK\r\n$1\r\n1\r\n');
  expect(admin.socket.text).toBe('+PONG\r\n');
});

test('WRITE: reads go on, writes, blocks that write and messages wait', () => {
  const [harness, admin, client] = paused('WRITE', 60_000);
  expect(client.ask(request('GET k') + request('PING'))).toBe('$-1\r\n+PONG\r\n');
  expect(client.ask(request('GET k') + request('SET k 1') + request('GET k'))).toBe('$-1\r\n');
  const block = harness.client();
  const lines = (...all: string[]): string => all.map((line) => request(line)).join('');
  expect(block.ask(lines('MULTI', 'GET k', 'EXEC'))).toMatch(/\*1\r\n\$-1\r\n$/);
  expect(block.ask(lines('MULTI', 'SET k 2', 'EXEC'))).toBe('+OK\r\n+QUEUED\r\n');
  const publisher = harness.client();
  expect(publisher.ask(request('PUBLISH c m'))).toBe('');
  expect(admin.ask(request('INFO clients'))).toContain('blocked_clients:3');
  expect(admin.ask(request('CLIENT UNPAUSE'))).toBe('+OK\r\n');
  expect(client.socket.text).toBe('+OK\r\n$1\r\n1\r\n');
  expect(block.socket.text).toBe('*1\r\n+OK\r\n');
  expect(publisher.socket.text).toBe(':0\r\n');
});

test('a shorter or narrower pause does not end a longer or wider one', () => {
  const [harness, admin, client] = paused('ALL', 1_000);
  const other = harness.client();
  expect(other.ask(request('CLIENT UNPAUSE'))).toBe('+OK\r\n');
  admin.ask(request('CLIENT PAUSE 1000 WRITE'));
  expect(admin.ask(request('CLIENT PAUSE 10 WRITE'))).toBe('+OK\r\n');
  client.send(request('SET k 1'));
  pass(harness, 500);
  expect(client.socket.text).toBe('');
  pass(harness, 500);
  expect(client.socket.text).toBe('+OK\r\n');
});

test('a client that goes while it waits is forgotten', () => {
  const [harness, , client] = paused('ALL');
  client.send(request('SET k 1'));
  client.connection.kill();
  expect(harness.gateway.pause.size()).toBe(0);
  pass(harness, 1_000);
  expect(harness.coordinator.parts).toEqual([]);
});
