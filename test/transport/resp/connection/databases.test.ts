/** SELECT: which database each command of a connection is for, whatever it travels with. */
import { describe, expect, test } from 'vitest';
import { Harness, request } from '../harness.ts';
import { StoreCoordinator } from '../store-coordinator.ts';

function harness(): Harness {
  return new Harness({}, new StoreCoordinator());
}

describe('SELECT', () => {
  test('is the business of one connection, and lasts until RESET', () => {
    const node = harness();
    const [one, other] = [node.client(), node.client()];
    expect(one.ask(request('SELECT 3', 'SET k three', 'GET k'))).toBe(
      '+OK\r\n+OK\r\n$5\r\nthree\r\n',
    );
    expect(other.ask(request('GET k'))).toBe('$-1\r\n');
    expect(one.ask(request('CLIENT LIST'))).toContain(' db=3 ');
    expect(one.ask(request('RESET', 'GET k', 'SELECT 3', 'GET k'))).toBe(
      '+RESET\r\n$-1\r\n+OK\r\n$5\r\nthree\r\n',
    );
  });

  test('changes the database in the midst of a pipeline', () => {
    const client = harness().client();
    const lines = [0, 7, 7, 2, 0].flatMap((database) => [`SELECT ${database}`, 'INCR n', 'GET n']);
    const values = [1, 1, 2, 1, 2];
    expect(client.ask(request(...lines))).toBe(
      values.map((value) => `+OK\r\n:${value}\r\n$1\r\n${value}\r\n`).join(''),
    );
  });

  test('counts in a MULTI block from where it stands, and after it', () => {
    const client = harness().client();
    const block = ['SET k 1', 'SELECT 2', 'SET k 2', 'SELECT 99', 'GET k', 'SELECT 0', 'GET k'];
    expect(client.ask(request('SELECT 1', 'MULTI', ...block, 'SELECT 2', 'EXEC', 'GET k'))).toBe(
      `+OK\r\n+OK\r\n${'+QUEUED\r\n'.repeat(8)}*8\r\n+OK\r\n+OK\r\n+OK\r\n` +
        '-ERR DB index is out of range\r\n$1\r\n2\r\n+OK\r\n$-1\r\n+OK\r\n$1\r\n2\r\n',
    );
    expect(client.ask(request('MULTI', 'SELECT 1', 'EXEC', 'GET k'))).toBe(
      '+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n$1\r\n1\r\n',
    );
  });

  test('of a block that is discarded or spoiled has not happened', () => {
    const client = harness().client();
    client.ask(request('SET k 0', 'MULTI', 'SELECT 2', 'DISCARD'));
    expect(client.ask(request('GET k'))).toBe('$1\r\n0\r\n');
    client.ask(request('MULTI', 'SELECT 2', 'NOSUCH', 'EXEC'));
    expect(client.ask(request('GET k'))).toBe('$1\r\n0\r\n');
  });

  test('of a block that fails as a whole has not happened, and what follows waits for it', () => {
    const node = new Harness();
    node.coordinator.manual = true;
    const client = node.client();
    client.send(request('SELECT 1', 'MULTI', 'SELECT 2', 'SET k 2', 'EXEC', 'PING', 'SET k 1'));
    expect(node.coordinator.parts).toHaveLength(1);
    node.coordinator.fail(node.coordinator.parts[0], 'BUSY refused');
    node.endTurn();
    expect(client.socket.text).toBe(
      '+OK\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n-BUSY refused\r\n+PONG\r\n',
    );
    expect(node.coordinator.parts).toHaveLength(2);
    // The first byte names the database.
    expect(node.coordinator.parts.map(({ bytes }) => bytes[0])).toEqual([0x82, 0x81]);
  });

  test('of database 0 leaves the bytes of a unit as the client sent them', () => {
    const node = new Harness();
    const sent = request('SET a 1', 'GET a');
    node.client().ask(sent);
    expect(Buffer.from(node.coordinator.parts[0]?.bytes ?? []).toString()).toBe(sent);
  });
});
