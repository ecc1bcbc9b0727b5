/** The memory of a node at its limit: what is refused, and which clients have to give way. */
import { describe, expect, test } from 'vitest';
import { array, Harness, request } from './harness.ts';

const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
const MIB = 1024 * 1024;

/** The beginning of a SET of so many bytes. */
const half = (bytes: number): string =>
  `*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$${2 * bytes}\r\n${'x'.repeat(bytes)}`;

describe('data at the limit', () => {
  test('may not grow; reads, and removals, go on', () => {
    const harness = new Harness({ memoryBytesMax: MIB });
    const client = harness.client();
    expect(client.ask(request('SET a 1'))).toBe('+OK\r\n');
    harness.storeBytes = 2 * MIB;
    harness.tick(100);
    const asked = request('SET a 2', 'APPEND a 2', 'GET a', 'DEL a', 'GET a', 'PING');
    expect(client.ask(asked)).toBe(`${OOM}${OOM}$1\r\n1\r\n:1\r\n$-1\r\n+PONG\r\n`);
    harness.storeBytes = 0;
    harness.tick(100);
    expect(client.ask(request('SET a 3'))).toBe('+OK\r\n');
    expect(harness.gateway.counters.memoryRefusals).toBe(2);
  });

  test('spoils a MULTI block', () => {
    const harness = new Harness({ memoryBytesMax: MIB });
    harness.storeBytes = 2 * MIB;
    harness.tick(100);
    const replies = harness.client().ask(request('MULTI', 'GET a', 'SET a 1', 'EXEC', 'GET a'));
    expect(replies).toBe(
      `+OK\r\n+QUEUED\r\n${OOM}-EXECABORT Transaction discarded because of previous errors.\r\n$-1\r\n`,
    );
  });

  test('is judged by what commands in progress will add', () => {
    const harness = new Harness({ memoryBytesMax: 5 * MIB });
    harness.coordinator.manual = true;
    const clients = Array.from({ length: 8 }, () => harness.client());
    for (const [at, client] of clients.entries()) client.send(request(`SETRANGE k${at} ${MIB} x`));
    harness.endTurn();
    expect(harness.coordinator.parts).toHaveLength(4);
    expect(clients.map(({ socket }) => socket.text)).toEqual([
      ...Array(4).fill(''),
      ...Array(4).fill(OOM),
    ]);
    while (harness.coordinator.waiting.length > 0) harness.coordinator.step();
    harness.tick(100);
    // The values are in the sum of the stores from now on, which this test keeps at nothing.
    expect(harness.gateway.memory.usedBytes).toBeLessThan(MIB);
  });

  test('a value that is written many times counts once', () => {
    const harness = new Harness({ memoryBytesMax: 2 * MIB });
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request(...Array.from({ length: 50 }, () => `SETRANGE k ${MIB} x`)));
    expect(harness.coordinator.parts.map(({ count }) => count)).toEqual([50]);
    expect(harness.gateway.memory.growingBytes).toBe(MIB);
    client.connection.kill();
    expect(harness.gateway.memory.growingBytes).toBe(0);
  });
});

describe('commands that write what other keys hold', () => {
  test.each([
    ['COPY a x'],
    ['ZRANGESTORE x a 0 -1'],
    ['SUNIONSTORE x small a'],
    ['ZUNIONSTORE x 2 small a'],
    ['SORT a STORE x'],
  ])('%s counts what is there', (command) => {
    const harness = new Harness({ memoryBytesMax: 2 * MIB });
    harness.valueBytes
      .set('0 a', MIB)
      .set('0 small', 100)
      .set('1 a', 3 * MIB);
    harness.coordinator.manual = true;
    harness.client().send(request(command));
    expect(harness.gateway.memory.growingBytes).toBeGreaterThanOrEqual(MIB);
    expect(harness.gateway.memory.growingBytes).toBeLessThan(MIB + 1_000);
    expect(harness.client().ask(request(command))).toBe(OOM);
    // In a database where the key is larger than all memory.
    expect(harness.client().ask(request('SELECT 1', command))).toBe(`+OK\r\n${OOM}`);
  });

  test('COPY counts once for each key that is written', () => {
    const harness = new Harness({ memoryBytesMax: 9 * MIB });
    harness.valueBytes.set('0 a', MIB);
    harness.coordinator.manual = true;
    harness.client().send(request('COPY a x', 'COPY a x REPLACE', 'COPY a y', 'SORT a'));
    expect(harness.gateway.memory.growingBytes).toBe(2 * MIB);
  });
});

describe('clients above their share', () => {
  test('are paused, then disconnected, the greediest first, until the rest fits', () => {
    const harness = new Harness({ memoryBytesMax: 4 * MIB });
    const sizes = [300_000, 500_000, 400_000, 1_000];
    const clients = sizes.map(() => harness.client());
    for (const [at, client] of clients.entries()) client.send(half(sizes[at] as number));
    const closed = (): boolean[] => clients.map(({ socket }) => socket.destroyed);
    const paused = (): boolean[] => clients.map(({ socket }) => socket.paused);
    harness.tick(100);
    expect(closed()).toEqual([false, false, false, false]);
    expect(paused()).toEqual([true, true, true, false]);
    harness.tick(100);
    expect(closed()).toEqual([false, true, false, false]);
    harness.tick(100);
    expect(paused()).toEqual([false, true, false, false]);
    expect(harness.gateway.counters.memoryDisconnects).toBe(1);
    for (const client of clients) client.connection.kill();
    expect(harness.gateway.memory.clientBytes).toBe(0);
  });

  test('with the share that maxmemory-clients names', () => {
    const harness = new Harness({ memoryBytesMax: 1024 * MIB, clientMemoryBytesMax: MIB });
    const [one, two] = [harness.client(), harness.client()];
    one.send(half(600_000));
    two.send(half(600_001));
    for (let ticks = 0; ticks < 3; ticks += 1) harness.tick(100);
    expect([one.socket.destroyed, two.socket.destroyed]).toEqual([false, true]);
  });

  test('a client whose input becomes a command is charged nothing any more', () => {
    const harness = new Harness();
    const client = harness.client();
    client.ask(array('SET', 'k', 'x'.repeat(500_000)));
    expect(client.ask(request('GET other'))).toBe('$-1\r\n');
    expect(harness.gateway.memory.clientBytes).toBe(0);
  });
});

describe('the settings of limits', () => {
  const NAMES = [
    'maxclients',
    'maxmemory',
    'maxmemory-clients',
    'output-bytes-max',
    'unit-bytes-max',
  ];

  test.each(NAMES)('%s is refused to a client, with the way that works', (name) => {
    const harness = new Harness();
    const client = harness.client();
    const before = client.ask(request(`CONFIG GET ${name}`));
    const value = name === 'output-bytes-max' ? '1gb' : '2048';
    expect(client.ask(request(`CONFIG SET timeout 9 ${name} ${value}`))).toBe(
      `-ERR CONFIG SET failed (possibly related to argument '${name}') - protected: ` +
        `holoctl config set ${name} VALUE\r\n`,
    );
    expect(client.ask(request(`CONFIG GET ${name}`))).toBe(before);
    expect(client.ask(request('CONFIG GET timeout'))).toContain('$1\r\n0\r\n');
    expect(harness.settings.setAll([[name, value]], 'operator')).toBe(undefined);
    expect(client.ask(request(`CONFIG GET ${name}`))).not.toBe(before);
  });

  test('may be set to the value that they have', () => {
    expect(new Harness().client().ask(request('CONFIG SET maxclients 10000'))).toBe('+OK\r\n');
  });
});
