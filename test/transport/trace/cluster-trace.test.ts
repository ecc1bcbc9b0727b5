/**
 * A trace of three nodes on which two transactions conflict, and of one that is recovered: what the
 * viewers show must be what happened.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import type { TraceRecorder } from '../../../actors/runtime/trace/trace-recorder.ts';
import { causalOrder, pairMessages } from '../../../transport/trace/message-pairs.ts';
import type { StepEvent, TraceEvent } from '../../../transport/trace/trace-event.ts';
import { drawTransaction } from '../../../transport/trace/transaction-picture.ts';
import { Scenario } from '../../simulation/scenario.ts';
import { checkPerfetto } from './perfetto-rules.ts';
import { type Clocked, checkShiviz, happensBefore } from './shiviz-rules.ts';
import { toOtlp, toPerfetto, toShiviz } from './whole.ts';

const NODES = [1, 2, 3];
/** Clocks of the nodes differ here; the simulator's own are the same. */
const ERROR_US = 40;
const SHIFT_US = [0, 15, -20] as const;

interface Story {
  readonly events: readonly TraceEvent[];
  /** In the order of execution. */
  readonly txns: readonly string[];
}

function eventsOf(scenario: Scenario): TraceEvent[] {
  return scenario.cluster.nodes
    .flatMap((node) => node.recorders.flatMap((recorder) => recorder.events()))
    .map((event) => ({ ...event, t: event.t + (SHIFT_US[event.node - 1] ?? 0) }))
    .sort((a, b) => a.t - b.t);
}

function steps(events: readonly TraceEvent[], step: string): StepEvent[] {
  return events.flatMap((event) => (event.kind === 'step' && event.step === step ? [event] : []));
}

function conflict(): Story {
  const scenario = new Scenario(3, { skewMs: 0 }, 1, { trace: true });
  const first = scenario.ask(1, 'SET', 'k', 'a');
  const second = scenario.ask(2, 'APPEND', 'k', 'b');
  scenario.run(200);
  expect([first.reply, second.reply]).not.toContain(undefined);
  const events = eventsOf(scenario);
  const txns = steps(events, 'executed')
    .filter(({ node }) => node === 1)
    .sort((a, b) => a.seq - b.seq)
    .map(({ txn }) => txn ?? '');
  return { events, txns };
}

/** Its coordinator is cut off when a quorum knows of it, but nobody of its decision. */
function recovery(): Story {
  for (let cutAfterMs = 0.1; cutAfterMs < 4; cutAfterMs += 0.1) {
    const scenario = new Scenario(3, { skewMs: 0 }, 1, { trace: true });
    scenario.ask(1, 'SET', 'k', 'first');
    scenario.run(cutAfterMs);
    scenario.isolate(1);
    scenario.run(3_000);
    scenario.cluster.network.mend();
    scenario.converge();
    const events = eventsOf(scenario);
    const recovered = steps(events, 'recovered');
    if (recovered.length > 0) return { events, txns: [recovered[0]?.txn ?? ''] };
  }
  throw new Error('no transaction was recovered');
}

let story: Story;
let recovered: Story;
beforeAll(() => {
  story = conflict();
  recovered = recovery();
});

describe('two transactions that conflict', () => {
  test('both are seen on every node, from the vote to the execution', () => {
    expect(story.txns.length).toBe(2);
    for (const txn of story.txns) {
      const own = story.events.filter((event) => 'txn' in event && event.txn === txn);
      for (const node of NODES) {
        const there = own.filter((event) => event.node === node);
        const words = there.map((event) =>
          event.kind === 'step' ? event.step : 'msg' in event ? `${event.kind} ${event.msg}` : '',
        );
        expect(words).toContain('out PreAcceptOk');
        expect(words).toContain('in Stable');
        expect(words).toContain('executed');
      }
    }
    const named = [...steps(story.events, 'dep'), ...steps(story.events, 'waits')];
    expect(named.some(({ txn, on }) => txn === story.txns[1] && on === story.txns[0])).toBe(true);
  });

  test('nearly every message between nodes is paired, and none with another kind', () => {
    const pairs = pairMessages(story.events, ERROR_US);
    const ins = story.events.filter(({ kind }) => kind === 'in');
    expect(ins.length).toBeGreaterThan(50);
    expect(pairs.size).toBe(ins.length);
    for (const [received, sent] of pairs) {
      expect([sent.msg, sent.txn]).toEqual([received.msg, received.txn]);
      expect([sent.node, sent.peer]).toEqual([received.peer, received.node]);
    }
    expect(new Set(pairs.values()).size).toBe(pairs.size);
  });

  test('Perfetto: the rules of the importer, and flows between actors and between nodes', () => {
    const text = toPerfetto(story.events, { alignmentErrorUs: ERROR_US });
    const { file, acrossNodes } = checkPerfetto(text);
    expect(file.otherData.alignmentErrorUs).toBe(ERROR_US);
    expect(acrossNodes).toBeGreaterThan(12);
  });

  test('ShiViz: the earlier is executed before the later on every node', () => {
    const lines = checkShiviz(toShiviz(story.events, ERROR_US));
    const hosts = new Set(lines.map(({ host }) => host));
    const executed = (txn: string | undefined, node: number): Clocked => {
      const found = lines.find(
        ({ host, event }) => host.startsWith(`n${node}/`) && event === `executed txn=${txn}`,
      );
      return found as Clocked;
    };
    const begun = (txn: string | undefined): Clocked =>
      lines.find(({ event }) => event === `begin txn=${txn}`) as Clocked;
    for (const node of NODES) {
      expect(hosts).toContain(`n${node}/node-${node}/store-0/replica`);
      const [earlier, later] = story.txns.map((txn) => executed(txn, node)) as [Clocked, Clocked];
      expect(happensBefore(earlier, later)).toBe(true);
      expect(happensBefore(later, earlier)).toBe(false);
      // Across nodes: what is executed anywhere was begun at its coordinator before.
      for (const txn of story.txns) {
        expect(happensBefore(begun(txn), executed(txn, node))).toBe(true);
      }
    }
  });

  test('cause comes before effect, also where clocks say otherwise', () => {
    const skewed = story.events
      .map((event) => (event.node === 2 ? { ...event, t: event.t - 30 } : event))
      .sort((a, b) => a.t - b.t);
    const pairs = pairMessages(skewed, 80);
    const places = new Map(causalOrder(skewed, pairs).map((event, at) => [event, at]));
    expect(places.size).toBe(skewed.length);
    for (const [received, sent] of pairs) {
      expect(places.get(sent)).toBeLessThan(places.get(received) ?? -1);
    }
  });

  test('OTLP: a trace per transaction, spans of all nodes below one root', () => {
    const file = JSON.parse(toOtlp(story.events, ERROR_US)) as {
      resourceSpans: {
        resource: { attributes: { key: string; value: { stringValue?: string } }[] };
        scopeSpans: {
          spans: {
            traceId: string;
            spanId: string;
            parentSpanId?: string;
            startTimeUnixNano: string;
            endTimeUnixNano: string;
          }[];
        }[];
      }[];
    };
    const spans = file.resourceSpans.flatMap((each) => each.scopeSpans.flatMap((s) => s.spans));
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(2);
    expect(new Set(spans.map(({ spanId }) => spanId)).size).toBe(spans.length);
    expect(file.resourceSpans.length).toBe(3);
    const known = new Set(spans.map(({ spanId }) => spanId));
    expect(spans.filter(({ parentSpanId }) => parentSpanId === undefined).length).toBe(2);
    for (const span of spans) {
      expect(span.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(span.spanId).toMatch(/^[0-9a-f]{16}$/);
      if (span.parentSpanId !== undefined) expect(known).toContain(span.parentSpanId);
      const took = BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano);
      expect(took >= 0n).toBe(true);
    }
  });

  test('a transaction as text: its votes, log syncs, decision, execution, and what it waited for', () => {
    const text = drawTransaction(story.events, story.txns[1] ?? '', { errorUs: ERROR_US });
    for (const words of ['begins', 'PreAccept', 'vote', 'log', 'Stable', 'executed', 'answered']) {
      expect(text).toContain(words);
    }
    for (const node of NODES) expect(text).toContain(`node ${node}`);
    expect(text).toContain(story.txns[0]);
    expect(text).toContain('±');
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });
});

test('a recovered transaction shows its recovery', () => {
  const [txn = ''] = recovered.txns;
  const text = drawTransaction(recovered.events, txn, { errorUs: 0 });
  for (const words of ['recover', 'BeginRecovery', 'recovery: ', 'recovered']) {
    expect(text).toContain(words);
  }
  const { file } = checkPerfetto(toPerfetto(recovered.events, { alignmentErrorUs: ERROR_US }));
  const names = new Set(file.traceEvents.map(({ name }) => name));
  for (const name of ['BeginRecovery', 'RecoverOk', 'recover', 'recovered']) {
    expect(names).toContain(name);
  }
  const lines = checkShiviz(toShiviz(recovered.events, ERROR_US));
  expect(lines.map(({ event }) => event)).toContain(`recovered txn=${txn}`);
});

test('a slow transaction is remembered by every node beyond the ring, and others are not', () => {
  const scenario = new Scenario(3, { skewMs: 0 }, 1, { trace: true });
  const quick = scenario.ask(2, 'SET', 'other', 'x');
  scenario.run(100);
  scenario.isolate(3);
  scenario.node(2).pause();
  const slow = scenario.ask(1, 'SET', 'k', 'a');
  scenario.run(30);
  scenario.node(2).resume();
  scenario.run(200);
  scenario.cluster.network.mend();
  scenario.run(3_000);
  expect([quick.reply, slow.reply]).toEqual(['OK', 'OK']);
  const [recorder] = scenario.node(1).recorders;
  const [summary, ...more] = recorder?.kept.slowAfter(0) ?? [];
  expect([summary?.why, more]).toEqual(['slow', []]);
  expect(summary?.tookMs).toBeGreaterThan(20);
  expect(recorder?.kept.slowAfter(summary?.number ?? 0)).toEqual([]);
  for (const node of [1, 2]) {
    const own = scenario.node(node).recorders[0] as TraceRecorder;
    const kept = [...own.kept.dump(own, Infinity)].filter((event) => event !== undefined);
    const txns = new Set(kept.flatMap((event) => ('txn' in event ? [event.txn] : [])));
    expect(txns).toEqual(new Set([summary?.txn]));
    const words = kept.map((event) => ('msg' in event ? `${event.kind} ${event.msg}` : ''));
    for (const word of ['in Stable', 'out PreAcceptOk', 'in Durable']) {
      expect(words).toContain(word);
    }
    // An event that the ring still holds is not told twice.
    expect(new Set(own.kept.dump(own, own.txns.oldest))).toEqual(new Set([undefined]));
  }
});
