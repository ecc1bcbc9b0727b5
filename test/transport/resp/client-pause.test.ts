/** CLIENT PAUSE and UNPAUSE at one gateway. */
import { describe, expect, test } from 'vitest';
import { Harness, type HarnessClient, request } from './harness.ts';
import { StoreCoordinator } from './store-coordinator.ts';

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

const lines = (...all: string[]): string => all.map((line) => request(line)).join('');

test.each(['PING', 'SET k 1', 'WATCH k', 'NOPE'])(
  'CLIENT REPLY SKIP silences %s alone, also when that waits for the end of a pause',
  (line) => {
    const harness = new Harness({}, new StoreCoordinator());
    const [admin, client] = [harness.client(), harness.client()];
    expect(client.ask(request('CLIENT REPLY SKIP'))).toBe('');
    admin.ask(request('CLIENT PAUSE 60000 ALL'));
    expect(client.ask(lines(line, 'ECHO a'))).toBe('');
    admin.ask(request('CLIENT UNPAUSE'));
    expect(client.socket.text).toBe('$1\r\na\r\n');
    expect(client.ask(request('ECHO b'))).toBe('$1\r\nb\r\n');
  },
);

describe('clients that wait for keys', () => {
  /** The pushes are under way when writes are paused. */
  function pausedPush(harness: Harness, store: StoreCoordinator, ...pushes: string[]) {
    const [admin, pusher] = [harness.client(), harness.client()];
    store.isHeld = true;
    pusher.send(lines(...pushes));
    admin.ask(request('CLIENT PAUSE 60000 WRITE'));
    store.isHeld = false;
    store.step();
    harness.endTurn();
    return admin;
  }

  test('WRITE: those that only read are served, those that take are not', () => {
    const store = new StoreCoordinator();
    const harness = new Harness({}, store);
    const [reader, popper] = [harness.client(), harness.client()];
    reader.ask(request('XREAD BLOCK 0 STREAMS s $'));
    popper.ask(request('BLPOP q 0'));
    const admin = pausedPush(harness, store, 'XADD s 1-1 a b', 'RPUSH q 1');
    expect(reader.socket.text).toContain('1-1');
    expect(popper.socket.text).toBe('');
    expect(admin.ask(request('INFO clients'))).toContain('blocked_clients:1\r');
    admin.ask(request('CLIENT UNPAUSE'));
    expect(popper.socket.text).toContain('$1\r\n1\r\n');
  });

  test('one that is unblocked meanwhile is not tried again when the pause ends', () => {
    const store = new StoreCoordinator();
    const harness = new Harness({}, store);
    const popper = harness.client();
    popper.ask(request('BLPOP q 0'));
    const admin = pausedPush(harness, store, 'RPUSH q 1');
    expect(admin.ask(request(`CLIENT UNBLOCK ${popper.connection.client.id}`))).toBe(':1\r\n');
    expect(popper.socket.text).toBe('*-1\r\n');
    expect(harness.gateway.pause.size()).toBe(0);
    popper.ask(request('XREAD BLOCK 0 STREAMS s $'));
    const { waitAttempts } = harness.gateway.counters;
    admin.ask(request('CLIENT UNPAUSE'));
    expect(harness.gateway.counters.waitAttempts).toBe(waitAttempts);
  });
});
