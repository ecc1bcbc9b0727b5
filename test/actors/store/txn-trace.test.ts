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
  trace.answered(GROUP, at(5), limitMs - 0.001, 1);
  trace.answered(GROUP, at(6), limitMs, 2);
  expect(recorder.kept.slowAfter(0)).toMatchObject([
    { txn: '3.7/6.2.1.0', tookMs: limitMs, commands: 2, why: 'slow' },
  ]);
});
