/** CONFIG SET of settings of the cluster: one transaction, answered when every node has it. */
import { describe, expect, test } from 'vitest';
import { Harness, type HarnessClient, request } from './harness.ts';
import { StoreCoordinator } from './store-coordinator.ts';

const NAME = 'hash-max-listpack-entries';

function node(limits: ConstructorParameters<typeof Harness>[0] = {}): {
  readonly harness: Harness;
  readonly store: StoreCoordinator;
  readonly client: HarnessClient;
} {
  const store = new StoreCoordinator();
  const harness = new Harness(limits, store);
  harness.clusterValues = () => store.table.settings.values;
  return { harness, store, client: harness.client() };
}

function shown(value: string, name = NAME): string {
  return `*2\r\n$${name.length}\r\n${name}\r\n$${value.length}\r\n${value}\r\n`;
}

describe('a setting of the cluster', () => {
  test('is changed in the store, and what comes behind waits until every node has the change', () => {
    const { harness, store, client } = node();
    expect(client.ask(request(`CONFIG GET ${NAME}`))).toBe(shown('512'));
    expect(client.ask(request('SET a 1', `CONFIG SET ${NAME} 7`, 'GET a'))).toBe('+OK\r\n');
    expect(store.table.settings.version).toBe(1);
    expect(store.table.settings.values.get(NAME)).toBe('7');
    harness.tick(100);
    expect(client.socket.text).toBe('');
    harness.heldVersion = 1;
    harness.tick(100);
    expect(client.socket.text).toBe('+OK\r\n$1\r\n1\r\n');
    expect(client.ask(request(`CONFIG GET ${NAME}`))).toBe(shown('7'));
    const older = 'hash-max-ziplist-entries';
    expect(client.ask(request(`CONFIG GET ${older}`))).toBe(shown('7', older));
  });

  test('that not every node has in time is told so, and stays changed', () => {
    const { harness, store, client } = node({ settingWaitMsMax: 500 });
    client.send(request(`CONFIG SET ${NAME} 7 zset-max-ziplist-value 9`, 'PING'));
    harness.tick(400);
    expect(client.socket.text).toBe('');
    harness.tick(200);
    expect(client.socket.text).toMatch(/^-ERR the settings are changed, but .*\r\n\+PONG\r\n$/);
    const { values } = store.table.settings;
    expect([values.get(NAME), values.get('zset-max-listpack-value')]).toEqual(['7', '9']);
  });

  test('is changed with others of the cluster, or not at all', () => {
    const { harness, store, client } = node();
    harness.heldVersion = 9;
    const failed = (name: string, reason: string): string =>
      `-ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}\r\n`;
    expect(client.ask(request(`CONFIG SET ${NAME} 7 set-max-listpack-entries -1`))).toBe(
      failed(
        'set-max-listpack-entries',
        'argument must be between 0 and 9223372036854775807 inclusive',
      ),
    );
    expect(client.ask(request(`CONFIG SET ${NAME} 7 hz 50`))).toBe(
      failed('hz', 'it is a setting of this node, and others are of the cluster'),
    );
    expect(client.ask(request('CONFIG GET hz'))).toBe(shown('10', 'hz'));
    expect(store.table.settings.version).toBe(0);
    expect(client.ask(request('MULTI', `CONFIG SET ${NAME} 7`, 'EXEC'))).toContain(
      '-ERR Command not allowed inside a transaction\r\n',
    );
  });

  test('of a transaction that fails is told why', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request(`CONFIG SET ${NAME} 7`, 'PING'));
    const [part] = harness.coordinator.parts;
    expect(part).toMatchObject({ wholeStore: true, readOnly: false, count: 1 });
    harness.coordinator.fail(part, 'NOQUORUM refused, nothing was done');
    harness.endTurn();
    expect(client.socket.text).toBe('-NOQUORUM refused, nothing was done\r\n+PONG\r\n');
  });

  test('counts for what is written behind it', () => {
    const { harness, client } = node();
    harness.heldVersion = 9;
    client.ask(request('HSET before a 1 b 2', `CONFIG SET ${NAME} 1`, 'HSET behind a 1 b 2'));
    const encodings = client.ask(request('OBJECT ENCODING before', 'OBJECT ENCODING behind'));
    expect(encodings).toBe('$8\r\nlistpack\r\n$9\r\nhashtable\r\n');
  });

  test('lies where no client can look, count, clear or select', () => {
    const { harness, store, client } = node();
    harness.heldVersion = 9;
    client.ask(request(`CONFIG SET ${NAME} 7`, 'FLUSHALL'));
    expect(store.machine.size).toBe(0);
    expect(store.machine.report()).toEqual([]);
    expect(client.ask(request('DBSIZE', 'KEYS *', 'SELECT 16'))).toBe(
      ':0\r\n*0\r\n-ERR DB index is out of range\r\n',
    );
    expect(client.ask(request(`CONFIG GET ${NAME}`))).toBe(shown('7'));
    expect(client.ask(request('HOLO.SETTING version a b'))).toContain('-ERR unknown command');
  });
});
