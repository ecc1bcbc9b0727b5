import { describe, expect, test } from 'vitest';
import { ProtectedMode } from '../../../transport/access/protected-mode.ts';
import { registerGatewaySettings } from '../../../transport/resp/gateway-settings.ts';
import { defaultLimits } from '../../../transport/resp/limits.ts';
import { fixedSetting, SettingsRegistry } from '../../../transport/resp/settings-registry.ts';
import { FakeSocket, Harness, request } from './harness.ts';

describe('Gateway', () => {
  test('refuses clients beyond its limit, in the words of Redis', () => {
    const harness = new Harness({ maxClients: 2 });
    const first = harness.client();
    harness.client();
    const third = new FakeSocket(1);
    expect(harness.gateway.attach(third)).toBeUndefined();
    expect(third.text).toBe('-ERR max number of clients reached\r\n');
    expect(third.ended).toBe(true);
    expect(harness.gateway.counters.connectionsRejected).toBe(1);
    first.connection.onClose();
    expect(harness.client().ask(request('PING'))).toBe('+PONG\r\n');
  });

  test('gives ids in order, never twice', () => {
    const harness = new Harness();
    harness.client().connection.onClose();
    expect(harness.client().ask(request('CLIENT ID'))).toBe(':2\r\n');
  });

  test('offers refused units again in the order in which they came', () => {
    const harness = new Harness();
    harness.coordinator.full = true;
    const clients = [harness.client(), harness.client(), harness.client()];
    for (const client of clients) client.send(request('INCR n'));
    harness.coordinator.full = false;
    harness.tick(100);
    expect(clients.map((client) => client.socket.text)).toEqual([':1\r\n', ':2\r\n', ':3\r\n']);
    expect(harness.gateway.counters.unitsRefused).toBe(3);
  });

  test('asks no further once a unit is refused again', () => {
    const harness = new Harness();
    harness.coordinator.full = true;
    for (let i = 0; i < 5; i += 1) harness.client().send(request('INCR n'));
    harness.coordinator.refusals = 0;
    harness.gateway.retry();
    expect(harness.coordinator.refusals).toBe(1);
    expect(harness.gateway.refusedUnits).toBe(5);
  });

  test('flushes on a tick what was deferred and lost', () => {
    const harness = new Harness();
    const client = harness.client();
    client.send(request('PING'));
    harness.gateway.onTick();
    expect(client.socket.text).toBe('+PONG\r\n');
  });

  test('counts commands by family', () => {
    const harness = new Harness();
    harness.client().ask(request('GET a', 'SET a 1', 'GET a', 'PING', 'MGET a b', 'NOPE'));
    expect(harness.gateway.commandsByFamily()).toEqual({ reads: 3, writes: 1, local: 1 });
  });

  test('closes all connections', () => {
    const harness = new Harness();
    const clients = [harness.client(), harness.client()];
    harness.gateway.close();
    expect(clients.map((client) => client.socket.destroyed)).toEqual([true, true]);
    expect(harness.gateway.size).toBe(0);
  });

  test('that drains lets nobody in, and refuses what has not begun', () => {
    const harness = new Harness();
    const [busy, asks, idle] = [harness.client(), harness.client(), harness.client()];
    harness.coordinator.full = true;
    busy.send(request('INCR n'));
    harness.coordinator.full = false;
    harness.gateway.drain(true);
    const late = new FakeSocket(1);
    expect(harness.gateway.attach(late)).toBeUndefined();
    const refused = '-SHUTDOWN refused, nothing was done: this node is draining\r\n';
    expect([late.text, late.ended]).toEqual([refused, true]);
    expect(asks.ask(request('INCR n', 'PING'))).toBe(refused.repeat(2));
    expect(asks.socket.ended).toBe(true);
    busy.send(request('GET n'));
    harness.tick(100);
    expect(busy.socket.text).toBe(`:1\r\n${refused}`);
    expect([busy, idle].map(({ socket }) => socket.ended)).toEqual([true, false]);
    harness.tick(1_000);
    expect([idle.socket.text, idle.socket.ended]).toEqual(['', true]);
    harness.gateway.drain(false);
    expect(harness.client().ask(request('GET n'))).toBe('$1\r\n1\r\n');
  });

  test('spoils a block that is open as it drains', () => {
    const harness = new Harness();
    const client = harness.client();
    client.ask(request('MULTI', 'INCR n'));
    harness.gateway.drain(true);
    expect(client.ask(request('INCR n', 'EXEC'))).toMatch(/^(-SHUTDOWN refused.*\r\n){2}$/);
    expect(harness.coordinator.refusals).toBe(0);
    expect(client.socket.ended).toBe(true);
  });

  test('takes changed limits at once', () => {
    const harness = new Harness();
    const client = harness.client();
    expect(harness.settings.setAll([['proto-max-bulk-len', '64kb']], 'operator')).toBe(undefined);
    expect(client.ask('*1\r\n$65537\r\n')).toBe('-ERR Protocol error: invalid bulk length\r\n');
  });
});

describe('registerGatewaySettings', () => {
  test('leaves names alone that are registered already', () => {
    const settings = new SettingsRegistry();
    settings.register(fixedSetting('maxmemory', '5'));
    registerGatewaySettings(
      { settings, clusterSettings: () => new Map(), protectedMode: new ProtectedMode(true) },
      defaultLimits(),
    );
    expect(settings.find('maxmemory')?.get()).toBe('5');
    expect(settings.find('save')?.get()).toBe('');
  });
});
