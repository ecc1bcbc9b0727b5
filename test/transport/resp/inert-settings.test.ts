import { describe, expect, test } from 'vitest';
import { inertSettings } from '../../../transport/resp/inert-settings.ts';
import { array, Harness, request } from './harness.ts';

const failed = (name: string, reason: string): string =>
  `-ERR CONFIG SET failed (possibly related to argument '${name}') - ${reason}\r\n`;
const shown = (name: string, value: string): string =>
  `*2\r\n$${name.length}\r\n${name}\r\n$${value.length}\r\n${value}\r\n`;

describe('settings that are inert here', () => {
  const ofNode = inertSettings(() => new Map()).filter(({ ofCluster }) => ofCluster === undefined);

  test.each(ofNode)('$name takes its own value', ({ name, get }) => {
    const client = new Harness().client();
    const value = get();
    expect(client.ask(request(`CONFIG GET ${name}`))).toBe(shown(name, value));
    expect(client.ask(array('CONFIG', 'SET', name, value))).toBe('+OK\r\n');
    expect(client.ask(request(`CONFIG GET ${name}`))).toBe(shown(name, value));
  });

  test('are kept by each node on its own', () => {
    const [one, other] = [new Harness(), new Harness()];
    expect(one.client().ask(request('CONFIG SET min-slaves-max-lag 99'))).toBe('+OK\r\n');
    expect(one.client().ask(request('CONFIG GET min-replicas-max-lag'))).toContain('99\r\n');
    expect(other.client().ask(request('CONFIG GET min-replicas-max-lag'))).toContain('10\r\n');
  });

  test('keep no more than their maximum', () => {
    const many = '50 '.repeat(65);
    const name = 'latency-tracking-info-percentiles';
    expect(new Harness().client().ask(array('CONFIG', 'SET', name, many))).toBe(
      failed(name, 'at most 64 percentiles'),
    );
  });
});

describe('settings that would weaken a promise are refused, with the reason', () => {
  test.each([
    ['appendonly', 'no', 'acknowledged writes are always on disk'],
    ['appendfsync', 'no', 'nothing is acknowledged before it is synced; see --sync-policy'],
    ['appendfsync', 'everysec', 'nothing is acknowledged before it is synced; see --sync-policy'],
    ['no-appendfsync-on-rewrite', 'yes', 'nothing is acknowledged before it is synced'],
    ['maxmemory', '100mb', 'protected: holoctl config set maxmemory VALUE'],
    ['maxmemory-policy', 'allkeys-lru', 'acknowledged keys are never evicted'],
    ['maxmemory-policy', 'volatile-ttl', 'acknowledged keys are never evicted'],
    ['save', '900 1', 'there are no snapshots here: the log has every write'],
    ['save', '900 1 300 10', 'there are no snapshots here: the log has every write'],
    ['min-replicas-to-write', '1', 'every write needs a majority of the nodes already'],
    ['maxmemory-clients', '1mb', 'protected: holoctl config set maxmemory-clients VALUE'],
    ['activedefrag', 'yes', 'active defragmentation is not there in this allocator'],
  ])('%s %s', (name, value, reason) => {
    const client = new Harness().client();
    const before = client.ask(request(`CONFIG GET ${name}`));
    expect(client.ask(array('CONFIG', 'SET', name, value))).toBe(failed(name, reason));
    expect(client.ask(array('CONFIG', 'SET', 'hz', '77', name, value))).toBe(failed(name, reason));
    expect(client.ask(request(`CONFIG GET ${name}`))).toBe(before);
    expect(client.ask(request('CONFIG GET hz'))).toBe(shown('hz', '10'));
  });
});
