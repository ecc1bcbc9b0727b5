import { describe, expect, test } from 'vitest';
import type { ActorRef } from '../../../../actors/runtime/actor-ref.ts';
import type { ActorContext } from '../../../../actors/runtime/behavior.ts';
import { TRACE_HOPS_MAX, TraceRecorder } from '../../../../actors/runtime/trace/trace-recorder.ts';
import type { TraceEvent } from '../../../../transport/trace/trace-event.ts';
import { VirtualScheduler } from '../../../simulation/virtual-scheduler.ts';
import { toJsonl } from '../../../transport/trace/whole.ts';
import { recording, spec, virtualSystem } from '../fixture.ts';

function edges(events: readonly TraceEvent[]): string[] {
  return events.flatMap((event) => {
    if (event.kind !== 'send' && event.kind !== 'recv') return [];
    return [`${event.kind} ${event.serial} ${event.from}>${event.to} ${event.msg}`];
  });
}

describe('trace recorder', () => {
  test('turns, crashes, restarts, dead letters and protocol steps are always recorded', () => {
    const { scheduler, system } = virtualSystem({}, { sampleEvery: 0 });
    const start = (context: ActorContext<string>) =>
      recording('a', [], {
        receive: (message) => {
          context.trace('1.7.1', 'PreAccept');
          if (message === 'boom') throw new Error('bad');
        },
      })(context);
    const ref = system.root.child(spec('a', start, { mailboxMax: 2 }));
    for (const message of ['1', 'boom', 'refused']) ref.tell(message);
    scheduler.runUntilIdle();
    const events = system.recorder.events();
    expect(events.every(({ node }) => node === 7)).toBe(true);
    expect(events.map(({ t, node, ...rest }) => rest)).toEqual([
      { kind: 'dead-letter', actor: 'node/a', msg: 'refused', reason: 'full' },
      { kind: 'txn', actor: 'node/a', txn: '1.7.1', step: 'PreAccept' },
      { kind: 'txn', actor: 'node/a', txn: '1.7.1', step: 'PreAccept' },
      { kind: 'dead-letter', actor: 'node/a', msg: 'boom', reason: 'crashed' },
      { kind: 'turn', actor: 'node/a', durUs: 0, messages: 2, depth: 0 },
      { kind: 'crash', actor: 'node/a', text: 'Error: bad' },
      { kind: 'restart', actor: 'node/a', text: '2' },
    ]);
  });

  test('every n-th message begins a chain, and a chain is followed to its end', () => {
    const { scheduler, system } = virtualSystem(
      {},
      { sampleEvery: 3, txnOf: (message) => `t${message}` },
    );
    const last = system.root.child(spec<string>('last', () => ({ receive: () => {} })));
    const first = system.root.child<string>(
      spec('first', () => ({
        receive: (message) => {
          last.tell(`${message}'`);
        },
      })),
    );
    for (const message of ['1', '2', '3', '4']) first.tell(message);
    scheduler.runUntilIdle();
    const events = system.recorder.events();
    expect(edges(events)).toEqual([
      'send 1 outside>node/first 3',
      "send 2 node/first>node/last 2'",
      'recv 1 outside>node/first 3',
      "send 3 node/first>node/last 3'",
      "recv 2 node/first>node/last 2'",
      "recv 3 node/first>node/last 3'",
    ]);
    expect(events.find(({ kind }) => kind === 'recv')).toMatchObject({ txn: 't3' });
  });

  test('a chain that never ends is followed for TRACE_HOPS_MAX hops', () => {
    const { scheduler, system } = virtualSystem({}, { sampleEvery: 1_000_000 });
    let other: ActorRef<number> | undefined;
    const forward = () => ({
      receive: (message: number) => {
        if (message < 100) other?.tell(message + 1);
      },
    });
    other = system.root.child<number>(spec('a', forward));
    for (let next = 0; next < 999_999; next += 1) system.recorder.samples();
    other.tell(1);
    scheduler.runUntilIdle();
    expect(edges(system.recorder.events()).length).toBe(2 * (TRACE_HOPS_MAX + 1));
  });

  test('messages sent by turnEnd belong to the chain of the turn', () => {
    const { scheduler, system } = virtualSystem({}, { sampleEvery: 2 });
    const last = system.root.child(spec<string>('last', () => ({ receive: () => {} })));
    const start = () => ({
      receive: () => {},
      turnEnd: () => {
        last.tell('batch');
      },
    });
    const first = system.root.child<string>(spec('first', start));
    first.tell('1');
    first.tell('2');
    scheduler.runUntilIdle();
    expect(edges(system.recorder.events())).toContain('recv 2 node/first>node/last batch');
  });

  test('a crash does not mix up which message was sampled', () => {
    const { scheduler, system } = virtualSystem({}, { sampleEvery: 4 });
    const start = () => ({
      receive: (message: string) => {
        if (message === 'boom') throw new Error('boom');
      },
    });
    const ref = system.root.child<string>(spec('a', start));
    for (const message of ['1', '2', '3', '4', 'boom', '6', '7', '8', '9']) ref.tell(message);
    scheduler.runUntilIdle();
    expect(edges(system.recorder.events()).filter((edge) => edge.startsWith('recv'))).toEqual([
      'recv 1 outside>node/a 4',
      'recv 2 outside>node/a 8',
    ]);
  });

  test('the ring keeps the last events', () => {
    const { clock } = new VirtualScheduler();
    const recorder = new TraceRecorder({ clock, node: 1, eventsMax: 3 });
    const actor = recorder.register('node/a');
    expect(recorder.register('node/a')).toBe(actor);
    for (let at = 0; at < 5; at += 1) recorder.txn(actor, at, 't', `step${at}`);
    expect(recorder.written).toBe(5);
    expect(recorder.events().map((event) => event.kind === 'txn' && event.step)).toEqual([
      ...['step2', 'step3', 'step4'],
    ]);
    const edge = recorder.send(actor, 1, 'm');
    const mark = recorder.receive(actor, edge, 0, 'm');
    for (let at = 0; at < 3; at += 1) recorder.turn(actor, at, 5, 1, 0);
    recorder.handled(mark);
    expect(recorder.events().map((event) => event.kind === 'turn' && event.durUs)).toEqual([
      ...[5_000, 5_000, 5_000],
    ]);
  });
});

test('JSON lines keep every fact', () => {
  const { scheduler, system } = virtualSystem({}, { sampleEvery: 1 });
  const ref = system.root.child(spec('a', recording('a', [])));
  for (const message of ['1', 'boom']) ref.tell(message);
  scheduler.runUntilIdle();
  const events = system.recorder.events();
  expect(events.length).toBeGreaterThan(5);
  const lines = toJsonl(events).split('\n');
  expect(lines.pop()).toBe('');
  expect(lines.map((line) => JSON.parse(line))).toEqual(events);
});
