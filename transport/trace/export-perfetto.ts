/**
 * Trace events as Chrome Trace Event JSON for ui.perfetto.dev: nodes are processes, actors are
 * threads, turns are slices, messages are flows, transactions are async tracks. A pure function
 * for `holoctl`, the console and dumps; it stays inside the phases B E X I C M b n e s t f and
 * keeps the rules of Perfetto's importer (json_trace_parser.cc, flow_tracker.cc).
 */
import { pairMessages } from './message-pairs.ts';
import { SLICE_NS_MIN, type Track, Tracks } from './perfetto-tracks.ts';
import type { EndEvent, StepEvent, TraceEvent, TxnEvent } from './trace-event.ts';

type JsonRecord = Record<string, unknown>;

/** Told in `otherData`, beside the start. */
interface PerfettoNotes {
  /** After alignment, the clocks of two nodes differ by at most so much. */
  readonly alignmentErrorUs?: number;
}

/** Times are relative to the first event, whose wall time is in `otherData.startUs`. */
export function* perfettoPieces(
  events: readonly TraceEvent[],
  notes: PerfettoNotes = {},
): Generator<string> {
  const startUs = Math.floor(events.reduce((least, { t }) => Math.min(least, t), Infinity));
  const start = { startUs: Number.isFinite(startUs) ? startUs : 0 };
  const other = JSON.stringify({ ...start, ...notes });
  yield `{"displayTimeUnit":"ns","otherData":${other},"traceEvents":[\n`;
  let isFirst = true;
  for (const record of recordsOf(events, startUs, notes.alignmentErrorUs ?? 0)) {
    yield `${isFirst ? '' : ',\n'}${JSON.stringify(record)}`;
    isFirst = false;
  }
  yield '\n]}\n';
}

function* recordsOf(
  events: readonly TraceEvent[],
  startUs: number,
  errorUs: number,
): Generator<JsonRecord> {
  const tracks = new Tracks(events, startUs);
  yield* metadata(tracks);
  yield* slices(tracks);
  yield* edges(events, tracks);
  yield* flows(events, tracks, errorUs);
  yield* counters(events, tracks);
  yield* instants(events, tracks);
  yield* transactions(events, tracks);
}

function* metadata(tracks: Tracks): Generator<JsonRecord> {
  const named = new Set<number>();
  for (const { pid, tid, actor } of tracks.all) {
    if (!named.has(pid)) {
      const args = { name: `node-${pid}` };
      yield { ph: 'M', name: 'process_name', pid, args };
      named.add(pid);
    }
    yield { ph: 'M', name: 'thread_name', pid, tid, args: { name: actor } };
    yield { ph: 'M', name: 'thread_sort_index', pid, tid, args: { sort_index: tid } };
  }
}

function* slices(tracks: Tracks): Generator<JsonRecord> {
  for (const { pid, tid, slices: own } of tracks.all) {
    for (const { ts, end, name, args } of own) {
      yield { ph: 'X', name, cat: 'actor', pid, tid, ts: us(ts), dur: us(end - ts), args };
    }
  }
}

/**
 * Sampled messages between mailboxes of a node. Only those of which both ends are in the dump: half
 * a flow is an error to the importer.
 */
function* edges(events: readonly TraceEvent[], tracks: Tracks): Generator<JsonRecord> {
  const open = new Map<string, Extract<TraceEvent, { kind: 'send' }>>();
  for (const event of events) {
    if (event.kind === 'send') open.set(edgeId(event.node, event.serial), event);
    if (event.kind !== 'recv') continue;
    const id = edgeId(event.node, event.serial);
    const sent = open.get(id);
    if (sent === undefined) continue;
    open.delete(id);
    // A flow leads from one track to another.
    if (sent.from === event.to) continue;
    const from = tracks.of(sent.node, sent.from);
    const to = tracks.of(event.node, event.to);
    yield* flow(id, 'message', [from, tracks.ns(sent.t)], [to, tracks.ns(event.t)]);
  }
}

/** Messages that concern transactions, also between nodes. */
function* flows(
  events: readonly TraceEvent[],
  tracks: Tracks,
  errorUs: number,
): Generator<JsonRecord> {
  let count = 0;
  for (const [received, sent] of pairMessages(events, errorUs)) {
    count += 1;
    const id = `0x${((1n << 63n) | BigInt(count)).toString(16)}`;
    const from = tracks.of(sent.node, sent.actor);
    const to = tracks.of(received.node, received.actor);
    yield* flow(id, received.msg, [from, tracks.ns(sent.t)], [to, tracks.ns(received.t)]);
  }
}

function* flow(
  id: string,
  name: string,
  [from, sentNs]: readonly [Track, number],
  [to, receivedNs]: readonly [Track, number],
): Generator<JsonRecord> {
  const same = { name, cat: 'message', id };
  yield { ph: 's', ...same, pid: from.pid, tid: from.tid, ts: us(sentNs) };
  yield { ph: 'f', bp: 'e', ...same, pid: to.pid, tid: to.tid, ts: us(receivedNs) };
}

function* counters(events: readonly TraceEvent[], tracks: Tracks): Generator<JsonRecord> {
  const depths = new Map<string, number>();
  for (const event of events) {
    if (event.kind !== 'turn') continue;
    const { node, actor, depth } = event;
    const key = `${node} ${actor}`;
    if ((depths.get(key) ?? 0) === depth) continue;
    depths.set(key, depth);
    const ts = us(tracks.ns(event.t + event.durUs));
    yield { ph: 'C', name: `mailbox ${actor}`, pid: node, ts, args: { depth } };
  }
}

function* instants(events: readonly TraceEvent[], tracks: Tracks): Generator<JsonRecord> {
  for (const event of events) {
    if (event.kind !== 'crash' && event.kind !== 'restart' && event.kind !== 'dead-letter') {
      continue;
    }
    const { pid, tid } = tracks.of(event.node, event.actor);
    const isLetter = event.kind === 'dead-letter';
    const args = isLetter ? { msg: event.msg, reason: event.reason } : { text: event.text };
    const ts = us(tracks.ns(event.t));
    yield { ph: 'i', s: 't', name: event.kind, cat: 'actor', pid, tid, ts, args };
  }
}

type OfTransaction = (TxnEvent | StepEvent | EndEvent) & { readonly txn: string };

/** One async track per transaction: from its first step to its last, whichever nodes took them. */
function* transactions(events: readonly TraceEvent[], tracks: Tracks): Generator<JsonRecord> {
  const byTxn = new Map<string, OfTransaction[]>();
  for (const event of events) {
    if (event.kind !== 'txn' && event.kind !== 'step' && event.kind !== 'in') continue;
    if (event.txn === undefined) continue;
    const steps = byTxn.get(event.txn);
    if (steps === undefined) byTxn.set(event.txn, [event as OfTransaction]);
    else steps.push(event as OfTransaction);
  }
  for (const [txn, steps] of byTxn) {
    const times = steps.map(({ t }) => tracks.ns(t));
    const first = Math.min(...times);
    const last = Math.max(first + SLICE_NS_MIN, ...times);
    const same = { cat: 'txn', id: hexOfText(txn), pid: steps[0]?.node ?? 0, tid: 1 };
    // Steps of a whole range, such as a round of durability, go by its name.
    const name = `${txn.includes('/') ? 'txn' : 'range'} ${txn}`;
    yield { ph: 'b', name, ...same, ts: us(first), args: { txn } };
    for (const event of steps) {
      const { node, actor, t } = event;
      const step = 'msg' in event ? event.msg : event.step;
      const args = { node, actor, ...('on' in event ? { on: event.on } : {}) };
      yield { ph: 'n', name: step, ...same, ts: us(tracks.ns(t)), args };
    }
    yield { ph: 'e', name, ...same, ts: us(last) };
  }
}

/** Perfetto reads string ids as hexadecimal 64-bit numbers. */
function edgeId(node: number, serial: number): string {
  return `0x${((BigInt(node) << 48n) | BigInt(serial)).toString(16)}`;
}

/** FNV-1a, 64 bits: transaction ids are text, Perfetto's ids are numbers. */
function hexOfText(text: string): string {
  let hash = 0xcbf29ce484222325n;
  for (let at = 0; at < text.length; at += 1) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(at))) * 0x100000001b3n);
  }
  return `0x${hash.toString(16)}`;
}

/** The unit of the format is the microsecond; three digits after the point are nanoseconds. */
function us(ns: number): number {
  return ns / 1_000;
}
