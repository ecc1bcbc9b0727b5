/**
 * Trace events as OTLP JSON (opentelemetry-proto, trace/v1), for Jaeger and Tempo: a trace per
 * transaction. Below its root there is a span per node, and below that one per message, from its
 * sending to its receipt. A pure function.
 */
import { pairMessages } from './message-pairs.ts';
import type { EndEvent, StepEvent, TraceEvent } from './trace-event.ts';

type Ours = (EndEvent | StepEvent) & { readonly txn: string };

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string } | { readonly doubleValue: number };
}

type Span = Readonly<Record<string, unknown>>;

const KIND_INTERNAL = 1;
const KIND_CONSUMER = 5;

export function* otlpPieces(events: readonly TraceEvent[], errorUs = 0): Generator<string> {
  const spans = spansByNode(events, errorUs);
  yield '{"resourceSpans":[';
  let isFirst = true;
  for (const [node, own] of spans) {
    const attributes = [text('service.name', 'holostore'), text('service.instance.id', `${node}`)];
    const resource = JSON.stringify({ attributes });
    const scope = JSON.stringify({ name: 'holostore' });
    yield `${isFirst ? '' : ','}{"resource":${resource},"scopeSpans":[{"scope":${scope},"spans":[`;
    isFirst = false;
    for (const [index, span] of own.entries()) {
      yield `${index === 0 ? '\n' : ',\n'}${JSON.stringify(span)}`;
    }
    yield ']}]}';
  }
  yield ']}\n';
}

function spansByNode(events: readonly TraceEvent[], errorUs: number): Map<number, Span[]> {
  const pairs = pairMessages(events, errorUs);
  const byTxn = new Map<string, Ours[]>();
  for (const event of events) {
    if (event.kind !== 'in' && event.kind !== 'out' && event.kind !== 'step') continue;
    if (event.txn === undefined) continue;
    const own = byTxn.get(event.txn);
    if (own === undefined) byTxn.set(event.txn, [event as Ours]);
    else own.push(event as Ours);
  }
  const spans = new Map<number, Span[]>();
  const add = (node: number, span: Span): void => {
    const own = spans.get(node);
    if (own === undefined) spans.set(node, [span]);
    else own.push(span);
  };
  for (const [txn, own] of byTxn) {
    const traceId = hex(txn, 'trace', 32);
    const root = hex(txn, 'root', 16);
    const origin = own.find((e) => e.kind === 'step' && e.step === 'begin')?.node ?? own[0]?.node;
    const whole = { traceId, spanId: root, name: 'transaction', kind: KIND_INTERNAL };
    add(origin ?? 0, { ...whole, ...lasting(own), attributes: [text('holostore.txn', txn)] });
    for (const node of new Set(own.map((event) => event.node))) {
      const there = own.filter((event) => event.node === node);
      const id = hex(txn, `node ${node}`, 16);
      const name = `node ${node}`;
      const same = { traceId, spanId: id, parentSpanId: root, name, kind: KIND_INTERNAL };
      add(node, { ...same, ...lasting(there), attributes: [], events: eventsOf(there) });
      for (const event of there) {
        const sent = event.kind === 'in' ? pairs.get(event) : undefined;
        if (event.kind !== 'in' || sent === undefined) continue;
        add(node, messageSpan(traceId, id, sent, event));
      }
    }
  }
  return spans;
}

function messageSpan(traceId: string, parent: string, sent: EndEvent, received: EndEvent): Span {
  const ends = [sent, received];
  return {
    traceId,
    spanId: hex(`${received.txn} ${received.node} ${received.seq} ${received.t}`, 'message', 16),
    parentSpanId: parent,
    name: received.msg,
    kind: KIND_CONSUMER,
    ...lasting(ends),
    attributes: [
      text('holostore.from', `node ${sent.node} ${sent.actor}`),
      text('holostore.to', `node ${received.node} ${received.actor}`),
      { key: 'holostore.value', value: { doubleValue: received.value } },
    ],
  };
}

function eventsOf(events: readonly Ours[]): object[] {
  return events.flatMap((event) =>
    event.kind !== 'step'
      ? []
      : {
          timeUnixNano: nanos(event.t),
          name: event.step,
          attributes: event.on === undefined ? [] : [text('holostore.on', event.on)],
        },
  );
}

function lasting(events: readonly { readonly t: number }[]): Span {
  const times = events.map(({ t }) => t);
  return {
    startTimeUnixNano: nanos(Math.min(...times)),
    endTimeUnixNano: nanos(Math.max(...times)),
  };
}

function nanos(us: number): string {
  return `${BigInt(Math.floor(us)) * 1_000n + BigInt(Math.round((us % 1) * 1_000))}`;
}

function text(key: string, stringValue: string): Attribute {
  return { key, value: { stringValue } };
}

/** Names of spans and traces are made from what they stand for: two dumps agree. */
function hex(of: string, salt: string, digits: number): string {
  let out = '';
  for (let round = 0; out.length < digits; round += 1) {
    let hash = 0xcbf29ce484222325n ^ BigInt(round + 1);
    for (const char of `${salt} ${of}`) {
      hash = BigInt.asUintN(64, (hash ^ BigInt(char.codePointAt(0) ?? 0)) * 0x100000001b3n);
    }
    out += hash.toString(16).padStart(16, '0');
  }
  return out.slice(0, digits);
}
