/**
 * Trace events as Chrome Trace Event JSON for ui.perfetto.dev: nodes are processes, actors are
 * threads, turns are slices, messages are flows, transactions are async tracks. A pure function
 * for `holoctl`, the console and dumps; it stays inside the phases B E X I C M b n e s t f and
 * keeps the rules of Perfetto's importer (json_trace_parser.cc, flow_tracker.cc).
 */
import { OUTSIDE, type TraceEvent, type TxnEvent } from './trace-event.ts';

/** A slice needs a duration for flows to bind to it; virtual time has none within a turn. */
const SLICE_NS_MIN = 1;
/** Width of the slice made up for a send outside of all turns, where nothing follows it. */
const LONE_SEND_NS = 1_000;

/** Times are whole nanoseconds since the first event: sums of them do not round. */
interface Slice {
  readonly ts: number;
  end: number;
  readonly name: string;
  readonly args: Record<string, unknown>;
}

interface Track {
  readonly pid: number;
  readonly actor: string;
  tid: number;
  readonly slices: Slice[];
}

type JsonRecord = Record<string, unknown>;

/** Times are relative to the first event, whose wall time is in `otherData.startUs`. */
export function toPerfetto(events: readonly TraceEvent[]): string {
  const startUs = Math.floor(events.reduce((least, { t }) => Math.min(least, t), Infinity));
  const tracks = new Tracks(startUs);
  for (const event of events) tracks.add(event);
  tracks.number();
  const sends = tracks.enclosedSends(events);
  const records = [
    ...metadata(tracks),
    ...slices(tracks),
    ...flows(events, tracks, sends, startUs),
    ...counters(events, startUs),
    ...instants(events, tracks, startUs),
    ...transactions(events, startUs),
  ];
  const lines = records.map((record) => JSON.stringify(record)).join(',\n');
  const other = JSON.stringify({ startUs: Number.isFinite(startUs) ? startUs : 0 });
  return `{"displayTimeUnit":"ns","otherData":${other},"traceEvents":[\n${lines}\n]}\n`;
}

class Tracks {
  readonly all: Track[] = [];
  readonly #byKey = new Map<string, Track>();
  readonly #startUs: number;

  constructor(startUs: number) {
    this.#startUs = startUs;
  }

  of(pid: number, actor: string): Track {
    const key = `${pid} ${actor}`;
    let track = this.#byKey.get(key);
    if (track === undefined) {
      track = { pid, actor, tid: 0, slices: [] };
      this.#byKey.set(key, track);
      this.all.push(track);
    }
    return track;
  }

  add(event: TraceEvent): void {
    const ts = nsBetween(this.#startUs, event.t);
    const { node } = event;
    if (event.kind === 'turn') {
      const end = ts + Math.max(SLICE_NS_MIN, Math.round(event.durUs * 1_000));
      const args = { messages: event.messages, depth: event.depth };
      this.of(node, event.actor).slices.push({ ts, end, name: 'turn', args });
    } else if (event.kind === 'recv') {
      const end = ts + Math.max(SLICE_NS_MIN, Math.round(event.durUs * 1_000));
      const { from, serial, depth } = event;
      const args = { from, serial, depth, ...(event.txn === undefined ? {} : { txn: event.txn }) };
      this.of(node, event.to).slices.push({ ts, end, name: event.msg, args });
      this.of(node, event.from);
    } else if (event.kind === 'send') {
      this.of(node, event.from);
      this.of(node, event.to);
    } else {
      this.of(node, event.actor);
    }
  }

  /** Threads in the order of the tree, which is the order of paths; and slices that nest. */
  number(): void {
    const rank = ({ actor }: Track): string => (actor === OUTSIDE ? '' : actor);
    this.all.sort((a, b) => a.pid - b.pid || (rank(a) < rank(b) ? -1 : 1));
    let last: Track | undefined;
    for (const track of this.all) {
      track.tid = last?.pid === track.pid ? last.tid + 1 : 1;
      last = track;
      nest(track.slices);
    }
  }

  /** The slice that each send lies in; where there is none (a socket callback) one is made. */
  enclosedSends(events: readonly TraceEvent[]): Map<TraceEvent, Track> {
    const found = new Map<TraceEvent, Track>();
    const lonely = new Map<Track, number[]>();
    for (const event of events) {
      if (event.kind !== 'send') continue;
      const track = this.of(event.node, event.from);
      const ts = nsBetween(this.#startUs, event.t);
      if (!track.slices.some((slice) => slice.ts <= ts && ts <= slice.end)) {
        lonely.set(track, [...(lonely.get(track) ?? []), ts]);
      }
      found.set(event, track);
    }
    for (const [track, times] of lonely) addLoneSends(track.slices, times);
    return found;
  }
}

/** An inner slice never outlives the one around it: rounding must not make slices cross. */
function nest(slices: Slice[]): void {
  slices.sort((a, b) => a.ts - b.ts || b.end - a.end);
  const around: Slice[] = [];
  for (const slice of slices) {
    while ((around.at(-1)?.end ?? Infinity) <= slice.ts) around.pop();
    slice.end = Math.min(slice.end, around.at(-1)?.end ?? Infinity);
    around.push(slice);
  }
}

function addLoneSends(slices: Slice[], times: readonly number[]): void {
  const made: Slice[] = [];
  for (const ts of times.toSorted((a, b) => a - b)) {
    if (ts <= (made.at(-1)?.end ?? -Infinity)) continue;
    const next = slices.find((slice) => slice.ts > ts);
    const end = Math.min(ts + LONE_SEND_NS, next?.ts ?? Infinity);
    made.push({ ts, end, name: 'send', args: {} });
  }
  slices.push(...made);
  slices.sort((a, b) => a.ts - b.ts || b.end - a.end);
}

function metadata(tracks: Tracks): JsonRecord[] {
  const records: JsonRecord[] = [];
  const named = new Set<number>();
  for (const { pid, tid, actor } of tracks.all) {
    if (!named.has(pid)) {
      const args = { name: `node-${pid}` };
      records.push({ ph: 'M', name: 'process_name', pid, args });
      named.add(pid);
    }
    records.push({ ph: 'M', name: 'thread_name', pid, tid, args: { name: actor } });
    records.push({ ph: 'M', name: 'thread_sort_index', pid, tid, args: { sort_index: tid } });
  }
  return records;
}

function slices(tracks: Tracks): JsonRecord[] {
  return tracks.all.flatMap(({ pid, tid, slices: own }) =>
    own.map(({ ts, end, name, args }) => {
      return { ph: 'X', name, cat: 'actor', pid, tid, ts: us(ts), dur: us(end - ts), args };
    }),
  );
}

/** Only messages of which both ends are in the dump: half a flow is an error to the importer. */
function flows(
  events: readonly TraceEvent[],
  tracks: Tracks,
  sends: Map<TraceEvent, Track>,
  startUs: number,
): JsonRecord[] {
  const open = new Map<string, TraceEvent>();
  const records: JsonRecord[] = [];
  for (const event of events) {
    if (event.kind === 'send') open.set(flowId(event.node, event.serial), event);
    if (event.kind !== 'recv') continue;
    const id = flowId(event.node, event.serial);
    const send = open.get(id);
    const from = send === undefined ? undefined : sends.get(send);
    if (send === undefined || from === undefined) continue;
    open.delete(id);
    const to = tracks.of(event.node, event.to);
    const same = { name: 'message', cat: 'message', id };
    const sentAt = us(nsBetween(startUs, send.t));
    records.push({ ph: 's', ...same, pid: from.pid, tid: from.tid, ts: sentAt });
    const receivedAt = us(nsBetween(startUs, event.t));
    records.push({ ph: 'f', bp: 'e', ...same, pid: to.pid, tid: to.tid, ts: receivedAt });
  }
  return records;
}

function counters(events: readonly TraceEvent[], startUs: number): JsonRecord[] {
  const records: JsonRecord[] = [];
  const depths = new Map<string, number>();
  for (const event of events) {
    if (event.kind !== 'turn') continue;
    const { node, actor, depth } = event;
    const key = `${node} ${actor}`;
    if ((depths.get(key) ?? 0) === depth) continue;
    depths.set(key, depth);
    const ts = us(nsBetween(startUs, event.t + event.durUs));
    records.push({ ph: 'C', name: `mailbox ${actor}`, pid: node, ts, args: { depth } });
  }
  return records;
}

function instants(events: readonly TraceEvent[], tracks: Tracks, startUs: number): JsonRecord[] {
  const records: JsonRecord[] = [];
  for (const event of events) {
    if (event.kind !== 'crash' && event.kind !== 'restart' && event.kind !== 'dead-letter') {
      continue;
    }
    const { pid, tid } = tracks.of(event.node, event.actor);
    const isLetter = event.kind === 'dead-letter';
    const args = isLetter ? { msg: event.msg, reason: event.reason } : { text: event.text };
    const ts = us(nsBetween(startUs, event.t));
    records.push({ ph: 'i', s: 't', name: event.kind, cat: 'actor', pid, tid, ts, args });
  }
  return records;
}

/** One async track per transaction: from its first step to its last, whichever nodes took them. */
function transactions(events: readonly TraceEvent[], startUs: number): JsonRecord[] {
  const byTxn = new Map<string, TxnEvent[]>();
  for (const event of events) {
    if (event.kind !== 'txn') continue;
    const steps = byTxn.get(event.txn);
    if (steps === undefined) byTxn.set(event.txn, [event]);
    else steps.push(event);
  }
  const records: JsonRecord[] = [];
  for (const [txn, steps] of byTxn) {
    const times = steps.map(({ t }) => nsBetween(startUs, t));
    const first = Math.min(...times);
    const last = Math.max(first + SLICE_NS_MIN, ...times);
    const same = { cat: 'txn', id: hexOfText(txn), pid: steps[0]?.node ?? 0, tid: 1 };
    records.push({ ph: 'b', name: `txn ${txn}`, ...same, ts: us(first), args: { txn } });
    for (const { step, node, actor, t } of steps) {
      records.push({
        ph: 'n',
        name: step,
        ...same,
        ts: us(nsBetween(startUs, t)),
        args: { node, actor },
      });
    }
    records.push({ ph: 'e', name: `txn ${txn}`, ...same, ts: us(last) });
  }
  return records;
}

/** Perfetto reads string ids as hexadecimal 64-bit numbers. */
function flowId(node: number, serial: number): string {
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

function nsBetween(startUs: number, t: number): number {
  return Math.round((t - startUs) * 1_000);
}

/** The unit of the format is the microsecond; three digits after the point are nanoseconds. */
function us(ns: number): number {
  return ns / 1_000;
}
