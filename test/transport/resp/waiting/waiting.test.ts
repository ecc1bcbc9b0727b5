/** Commands that wait, as clients of one gateway see them, with the real state machine. */
import { describe, expect, test } from 'vitest';
import { shareOf } from '../../../../transport/resp/waiting/share.ts';
import { LOOK_AGAIN_MS, Waiters } from '../../../../transport/resp/waiting/waiters.ts';
import { WaitingCounts } from '../../../../transport/resp/waiting/waiting-counts.ts';
import { Harness, type HarnessClient, request } from '../harness.ts';
import { StoreCoordinator } from '../store-coordinator.ts';

const OK = '+OK\r\n';
const bulks = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`;

class World {
  readonly coordinator = new StoreCoordinator();
  readonly harness = new Harness({}, this.coordinator);
  readonly pusher = this.harness.client();

  client(...lines: string[]): HarnessClient {
    const client = this.harness.client();
    if (lines.length > 0) expect(client.ask(request(...lines))).toBe('');
    return client;
  }

  push(...lines: string[]): string {
    const reply = this.pusher.ask(request(...lines));
    this.harness.endTurn();
    return reply;
  }

  info(name: string): string | undefined {
    return new RegExp(`${name}:(.*)\r`).exec(this.pusher.ask(request('INFO all')))?.[1];
  }
}

test.each([
  ['BLPOP a b 0', 'RPUSH b 1 2', bulks('b', '1'), 'LRANGE b 0 -1', bulks('2')],
  ['BRPOP a b 0', 'RPUSH b 1 2', bulks('b', '2'), 'LRANGE b 0 -1', bulks('1')],
  ['BLMOVE a b LEFT RIGHT 0', 'RPUSH a 1 2', '$1\r\n1\r\n', 'LRANGE b 0 -1', bulks('1')],
  ['BRPOPLPUSH a b 0', 'RPUSH a 1 2', '$1\r\n2\r\n', 'LRANGE b 0 -1', bulks('2')],
  [
    'BLMPOP 0 2 a b LEFT COUNT 2',
    'RPUSH a 1 2 3',
    `*2\r\n$1\r\na\r\n${bulks('1', '2')}`,
    'LRANGE a 0 -1',
    bulks('3'),
  ],
  ['BZPOPMIN z y 0', 'ZADD z 1 a 2 b', bulks('z', 'a', '1'), 'ZRANGE z 0 -1', bulks('b')],
  ['BZPOPMAX z y 0', 'ZADD z 1 a 2 b', bulks('z', 'b', '2'), 'ZRANGE z 0 -1', bulks('a')],
  [
    'BZMPOP 0 1 z MAX',
    'ZADD z 1 a 2 b',
    `*2\r\n$1\r\nz\r\n*1\r\n${bulks('b', '2')}`,
    'ZRANGE z 0 -1',
    bulks('a'),
  ],
  ['BLPOP a 0', 'SORT none STORE a', '', 'LPUSH a 1', ':1\r\n'],
])('%s waits until %s', (wait, push, reply, look, left) => {
  const world = new World();
  const client = world.client(wait);
  expect(world.info('blocked_clients')).toBe('1');
  expect(world.push(push)).toContain(':');
  expect(client.socket.text).toBe(reply);
  expect(world.push(look)).toBe(left);
});

test('a client that waits is answered in its own protocol, and goes on with its pipeline', () => {
  const world = new World();
  const client = world.harness.client();
  client.ask(request('HELLO 3'));
  expect(client.ask(request('SET k v', 'BZPOPMIN z 0', 'GET k'))).toBe(OK);
  world.push('ZADD z 1.5 a');
  expect(client.socket.text).toBe('*3\r\n$1\r\nz\r\n$1\r\na\r\n,1.5\r\n$1\r\nv\r\n');
});

test('clients are served in the order in which they came, each element once', () => {
  const world = new World();
  const clients = Array.from({ length: 5 }, () => world.client('BLPOP q 0'));
  world.push('RPUSH q 1 2 3');
  world.push('RPUSH q 4');
  expect(clients.map(({ socket }) => socket.text)).toEqual([
    ...['1', '2', '3', '4'].map((item) => bulks('q', item)),
    '',
  ]);
});

// Each that queued was tried once in vain, to let its store know of it: 1.7 attempts per element.
test('each element is tried for once, by clients that queue too', () => {
  const world = new World();
  const clients = Array.from({ length: 5 }, () => world.client('BLPOP q 0'));
  const others = ['BLPOP r 0', 'BLPOP q r 0', 'BLPOP q 0'].map((line) => world.client(line));
  const attempts = (): number => Number(world.info('blocking_attempts'));
  const before = attempts();
  for (const item of ['1', '2', '3']) world.push(`RPUSH q ${item}`);
  world.push('RPUSH q 4 5');
  expect(clients.map(({ socket }) => socket.text)).toEqual(
    ['1', '2', '3', '4', '5'].map((item) => bulks('q', item)),
  );
  // Other keys, so the store does not know of it.
  expect(attempts() - before).toBe(5 + 1);
  world.push('RPUSH r 6 7');
  world.push('RPUSH q 7');
  expect(others.map(({ socket }) => socket.text)).toEqual([
    bulks('r', '6'),
    bulks('r', '7'),
    bulks('q', '7'),
  ]);
  const last = [world.client('BLPOP q 0'), world.client('BLPOP q 0.2')];
  // One that has not been tried is when its time is over, and so knows its answer.
  world.harness.tick(250);
  expect(last.map(({ socket }) => socket.text)).toEqual(['', '*-1\r\n']);
  // The store has begun anew, and nobody inherits what it does not know.
  last.push(world.client('BLPOP q 0'));
  world.coordinator.isHeld = true;
  world.push('RPUSH q 8');
  world.coordinator.step();
  world.harness.gateway.answered({ type: 'WaitsLost' });
  world.coordinator.isHeld = false;
  while (world.coordinator.held.length > 0) world.coordinator.step();
  world.push('RPUSH q 9');
  expect([last[0], last[2]].map((client) => client?.socket.text)).toEqual([
    bulks('q', '8'),
    bulks('q', '9'),
  ]);
});

// The second one was tried every 50 ms, since the store had told last of an element.
test('clients are not tried again while nothing comes', () => {
  const world = new World();
  const clients = [world.client('BLPOP q 0'), world.client('BLPOP q 0')];
  world.push('RPUSH q 1');
  expect(clients.map(({ socket }) => socket.text)).toEqual([bulks('q', '1'), '']);
  const before = world.info('blocking_attempts');
  for (let ms = 0; ms < 500; ms += 50) world.harness.tick(50);
  expect(world.info('blocking_attempts')).toBe(before);
});

test('times out with null, to the millisecond that was asked, and not while it takes', () => {
  const world = new World();
  const [list, move, three] = [
    world.client('BLPOP a 0.25'),
    world.client('BLMOVE a b LEFT LEFT 0.25'),
    world.harness.client(),
  ];
  three.ask(request('HELLO 3', 'BLPOP a 0.25'));
  world.harness.tick(249);
  expect(list.socket.text).toBe('');
  world.harness.tick(1);
  expect([list, move, three].map(({ socket }) => socket.text)).toEqual([
    '*-1\r\n',
    '$-1\r\n',
    '_\r\n',
  ]);
  expect(world.info('blocked_clients')).toBe('0');

  const late = world.client('BLPOP a 0.1');
  world.coordinator.isHeld = true;
  world.pusher.send(request('RPUSH a x'));
  world.coordinator.step();
  expect(world.coordinator.held.length).toBe(1);
  world.harness.tick(200);
  expect(late.socket.text).toBe('');
  world.coordinator.step();
  world.harness.endTurn();
  expect(late.socket.text).toBe(bulks('a', 'x'));
});

test('an attempt that finds nothing after the time is over answers null', () => {
  const world = new World();
  const late = world.client('BLPOP a 0.1');
  world.coordinator.isHeld = true;
  world.pusher.send(request('RPUSH a x', 'LPOP a'));
  world.coordinator.step();
  world.harness.tick(200);
  while (world.coordinator.held.length > 0) world.coordinator.step();
  world.harness.endTurn();
  expect(late.socket.text).toBe('*-1\r\n');
});

test('CLIENT UNBLOCK, and what CLIENT LIST shows', () => {
  const world = new World();
  const [one, two] = [world.client('BLPOP a 0'), world.client('BLPOP a 0')];
  expect(world.push('CLIENT LIST')).toMatch(/id=2 .*flags=b .*cmd=blpop/);
  expect(world.push('CLIENT UNBLOCK 2', 'CLIENT UNBLOCK 3 ERROR')).toBe(':1\r\n:1\r\n');
  expect(one.socket.text).toBe('*-1\r\n');
  expect(two.socket.text).toBe('-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n');
  expect(world.push('CLIENT UNBLOCK 2', 'CLIENT UNBLOCK 99', 'CLIENT UNBLOCK x')).toBe(
    ':0\r\n:0\r\n-ERR value is not an integer or out of range\r\n',
  );
  expect(world.push('RPUSH a 1', 'LLEN a')).toBe(':1\r\n:1\r\n');
});

test('where a node drains, a client that waits is told so, and takes nothing', () => {
  const world = new World();
  const client = world.client('BLPOP a 0');
  world.harness.gateway.drain(true);
  world.harness.tick(100);
  expect(client.socket.text).toBe('');
  world.harness.tick(1_000);
  expect(client.socket.text).toMatch(/^-SHUTDOWN refused/);
  expect(client.socket.ended).toBe(true);
  world.harness.gateway.drain(false);
  const later = world.harness.client();
  expect(later.ask(request('RPUSH a 1', 'LLEN a'))).toBe(':1\r\n:1\r\n');
});

test('inside MULTI nothing waits', () => {
  const world = new World();
  const block = request('MULTI', 'BLPOP a 0', 'RPUSH a 1', 'BLPOP a 0', 'BZPOPMIN z 0', 'EXEC');
  expect(world.pusher.ask(block)).toBe(
    `${OK}${'+QUEUED\r\n'.repeat(4)}*4\r\n*-1\r\n:1\r\n${bulks('a', '1')}*-1\r\n`,
  );
});

test('a block wakes a client once it is whole', () => {
  const world = new World();
  const client = world.client('BLPOP a 0');
  world.push('MULTI', 'RPUSH a 1', 'DEL a', 'EXEC');
  expect(client.socket.text).toBe('');
  world.push('MULTI', 'RPUSH a 1', 'LPUSH a 0', 'EXEC');
  expect(client.socket.text).toBe(bulks('a', '0'));
});

test('a value of another type neither wakes nor ends a wait', () => {
  const world = new World();
  const client = world.client('BLPOP a 0');
  world.push('SET a x');
  world.push('DEL a', 'ZADD a 1 m', 'DEL a');
  expect(client.socket.text).toBe('');
  world.push('RENAME nope a', 'RPUSH other 1', 'RENAME other a');
  expect(client.socket.text).toBe(bulks('a', '1'));
  expect(world.client().ask(request('SET s x', 'BLPOP s 0'))).toContain('-WRONGTYPE');
});

test('waits are of one database, and outlive SWAPDB and FLUSHALL', () => {
  const world = new World();
  const [zero, one] = [world.client('BLPOP a 0'), world.harness.client()];
  one.ask(request('SELECT 1', 'BLPOP a 0'));
  world.push('SELECT 2', 'RPUSH a 2', 'SELECT 0', 'FLUSHDB');
  expect([zero.socket.text, one.socket.text]).toEqual(['', '']);
  world.push('SWAPDB 1 2');
  expect([zero.socket.text, one.socket.text]).toEqual(['', bulks('a', '2')]);
  world.push('FLUSHALL', 'RPUSH a 0');
  expect(zero.socket.text).toBe(bulks('a', '0'));
});

test('a client that is gone takes nothing; what was under way for it is counted', () => {
  const world = new World();
  world.client('BLPOP a 0').connection.onClose();
  world.push('RPUSH a 1');
  expect(world.push('LRANGE a 0 -1')).toBe(bulks('1'));
  world.push('DEL a');
  const client = world.client('BLPOP a 0');
  world.coordinator.isHeld = true;
  world.pusher.send(request('RPUSH a x'));
  world.coordinator.step();
  client.connection.onClose();
  world.coordinator.step();
  world.coordinator.isHeld = false;
  expect(world.info('blocking_pops_orphaned')).toBe('1');
  const mover = world.client('BLMOVE a b LEFT LEFT 0');
  world.coordinator.isHeld = true;
  world.pusher.send(request('RPUSH a x'));
  world.coordinator.step();
  mover.connection.onClose();
  world.coordinator.step();
  world.coordinator.isHeld = false;
  expect(world.info('blocking_pops_orphaned')).toBe('1');
  expect(world.push('LRANGE b 0 -1')).toBe(bulks('x'));
});

test('a client that closes its side while it waits is gone', () => {
  const world = new World();
  const client = world.client('BLPOP a 0');
  client.connection.onEnd();
  expect(client.socket.destroyed).toBe(true);
  expect(world.info('blocked_clients')).toBe('0');
});

test('an error of the attempt is the answer', () => {
  const world = new World();
  const client = world.client('BLPOP a 0');
  world.coordinator.isHeld = true;
  world.pusher.send(request('RPUSH a x'));
  world.coordinator.step();
  const [part] = world.coordinator.held;
  const { unit } = part ?? expect.fail();
  world.harness.gateway.answered({ type: 'PartFailed', unit, part: 0, line: 'TIMEOUT x' });
  world.harness.endTurn();
  expect(client.socket.text).toBe('-TIMEOUT x\r\n');
  expect(world.info('blocked_clients')).toBe('0');
});

test('a store that has forgotten who waits is asked again by the first for each key', () => {
  const world = new World();
  const clients = [
    world.client('BLPOP a 0'),
    world.client('BLPOP a b 0'),
    world.client('BLPOP b 0'),
  ];
  const before = world.coordinator.machine.appliedSequence;
  world.harness.gateway.answered({ type: 'WaitsLost' });
  expect(world.coordinator.machine.appliedSequence).toBe(before + 2);
  world.push('RPUSH b 1 2');
  world.push('RPUSH a 1');
  expect(clients.map(({ socket }) => socket.text.length > 0)).toEqual([true, true, true]);
});

test('a part that finds no room is submitted again, as any other', () => {
  const world = new World();
  const coordinator = new StoreCoordinator();
  let isFull = false;
  const submit: StoreCoordinator['submit'] = (part) => !isFull && coordinator.submit(part);
  const harness = new Harness(
    {},
    {
      submit,
      set answer(answer: StoreCoordinator['answer']) {
        coordinator.answer = answer;
      },
    },
  );
  const [client, pusher] = [harness.client(), harness.client()];
  client.ask(request('BLPOP a 0'));
  coordinator.isHeld = true;
  pusher.send(request('RPUSH a 1'));
  isFull = true;
  coordinator.step();
  harness.tick(100);
  expect(client.socket.text).toBe('');
  isFull = false;
  coordinator.isHeld = false;
  harness.tick(100);
  expect(client.socket.text).toBe(bulks('a', '1'));
  expect(world.info('blocked_clients')).toBe('0');
});

describe('of several nodes', () => {
  const counts = [
    [1, 10],
    [2, 0],
    [3, 5],
  ] as const;

  test('each element is for one of them, in proportion to their clients', () => {
    const shares = [0, 0, 0];
    for (let at = 0; at < 3_000; at += 1) {
      const given = [1, 2, 3].map((self) => shareOf(self, counts, 1, 1_700_000_000_000_000 + at));
      expect(given.reduce((sum, share) => sum + share)).toBe(1);
      for (const [i, share] of given.entries()) shares[i] = (shares[i] ?? 0) + share;
    }
    expect(shares[1]).toBe(0);
    expect(shares[0]).toBeGreaterThan(1_850);
    expect(shares[0]).toBeLessThan(2_150);
    expect(shareOf(1, counts, 7, 1) + shareOf(3, counts, 7, 1)).toBe(7);
    expect(shareOf(1, [[1, 0]], 7, 1)).toBe(0);
    expect(shareOf(1, [[1, 3]], 7, 1)).toBe(3);
  });

  test('counts that rise are told at once, those that fall after a while', () => {
    const waiting = new WaitingCounts();
    expect([waiting.set('k', 2), waiting.told('k')]).toEqual([true, 2]);
    expect([waiting.set('k', 1), waiting.set('k', 2)]).toEqual([false, false]);
    expect(waiting.onTick()).toEqual([]);
    waiting.set('k', 0);
    expect(waiting.onTick()).toEqual([]);
    expect(waiting.onTick()).toEqual(['k']);
    expect([waiting.told('k'), waiting.names()]).toEqual([0, []]);
  });

  test('an element that another node leaves is taken after a while', () => {
    const tries: number[] = [];
    const waiters = new Waiters({ share: () => 0, changed: () => undefined });
    const tryAgain = (): void => void tries.push(1);
    const client = { unit: undefined, tryAgain, waitExpired: () => undefined };
    const waited = { database: 0, keys: ['k'], type: 'list', takes: true };
    waiters.add(client, waited, Number.POSITIVE_INFINITY);
    const key = { database: 0, key: 'k', type: 'list', isGone: false };
    waiters.ready({ ...key, added: 1, left: 1 }, 1, 1_000);
    waiters.onTick(1_000 + LOOK_AGAIN_MS - 1);
    expect(tries).toHaveLength(0);
    waiters.onTick(1_000 + LOOK_AGAIN_MS);
    expect(tries).toHaveLength(1);
    waiters.onTick(1_000 + 5 * LOOK_AGAIN_MS);
    expect(tries).toHaveLength(1);
    // It has found nothing: there is nothing to look for until an element comes.
    waiters.add(client, waited, Number.POSITIVE_INFINITY);
    waiters.onTick(1_000 + 7 * LOOK_AGAIN_MS);
    expect(tries).toHaveLength(1);
    waiters.ready({ ...key, added: 1, left: 1 }, 2, 1_500);
    waiters.onTick(1_500 + LOOK_AGAIN_MS);
    expect(tries).toHaveLength(2);
    waiters.add(client, waited, Number.POSITIVE_INFINITY);
    waiters.ready({ ...key, added: 0, left: 0 }, 3, 2_000);
    waiters.onTick(9_000);
    expect(tries).toHaveLength(2);
    waiters.remove(client);
    expect([waiters.size, waiters.keys]).toEqual([0, 0]);
  });
});

test('a client whose store has forgotten it while it tried tries once more', () => {
  const waiters = new Waiters({ share: (_, added) => added, changed: () => undefined });
  let tries = 0;
  const client = {
    unit: undefined,
    tryAgain: () => {
      tries += 1;
    },
    waitExpired: () => undefined,
  };
  const waitedFor = { database: 0, keys: ['a', 'b'], type: 'list', takes: true };
  for (const takes of [true, false]) {
    tries = 0;
    waiters.add(client, { ...waitedFor, takes }, Number.POSITIVE_INFINITY);
    waiters.lostOne(client);
    expect(tries).toBe(1);
    waiters.add(client, { ...waitedFor, takes }, Number.POSITIVE_INFINITY);
    expect(tries).toBe(1);
    waiters.remove(client);
    waiters.lostOne(client);
  }
});
