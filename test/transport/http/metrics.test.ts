import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import { CountedHistogram } from '../../../transport/http/counted-histogram.ts';
import { NodeMetrics } from '../../../transport/http/metrics.ts';

function lines(text: string): string[] {
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

describe('counters and histograms', () => {
  test('are there from 0 on, and count whole batches', async () => {
    const metrics = new NodeMetrics({}, false);
    expect(lines(await metrics.text())).toContain('holostore_commands_total{family="write"} 0');
    metrics.commands('write', 100);
    metrics.commands('write', 50);
    metrics.commands('read', 1);
    metrics.commandLatency('write', 0.7, 100);
    metrics.commandLatency('write', 30, 50);
    metrics.transactions('fast');
    metrics.readsRepeated('barrier', 2);
    metrics.transactions('recovered', 3);
    metrics.batch(150, 5000);
    metrics.logSync(1.5, 8192);
    metrics.logSync(0.2, 4096);
    const text = lines(await metrics.text());
    expect(text).toEqual(
      expect.arrayContaining([
        'holostore_commands_total{family="write"} 150',
        'holostore_commands_total{family="read"} 1',
        'holostore_transactions_total{outcome="fast"} 1',
        'holostore_reads_repeated_total{as="barrier"} 2',
        'holostore_reads_repeated_total{as="transaction"} 0',
        'holostore_transactions_total{outcome="recovered"} 3',
        'holostore_command_seconds_bucket{family="write",le="0.0005"} 0',
        'holostore_command_seconds_bucket{family="write",le="0.001"} 100',
        'holostore_command_seconds_bucket{family="write",le="0.025"} 100',
        'holostore_command_seconds_bucket{family="write",le="0.05"} 150',
        'holostore_command_seconds_bucket{family="write",le="+Inf"} 150',
        'holostore_command_seconds_count{family="write"} 150',
        'holostore_batch_commands_bucket{le="128"} 0',
        'holostore_batch_commands_bucket{le="256"} 1',
        'holostore_batch_bytes_sum 5000',
        'holostore_log_sync_seconds_count 2',
        'holostore_log_bytes_total 12288',
      ]),
    );
    const sum = text.find((line) =>
      line.startsWith('holostore_command_seconds_sum{family="write"'),
    );
    expect(Number(sum?.split(' ')[1])).toBeCloseTo(1.57);
  });

  test('refused messages are counted by type and reason', async () => {
    const metrics = new NodeMetrics({}, false);
    metrics.messageRefused('PreAccept', 'shape');
    metrics.messageRefused('PreAccept', 'shape');
    metrics.messageRefused('Stable', 'contradiction');
    const name = 'holostore_peer_messages_refused_total';
    expect(lines(await metrics.text())).toEqual(
      expect.arrayContaining([
        `${name}{type="PreAccept",reason="shape"} 2`,
        `${name}{type="Stable",reason="contradiction"} 1`,
      ]),
    );
  });

  test('a scrape does not count twice', async () => {
    const metrics = new NodeMetrics({}, false);
    metrics.commands('local', 2);
    await metrics.text();
    expect(lines(await metrics.text())).toContain('holostore_commands_total{family="local"} 2');
  });

  test('a value above all bounds is counted, an unknown series is a mistake', async () => {
    const registry = new Registry();
    const histogram = new CountedHistogram(registry, 'h', 'help', [1, 2], 'kind', ['a']);
    histogram.observe('a', 2);
    histogram.observe('a', 3, 5);
    expect(lines(await registry.metrics())).toEqual([
      'h_bucket{kind="a",le="1"} 0',
      'h_bucket{kind="a",le="2"} 1',
      'h_bucket{kind="a",le="+Inf"} 6',
      'h_sum{kind="a"} 17',
      'h_count{kind="a"} 6',
    ]);
    expect(() => histogram.observe('b' as 'a', 1)).toThrow(RangeError);
    registry.resetMetrics();
    expect(lines(await registry.metrics())).toContain('h_count{kind="a"} 0');
  });
});

describe('present values', () => {
  test('are asked for at a scrape; actors that went are not shown any more', async () => {
    let actors = [
      { path: 'node-1/wal', depth: 3, restarts: 1 },
      { path: 'node-1/gone', depth: 9, restarts: 0 },
    ];
    let offset = -1.25;
    const link = { bytesIn: 10, bytesOut: 20, sendsRefused: 1, reconnects: 2, queuedBytes: 5 };
    const metrics = new NodeMetrics(
      {
        actors: () => actors,
        deadLetters: () => [['full', 7]],
        links: () => [{ peer: 2, up: true, ...link }],
        clients: () => 12,
        keys: () => 34,
        retainedTransactions: () => 56,
        flushLag: () => 78,
        clockOffsetSeconds: () => offset,
        unrouted: () => [[2, { channel: 3, group: 4 }]],
      },
      false,
    );
    const first = lines(await metrics.text());
    expect(first).toEqual(
      expect.arrayContaining([
        'holostore_mailbox_depth{actor="node-1/wal"} 3',
        'holostore_actor_restarts_total{actor="node-1/wal"} 1',
        'holostore_dead_letters_total{reason="full"} 7',
        'holostore_peer_up{peer="2"} 1',
        'holostore_peer_received_bytes_total{peer="2"} 10',
        'holostore_peer_sent_bytes_total{peer="2"} 20',
        'holostore_peer_sends_refused_total{peer="2"} 1',
        'holostore_peer_reconnects_total{peer="2"} 2',
        'holostore_peer_queued_bytes{peer="2"} 5',
        'holostore_clients 12',
        'holostore_keys 34',
        'holostore_retained_transactions 56',
        'holostore_flush_lag_transactions 78',
        'holostore_clock_offset_seconds -1.25',
        'holostore_peer_unrouted_total{peer="2",unknown="channel"} 3',
        'holostore_peer_unrouted_total{peer="2",unknown="group"} 4',
      ]),
    );
    actors = actors.slice(0, 1);
    offset = Number.NaN;
    const second = await metrics.text();
    expect(second.includes('gone')).toBe(false);
    expect(second).toMatch(/^holostore_clock_offset_seconds NaN$/im);
  });

  test('ranges have values of their own, but for a bounded number of them', async () => {
    const ranges = Array.from({ length: 130 }, (_, at) => ({
      ...{ range: at + 1, keys: 2, bytes: 10, appliedSequence: 3 },
      phase: at === 7 ? 'closing' : 'stable',
    }));
    const metrics = new NodeMetrics({ ranges: () => ranges }, false);
    const told = lines(await metrics.text());
    expect(told).toEqual(
      expect.arrayContaining([
        'holostore_range_keys{range="128"} 2',
        'holostore_range_keys{range="others"} 4',
        'holostore_range_bytes{range="others"} 20',
        'holostore_range_applied_transactions{range="1"} 3',
        'holostore_ranges{phase="stable"} 129',
        'holostore_ranges{phase="closing"} 1',
      ]),
    );
    expect(told.filter((line) => line.startsWith('holostore_range_keys{'))).toHaveLength(129);
    // Read anew at each scrape.
    expect(lines(await metrics.text())).toEqual(told);
  });

  test('the process is measured, its event loop too', async () => {
    const text = await new NodeMetrics({}).text();
    expect(text).toContain('process_resident_memory_bytes');
    expect(text).toContain('nodejs_eventloop_lag_p99_seconds');
  });

  test('two nodes in one process do not share a registry', async () => {
    const one = new NodeMetrics({}, false);
    const two = new NodeMetrics({}, false);
    one.commands('read', 5);
    expect(lines(await two.text())).toContain('holostore_commands_total{family="read"} 0');
  });
});
