/**
 * Both exporters against the rules of the viewers that read them, on traces of a small
 * system in virtual time (no duration within a turn) and in real time.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { ActorRef } from '../../../actors/runtime/actor-ref.ts';
import { ActorSystem } from '../../../actors/runtime/actor-system.ts';
import type { ActorContext } from '../../../actors/runtime/behavior.ts';
import type { Clock } from '../../../actors/runtime/ports/ports.ts';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import { TraceRecorder } from '../../../actors/runtime/trace/trace-recorder.ts';
import { SHIVIZ_PATTERN } from '../../../transport/trace/export-shiviz.ts';
import type { TraceEvent } from '../../../transport/trace/trace-event.ts';
import { spec } from '../../actors/runtime/fixture.ts';
import { VirtualScheduler } from '../../simulation/virtual-scheduler.ts';
import { checkPerfetto, type PerfettoRecord } from './perfetto-rules.ts';
import { checkShiviz } from './shiviz-rules.ts';
import { toPerfetto, toShiviz } from './whole.ts';

interface Job {
  readonly type: 'PreAccept' | 'PreAcceptOk';
  readonly txn: string;
}

/** Virtual time in which every reading of the clock takes a little while, like a real one. */
function tickingClock(scheduler: VirtualScheduler): Clock {
  let extraMs = 0;
  return {
    wallUs: () => Math.floor(scheduler.clock.wallUs() + extraMs * 1_000),
    monotonicMs: () => {
      extraMs += 0.000_31;
      return scheduler.nowMs + extraMs;
    },
  };
}

/** A coordinator and three replicas exchange messages; one replica crashes once. */
function traceOf(node: number, isTicking: boolean, eventsMax: number): TraceEvent[] {
  const scheduler = new VirtualScheduler({ seed: node, wakeJitterMs: 0.05 });
  const clock = isTicking ? tickingClock(scheduler) : scheduler.clock;
  const txnOf = (message: unknown): string => (message as Job).txn;
  const recorder = new TraceRecorder({ clock, node, eventsMax, sampleEvery: 3, txnOf });
  const rng = new SeededRng(node);
  const onFailed = (): void => {};
  const system = new ActorSystem({ name: `n${node}`, clock, rng, scheduler, onFailed, recorder });
  const replicas: ActorRef<Job>[] = [];
  const coordinate = (context: ActorContext<Job>) => ({
    receive: (job: Job) => {
      context.trace(job.txn, job.type);
      if (job.type === 'PreAccept') for (const replica of replicas) replica.tell(job);
    },
  });
  const coordinator = system.root.child(spec('coordinator', coordinate));
  for (const name of ['r1', 'r2', 'r3']) {
    const start = () => ({
      receive: (job: Job) => {
        if (job.txn === '1.5.1' && name === 'r2') throw new Error('replica\nfailed');
        coordinator.tell({ type: 'PreAcceptOk', txn: job.txn });
      },
    });
    replicas.push(system.root.child(spec(name, start)));
  }
  for (let at = 0; at < 40; at += 1) {
    coordinator.tell({ type: 'PreAccept', txn: `1.${at}.${node}` });
    if (at % 4 === 0) scheduler.run(scheduler.nowMs + 0.1);
  }
  scheduler.run(scheduler.nowMs + 100);
  return recorder.events();
}

const CASES = [
  ['virtual time', false, 16_384],
  ['running time', true, 16_384],
  ['a cut ring', true, 150],
] as const;

describe.each(CASES)('Perfetto, %s', (_name, isTicking, eventsMax) => {
  let records: readonly PerfettoRecord[] = [];
  let events: readonly TraceEvent[] = [];
  beforeAll(() => {
    events = [...traceOf(1, isTicking, eventsMax), ...traceOf(2, isTicking, eventsMax)];
    records = (JSON.parse(toPerfetto(events)) as { traceEvents: PerfettoRecord[] }).traceEvents;
  });
  const of = (phase: string): PerfettoRecord[] => records.filter(({ ph }) => ph === phase);

  test('only phases that the importer keeps are used', () => {
    expect(new Set(records.map(({ ph }) => ph))).toEqual(new Set('MXsfCibne'));
  });

  test('keeps the rules of the importer', () => {
    expect(of('s').length).toBeGreaterThan(20);
    expect(of('X').length).toBeGreaterThan(50);
    checkPerfetto(toPerfetto(events));
  });

  test('ids are hexadecimal and distinct per transaction', () => {
    const ids = [...of('s'), ...of('b')].map(({ id }) => id);
    for (const id of ids) expect(id).toMatch(/^0x[0-9a-f]{1,16}$/);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('a transaction begins, has all its steps, and ends', () => {
    const txns = new Set(events.flatMap((event) => (event.kind === 'txn' ? [event.txn] : [])));
    expect(of('b').length).toBe(txns.size);
    expect(of('e').length).toBe(txns.size);
    expect(of('n').length).toBe(events.filter(({ kind }) => kind === 'txn').length);
    for (const begin of of('b')) {
      const end = of('e').find(({ id }) => id === begin.id);
      expect(end?.name).toBe(begin.name);
      expect(end?.ts).toBeGreaterThan(begin.ts);
    }
  });

  test('the nodes are processes', () => {
    const processes = of('M').filter(({ name }) => name === 'process_name');
    expect(processes.map(({ pid, args }) => [pid, args?.['name']])).toEqual([
      [1, 'node-1'],
      [2, 'node-2'],
    ]);
  });
});

test('an empty trace is a valid file', () => {
  expect(JSON.parse(toPerfetto([]))).toMatchObject({ traceEvents: [] });
  expect(toShiviz([])).toBe(`${SHIVIZ_PATTERN}\n\n`);
});

describe.each(CASES)('ShiViz, %s', (_name, isTicking, eventsMax) => {
  test('every host is in its own clock, begins at 1 and counts without a gap', () => {
    const events = [...traceOf(1, isTicking, eventsMax), ...traceOf(2, isTicking, eventsMax)];
    const lines = checkShiviz(toShiviz(events));
    expect(lines.length).toBe(events.filter(({ kind }) => kind !== 'turn').length);
    const merged = lines.filter(({ event, clock }) => event.startsWith('recv') && clock.size > 1);
    expect(new Set(lines.map(({ host }) => host)).size).toBeGreaterThan(4);
    expect(merged.length).toBeGreaterThan(5);
  });
});
