/** Records that are written now and synced later: the policy `on_flush`. */
import { expect, test } from 'vitest';
import { LogHarness, texts } from './log-harness.ts';

function written(harness: LogHarness, values: readonly string[]) {
  const { log } = harness.open();
  const answers: string[] = [];
  const syncs = harness.disk.counters.syncs;
  for (const value of values) {
    log.append(1, 1, [Buffer.from(value)]);
    log.write((error) => answers.push(error?.code ?? value.slice(0, 4)));
    harness.time.drain();
  }
  return { log, answers, syncs: harness.disk.counters.syncs - syncs };
}

test('a crash of the process keeps what was written without a sync', () => {
  const harness = new LogHarness();
  const { log, answers } = written(harness, ['first', 'second', 'third']);
  expect(answers).toEqual(['firs', 'seco', 'thir']);
  expect([log.writtenLsn, log.pendingBytes]).toEqual([3, 0]);
  expect(log.durableLsn).toBe(0);
  harness.disk.crash('process');
  expect(texts(harness.open().records)).toEqual(['1:first', '2:second', '3:third']);
});

test('a commit makes durable what was only written', () => {
  const harness = new LogHarness();
  const { log } = written(harness, ['first', 'second']);
  harness.sync(log);
  expect(log.durableLsn).toBe(2);
  harness.disk.crash('power');
  expect(texts(harness.open().records)).toEqual(['1:first', '2:second']);
});

test('a segment is durable before the next one begins', () => {
  const harness = new LogHarness();
  const values = Array.from({ length: 12 }, (_, index) => `${index}`.padEnd(1_500, '.'));
  const { log, syncs } = written(harness, values);
  const segments = log.segments();
  expect(segments.length).toBeGreaterThan(2);
  expect(log.durableLsn).toBeGreaterThanOrEqual((segments.at(-1)?.firstLsn ?? 0) - 1);
  expect(syncs).toBeLessThan(values.length);
  harness.disk.crash('process');
  expect(harness.open().records.length).toBe(values.length);
});
