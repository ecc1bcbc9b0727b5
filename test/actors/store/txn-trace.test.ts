/** Which transactions are slow is a setting: at the limit one is remembered, below it is not. */
import { expect, test } from 'vitest';
import { TRACE_SLOW_MS, TraceRecorder } from '../../../actors/runtime/trace/trace-recorder.ts';
import { TxnTrace } from '../../../actors/store/txn-trace.ts';
import { VirtualScheduler } from '../../simulation/virtual-scheduler.ts';
import { at } from '../accord/fixture.ts';

const GROUP = { range: 3, generation: 7 };

test.each([undefined, 1, 250])('slowMs %s', (slowMs) => {
  const { clock } = new VirtualScheduler();
  const given = slowMs === undefined ? {} : { slowMs };
  const recorder = new TraceRecorder({ clock, node: 1, txnEventsMax: 16, ...given });
  const trace = new TxnTrace(recorder);
  const limitMs = slowMs ?? TRACE_SLOW_MS;
  const part = { count: 1, participants: [9, 4], wholeStore: false };
  trace.answered(GROUP, at(5), limitMs - 0.001, [{ part }]);
  trace.answered(GROUP, at(6), limitMs, [{ part }, { part: { ...part, participants: [3] } }]);
  expect(recorder.kept.slowAfter(0)).toMatchObject([
    { txn: '3.7/6.2.1.0', tookMs: limitMs, commands: 2, why: 'slow' },
  ]);
  expect([3, 4, 5, 9].map((slot) => recorder.kept.slowOn(slot).length)).toEqual([1, 1, 0, 1]);
});

test('one on more keys than are noted, or on the whole store, is found by any key', () => {
  const { clock } = new VirtualScheduler();
  const recorder = new TraceRecorder({ clock, node: 1 });
  const trace = new TxnTrace(recorder);
  const on = (count: number) => Array.from({ length: count }, (_, slot) => slot + 1);
  const answered = (count: number, wholeStore = false): number => {
    const before = recorder.kept.slowOn(60_000).length;
    const part = { count: 1, participants: on(count), wholeStore };
    trace.answered(GROUP, at(5), 1_000, [{ part }]);
    return recorder.kept.slowOn(60_000).length - before;
  };
  expect([answered(1_024), answered(1_025), answered(1, true)]).toEqual([0, 1, 1]);
});
