import { describe, expect, it } from 'vitest';
import { mergeSections, renderInfo } from '../../transport/resp/info.ts';
import { Harness, request } from './harness.ts';

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

  it.each<[string[], string[]]>([
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

  it('prints a section as Redis does', () => {
    expect(renderInfo(sections, ['keyspace', 'commandstats'])).toBe(
      '# Keyspace\r\ndb0:keys=1\r\n\r\n# Commandstats\r\na:1\r\n',
    );
  });

  it('keeps a field on its line', () => {
    const text = renderInfo(mergeSections({ extra: { a: 'x\r\ny:1' } }), ['extra']);
    expect(text).toBe('# Extra\r\na:x y:1\r\n');
  });
});

describe('INFO', () => {
  it('has what clients and tools read, and what the services add', () => {
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

  it('is a verbatim string in RESP3', () => {
    const client = new Harness().client();
    client.ask(request('HELLO 3'));
    expect(client.ask(request('INFO cluster'))).toBe(
      '=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n',
    );
  });

  it('counts calls by name, and RESETSTAT begins anew', () => {
    const harness = new Harness();
    const client = harness.client();
    client.ask(request('SET a 1', 'GET a', 'GET a', 'GET'));
    const stats = client.ask(request('INFO commandstats'));
    expect(stats).toContain('cmdstat_get:calls=2,rejected_calls=1\r\n');
    expect(stats).toContain('cmdstat_set:calls=1,rejected_calls=0\r\n');
    client.ask(request('CONFIG RESETSTAT'));
    expect(client.ask(request('INFO commandstats'))).not.toContain('cmdstat_get');
  });

  it('has rates over the last ticks', () => {
    const harness = new Harness();
    const client = harness.client();
    harness.tick(100);
    client.ask(request(...Array.from({ length: 50 }, () => 'PING')));
    harness.tick(1000);
    expect(client.ask(request('INFO stats'))).toContain('instantaneous_ops_per_sec:50\r\n');
  });
});
