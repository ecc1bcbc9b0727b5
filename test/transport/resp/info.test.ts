import { describe, expect, test } from 'vitest';
import { mergeSections, renderInfo } from '../../../transport/resp/info.ts';
import { Harness, type HarnessClient, request } from './harness.ts';
import { StoreCoordinator } from './store-coordinator.ts';

const titles = (text: string): string[] =>
  [...text.matchAll(/^# (.*)\r$/gm)].map((match) => match[1] ?? '');

describe('renderInfo', () => {
  const sections = mergeSections({
    commandstats: { a: 1 },
    keyspace: { db0: 'keys=1' },
    extra: {},
  });
  const defaults = [
    'Server',
    'Clients',
    'Memory',
    'Persistence',
    'Stats',
    'Replication',
    'CPU',
    'Modules',
    'Errorstats',
    'Cluster',
    'Keyspace',
  ];

  test.each<[string[], string[]]>([
    [[], defaults],
    [['default'], defaults],
    [['ALL'], [...defaults, 'Commandstats', 'Extra']],
    [['everything'], [...defaults, 'Commandstats', 'Extra']],
    [['server'], ['Server']],
    [
      ['keyspace', 'Memory'],
      ['Memory', 'Keyspace'],
    ],
    [['commandstats'], ['Commandstats']],
    [['extra'], ['Extra']],
    [['nothing'], []],
    [
      ['default', 'commandstats'],
      [...defaults, 'Commandstats'],
    ],
  ])('%j', (wanted, expected) => {
    expect(titles(renderInfo(sections, wanted))).toEqual(expected);
  });

  test('prints a section as Redis does', () => {
    expect(renderInfo(sections, ['keyspace', 'commandstats'])).toBe(
      '# Keyspace\r\ndb0:keys=1\r\n\r\n# Commandstats\r\na:1\r\n',
    );
  });

  test('keeps a field on its line', () => {
    const text = renderInfo(mergeSections({ extra: { a: 'x\r\ny:1' } }), ['extra']);
    expect(text).toBe('# Extra\r\na:x y:1\r\n');
  });
});

describe('INFO', () => {
  test('has what clients and tools read, and what the services add', () => {
    const harness = new Harness();
    harness.info = { memory: { used_memory: 77 }, keyspace: { db0: 'keys=5,expires=0,avg_ttl=0' } };
    const text = harness.client().ask(request('SET a 1', 'GET a', 'INFO'));
    for (const line of [
      'redis_version:7.2.0',
      'redis_mode:standalone',
      'connected_clients:1',
      'blocked_clients:0',
      'used_memory:77',
      'loading:0',
      'total_commands_processed:3',
      'total_connections_received:1',
      'instantaneous_ops_per_sec:0',
      'role:master',
      'cluster_enabled:0',
      'db0:keys=5,expires=0,avg_ttl=0',
    ]) {
      expect(text).toContain(`\r\n${line}\r\n`);
    }
  });

  test('is a verbatim string in RESP3', () => {
    const client = new Harness().client();
    client.ask(request('HELLO 3'));
    expect(client.ask(request('INFO cluster'))).toBe(
      '=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n',
    );
  });

  test('counts calls by name, and RESETSTAT begins anew', () => {
    const harness = new Harness();
    const client = harness.client();
    client.ask(request('SET a 1', 'GET a', 'GET a', 'GET'));
    const stats = client.ask(request('INFO commandstats'));
    expect(stats).toContain(
      'cmdstat_get:calls=2,usec=0,usec_per_call=0.00,rejected_calls=1,failed_calls=0\r\n',
    );
    expect(stats).toContain(
      'cmdstat_set:calls=1,usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0\r\n',
    );
    client.ask(request('CONFIG RESETSTAT'));
    expect(client.ask(request('INFO commandstats'))).not.toContain('cmdstat_get');
  });

  /** `calls/rejected/failed` by name. */
  function calls(client: HarnessClient): Record<string, string> {
    const text = client.ask(request('INFO commandstats'));
    const found = text.matchAll(
      /cmdstat_(\S+):calls=(\d+),usec=\d+,usec_per_call=[\d.]+,rejected_calls=(\d+),failed_calls=(\d+)/g,
    );
    return Object.fromEntries(
      [...found].map(([, name, ...counts]) => [name, counts.join('/')] as const),
    );
  }

  test('counts what failed and what was refused, subcommands by both names', () => {
    const client = new Harness({}, new StoreCoordinator()).client();
    client.ask(
      request(
        ...['SET a x', 'INCR a', 'INCR a', 'GET a', 'INCR b', 'INCR a', 'GET', 'NOSUCH'],
        ...['CLIENT ID', 'CLIENT ID x', 'CLIENT', 'CLIENT REPLY FOO', 'CLIENT FOO', 'SELECT 99'],
        ...['OBJECT ENCODING a', 'OBJECT FREQ a'],
      ),
    );
    expect(calls(client)).toEqual({
      set: '1/0/0',
      incr: '4/0/3',
      get: '1/1/0',
      client: '0/1/0',
      'client|id': '1/1/0',
      'client|reply': '1/0/1',
      select: '1/0/1',
      'object|encoding': '1/0/0',
      'object|freq': '1/0/1',
      info: '1/0/0',
    });
  });

  test('counts a block where it is executed, and what fails in it by its own name', () => {
    const harness = new Harness({}, new StoreCoordinator());
    const client = harness.client();
    client.ask(request('MULTI', 'SET a x', 'PING', 'DISCARD'));
    expect(calls(client)).toEqual({ multi: '1/0/0', discard: '1/0/0', info: '1/0/0' });
    client.ask(request('CONFIG RESETSTAT'));
    client.ask(request('SET c 1', 'MULTI', 'SET a x', 'INCR a', 'SELECT 99', 'PING', 'EXEC'));
    client.ask(request('EXEC'));
    expect(calls(client)).toEqual({
      set: '2/0/0',
      incr: '1/0/1',
      select: '1/0/1',
      ping: '1/0/0',
      multi: '1/0/0',
      exec: '2/0/1',
      info: '1/0/0',
    });
    expect(client.ask(request('INFO stats'))).toContain('total_commands_processed:10\r\n');
  });

  test('divides the time of a unit among its commands, and fails them with it', () => {
    const harness = new Harness();
    harness.coordinator.manual = true;
    const client = harness.client();
    client.send(request('SET a 1', 'SET a 2', 'GET a'));
    harness.nowMs += 6;
    harness.coordinator.step();
    client.send(request('GET a'));
    harness.nowMs += 3;
    harness.coordinator.fail(harness.coordinator.parts.at(-1), 'NOQUORUM refused');
    harness.endTurn();
    const stats = client.ask(request('INFO commandstats'));
    expect(stats).toContain(
      'cmdstat_set:calls=2,usec=4000,usec_per_call=2000.00,rejected_calls=0,failed_calls=0\r\n',
    );
    expect(stats).toContain(
      'cmdstat_get:calls=2,usec=5000,usec_per_call=2500.00,rejected_calls=0,failed_calls=1\r\n',
    );
  });

  test('has rates over the last ticks', () => {
    const harness = new Harness();
    const client = harness.client();
    harness.tick(100);
    client.ask(request(...Array.from({ length: 50 }, () => 'PING')));
    harness.tick(1000);
    expect(client.ask(request('INFO stats'))).toContain('instantaneous_ops_per_sec:50\r\n');
  });
});
