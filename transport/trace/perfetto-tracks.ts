/**
 * The tracks of a Perfetto file, one per actor, and the slices on them: turns, and within them the
 * messages that were handled. Every message end lies in a slice, since flows bind to slices.
 */
import { OUTSIDE, type TraceEvent } from './trace-event.ts';

/** A slice needs a duration for flows to bind to it; virtual time has none within a turn. */
export const SLICE_NS_MIN = 1;
/** Width of a slice that nothing else bounds. */
const LONE_NS = 1_000;

/** Times are whole nanoseconds since the first event: sums of them do not round. */
interface Slice {
  readonly ts: number;
  end: number;
  readonly name: string;
  readonly args: Record<string, unknown>;
  /** It lasts until something else happens at its actor. */
  readonly isOpen?: boolean;
}

export interface Track {
  readonly pid: number;
  readonly actor: string;
  tid: number;
  readonly slices: Slice[];
  /** Times of messages sent. */
  readonly sends: number[];
}

export class Tracks {
  readonly all: Track[] = [];
  readonly #byKey = new Map<string, Track>();
  readonly #startUs: number;

  constructor(events: readonly TraceEvent[], startUs: number) {
    this.#startUs = startUs;
    for (const event of events) this.#add(event);
    for (const track of this.all) finish(track);
    this.#number();
  }

  of(pid: number, actor: string): Track {
    const key = `${pid} ${actor}`;
    let track = this.#byKey.get(key);
    if (track === undefined) {
      track = { pid, actor, tid: 0, slices: [], sends: [] };
      this.#byKey.set(key, track);
      this.all.push(track);
    }
    return track;
  }

  ns(t: number): number {
    return Math.round((t - this.#startUs) * 1_000);
  }

  #add(event: TraceEvent): void {
    const ts = this.ns(event.t);
    const { node } = event;
    switch (event.kind) {
      case 'turn': {
        const end = ts + lasting(event.durUs);
        const args = { messages: event.messages, depth: event.depth };
        this.of(node, event.actor).slices.push({ ts, end, name: 'turn', args });
        return;
      }
      case 'recv': {
        const { from, serial, depth, msg: name, durUs } = event;
        const args = { from, serial, depth, ...txnOf(event) };
        this.of(node, event.to).slices.push({ ts, end: ts + lasting(durUs), name, args });
        this.of(node, from);
        return;
      }
      case 'in': {
        const args = { from: event.peer, value: event.value, ...txnOf(event) };
        const name = event.msg;
        const slice = { ts, end: ts + LONE_NS, name, args, isOpen: true };
        this.of(node, event.actor).slices.push(slice);
        return;
      }
      case 'send':
        this.of(node, event.from).sends.push(ts);
        this.of(node, event.to);
        return;
      case 'out':
        this.of(node, event.actor).sends.push(ts);
        return;
      case 'step': {
        if (event.step !== 'synced') this.of(node, event.actor);
        else this.#addSync(node, event.actor, ts, event.value);
        return;
      }
      default:
        this.of(node, event.actor);
    }
  }

  /** Writes of the log overlap the turns of its actor; there is one at a time. */
  #addSync(node: number, actor: string, end: number, tookMs: number): void {
    const ts = Math.max(0, end - Math.round(tookMs * 1e6));
    const slice = { ts, end: Math.max(end, ts + SLICE_NS_MIN), name: 'write and sync', args: {} };
    this.of(node, `${actor} disk`).slices.push(slice);
  }

  /** Threads in the order of the tree, which is the order of paths. */
  #number(): void {
    const rank = ({ actor }: Track): string => (actor === OUTSIDE ? '' : actor);
    this.all.sort((a, b) => a.pid - b.pid || (rank(a) < rank(b) ? -1 : 1));
    let last: Track | undefined;
    for (const track of this.all) {
      track.tid = last?.pid === track.pid ? last.tid + 1 : 1;
      last = track;
    }
  }
}

function lasting(durUs: number): number {
  return Math.max(SLICE_NS_MIN, Math.round(durUs * 1_000));
}

function txnOf({ txn }: { readonly txn?: string }): { readonly txn?: string } {
  return txn === undefined ? {} : { txn };
}

/** Bounds what is open, makes slices nest, and puts one around each send that lies in none. */
function finish(track: Track): void {
  const { slices, sends } = track;
  slices.sort(byStart);
  const open = slices.filter(({ isOpen }) => isOpen === true);
  for (const [index, slice] of open.entries()) {
    const next = open[index + 1]?.ts ?? Infinity;
    slice.end = Math.max(slice.ts + SLICE_NS_MIN, Math.min(slice.end, next));
  }
  nest(slices);
  addLoneSends(slices, sends);
}

function byStart(a: Slice, b: Slice): number {
  return a.ts - b.ts || b.end - a.end;
}

/** An inner slice never outlives the one around it: rounding must not make slices cross. */
function nest(slices: Slice[]): void {
  slices.sort(byStart);
  const around: Slice[] = [];
  for (const slice of slices) {
    while ((around.at(-1)?.end ?? Infinity) <= slice.ts) around.pop();
    slice.end = Math.min(slice.end, around.at(-1)?.end ?? Infinity);
    around.push(slice);
  }
}

function addLoneSends(slices: Slice[], sends: readonly number[]): void {
  const made: Slice[] = [];
  let next = 0;
  let coveredTo = -Infinity;
  for (const ts of sends.toSorted((a, b) => a - b)) {
    for (; (slices[next]?.ts ?? Infinity) <= ts; next += 1) {
      coveredTo = Math.max(coveredTo, (slices[next] as Slice).end);
    }
    if (ts <= coveredTo || ts <= (made.at(-1)?.end ?? -Infinity)) continue;
    const end = Math.min(ts + LONE_NS, slices[next]?.ts ?? Infinity);
    made.push({ ts, end, name: 'send', args: {} });
  }
  slices.push(...made);
  slices.sort(byStart);
}
