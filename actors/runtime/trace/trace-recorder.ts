/**
 * The flight recorder of one node: a preallocated ring of the last facts, always on. Cells write
 * every turn, crash, restart and dead letter; message edges only for sampled messages. A sampled
 * message passes the sampling on to what its handler sends (like Erlang's seq_trace token), so a
 * dump shows whole chains of cause and effect. Recording allocates nothing and reads no clock but
 * for sampled messages.
 */

import { OUTSIDE, type TraceEvent } from '../../../transport/trace/trace-event.ts';
import { messageName } from '../message-name.ts';
import type { Clock } from '../ports/ports.ts';
import { KeptTxns } from './kept-txns.ts';
import { type EventFrame, TxnRing } from './txn-ring.ts';

const TRACE_EVENTS_MAX = 16_384;
/** Distinct actors a recorder can name; the ones after that are recorded as outside. */
const TRACE_ACTORS_MAX = 65_536;
/** How many hops a sampled message's chain is followed; bounds chains that never end. */
export const TRACE_HOPS_MAX = 16;
const TRACE_SAMPLE_EVERY = 256;
/** A transaction that takes so long is slow, and remembered. */
export const TRACE_SLOW_MS = 10;

/** The log's turns in this time around the begin of a transaction may concern it. */
const BEFORE_TXN_US = 1_000_000;
const AFTER_TXN_US = 10_000_000;

const TURN = 0;
const SEND = 1;
const RECEIVE = 2;
const CRASH = 3;
const RESTART = 4;
const DEAD_LETTER = 5;
const TXN = 6;

export interface TraceRecorderOptions {
  readonly clock: Clock;
  readonly node: number;
  readonly eventsMax?: number;
  /** Every how many unsampled messages a new chain begins; 0 records no edges. */
  readonly sampleEvery?: number;
  /** Finds the transaction that a sampled message belongs to. */
  readonly txnOf?: (message: unknown) => string | undefined;
  /** Events of transactions; none by default. */
  readonly txnEventsMax?: number;
  readonly slowMs?: number;
}

/** A sampled message on its way: which one of its mailbox it is, and what the sender noted. */
export interface SampledEdge {
  readonly ordinal: number;
  readonly serial: number;
  readonly from: number;
  readonly hops: number;
}

export class TraceRecorder implements EventFrame {
  /** The actor whose turn it is; 0 outside of turns. Written by cells. */
  current = 0;
  /** Hops that the chain at hand may still go; 0: not sampled. Written by cells. */
  hops = 0;
  /** The events of transactions; shells write them. */
  readonly txns: TxnRing;
  readonly kept: KeptTxns;
  readonly slowMs: number;
  readonly #clock: Clock;
  readonly #node: number;
  readonly #eventsMax: number;
  readonly #sampleEvery: number;
  readonly #txnOf: (message: unknown) => string | undefined;
  readonly #paths: string[] = [OUTSIDE];
  readonly #ids = new Map<string, number>();
  #countdown: number;
  #serial = 0;
  #written = 0;

  readonly #kind: Uint8Array;
  readonly #actor: Uint32Array;
  readonly #peer: Uint32Array;
  readonly #count: Uint32Array;
  readonly #depth: Uint32Array;
  readonly #serials: Float64Array;
  readonly #atMs: Float64Array;
  readonly #durMs: Float64Array;
  readonly #text: (string | undefined)[];
  readonly #more: (string | undefined)[];

  constructor(options: TraceRecorderOptions) {
    const max = options.eventsMax ?? TRACE_EVENTS_MAX;
    if (!Number.isInteger(max) || max < 1) throw new RangeError(`trace ring of ${max} events`);
    this.#clock = options.clock;
    this.#node = options.node;
    this.#eventsMax = max;
    this.#sampleEvery = options.sampleEvery ?? TRACE_SAMPLE_EVERY;
    this.#countdown = this.#sampleEvery;
    this.#txnOf = options.txnOf ?? noTxn;
    this.txns = new TxnRing(options.txnEventsMax ?? 0);
    this.kept = new KeptTxns(this.txns);
    this.slowMs = options.slowMs ?? TRACE_SLOW_MS;
    this.#kind = new Uint8Array(max);
    this.#actor = new Uint32Array(max);
    this.#peer = new Uint32Array(max);
    this.#count = new Uint32Array(max);
    this.#depth = new Uint32Array(max);
    this.#serials = new Float64Array(max);
    this.#atMs = new Float64Array(max);
    this.#durMs = new Float64Array(max);
    this.#text = new Array<string | undefined>(max).fill(undefined);
    this.#more = new Array<string | undefined>(max).fill(undefined);
  }

  /** Facts recorded since the start; the ring holds the last of them. */
  get written(): number {
    return this.#written;
  }

  /** The number of an actor in the ring. The same path always gets the same number. */
  register(path: string): number {
    const known = this.#ids.get(path);
    if (known !== undefined) return known;
    if (this.#paths.length >= TRACE_ACTORS_MAX) return 0;
    this.#paths.push(path);
    this.#ids.set(path, this.#paths.length - 1);
    return this.#paths.length - 1;
  }

  /** The number of a registered actor, or 0. */
  idOf(path: string): number {
    return this.#ids.get(path) ?? 0;
  }

  /** Whether the message being sent is to be recorded. Called for every message. */
  samples(): boolean {
    if (this.hops > 0) return true;
    this.#countdown -= 1;
    return this.#countdown === 0;
  }

  /** Records a send for which `samples` said yes. */
  send(to: number, ordinal: number, message: unknown): SampledEdge {
    const isNewChain = this.hops === 0;
    if (isNewChain) this.#countdown = this.#sampleEvery;
    this.#serial += 1;
    const hops = isNewChain ? TRACE_HOPS_MAX : this.hops - 1;
    const edge = { ordinal, serial: this.#serial, from: this.current, hops };
    const at = this.#next(SEND, this.current, this.#clock.monotonicMs());
    this.#peer[at] = to;
    this.#serials[at] = edge.serial;
    this.#text[at] = messageName(message);
    this.#more[at] = this.#txnOf(message);
    return edge;
  }

  /**
   * Records that a sampled message is about to be handled: before its consequences, so that the
   * ring is in causal order. Returns the mark for `handled`.
   */
  receive(to: number, edge: SampledEdge, depth: number, message: unknown): number {
    const mark = this.#written;
    const at = this.#next(RECEIVE, to, this.#clock.monotonicMs());
    this.#peer[at] = edge.from;
    this.#serials[at] = edge.serial;
    this.#durMs[at] = 0;
    this.#depth[at] = depth;
    this.#text[at] = messageName(message);
    this.#more[at] = this.#txnOf(message);
    return mark;
  }

  /** The message of that mark has been handled. */
  handled(mark: number): void {
    if (this.#written - mark > this.#eventsMax) return;
    const at = mark % this.#eventsMax;
    this.#durMs[at] = this.#clock.monotonicMs() - (this.#atMs[at] ?? 0);
  }

  turn(actor: number, startMs: number, durMs: number, messages: number, depth: number): void {
    const at = this.#next(TURN, actor, startMs);
    this.#durMs[at] = durMs;
    this.#count[at] = messages;
    this.#depth[at] = depth;
  }

  crash(actor: number, atMs: number, error: string): void {
    this.#text[this.#next(CRASH, actor, atMs)] = error;
  }

  restart(actor: number, atMs: number, incarnation: number): void {
    this.#count[this.#next(RESTART, actor, atMs)] = incarnation;
  }

  deadLetter(actor: number, atMs: number, message: string, reason: string): void {
    const at = this.#next(DEAD_LETTER, actor, atMs);
    this.#text[at] = message;
    this.#more[at] = reason;
  }

  txn(actor: number, atMs: number, txn: string, step: string): void {
    const at = this.#next(TXN, actor, atMs);
    this.#text[at] = step;
    this.#more[at] = txn;
  }

  /** Messages of the sample that an actor has received: the newest first, so many. */
  received(path: string, count: number): TraceEvent[] {
    const actor = this.idOf(path);
    const offsetUs = this.#clock.wallUs() - this.#clock.monotonicMs() * 1_000;
    const found: TraceEvent[] = [];
    const oldest = Math.max(0, this.#written - this.#eventsMax);
    for (let next = this.#written - 1; next >= oldest && found.length < count; next -= 1) {
      const at = next % this.#eventsMax;
      if (this.#kind[at] !== RECEIVE || this.#actor[at] !== actor) continue;
      found.push(this.#eventAt(at, offsetUs));
    }
    return found;
  }

  /** The events in both rings, in the order of time. */
  events(): TraceEvent[] {
    const events: TraceEvent[] = [];
    for (const event of this.dump()) if (typeof event === 'object') events.push(event);
    return events.sort((left, right) => left.t - right.t);
  }

  /**
   * The events in both rings one by one, each ring in its order. During a dump more are recorded,
   * and the oldest overwritten (`lost`). `undefined`: none here. `txn`: only those of this
   * transaction and of the log. `last`: so many of each ring.
   */
  *dump(txn?: string, last = Infinity): Generator<TraceEvent | 'lost' | undefined> {
    const { txns } = this;
    const { written } = txns;
    const oldest = Math.max(txns.oldest, written - last);
    const hlc = txn === undefined ? undefined : hlcIn(txn);
    for (const event of this.kept.dump(this, oldest)) yield isOf(event, txn) ? event : undefined;
    for (let next = oldest; next < written; next += 1) {
      // To look at all of them takes a tenth of the time that to make records of them would.
      if (hlc !== undefined && !this.#mayConcern(next, hlc)) {
        yield undefined;
        continue;
      }
      const event = txns.eventAt(next, this);
      if (next < txns.oldest) yield 'lost';
      else yield isOf(event, txn) ? event : undefined;
    }
    const end = this.#written;
    const offsetUs = this.#clock.wallUs() - this.#clock.monotonicMs() * 1_000;
    for (let next = Math.max(0, end - Math.min(last, this.#eventsMax)); next < end; next += 1) {
      if (next < this.#written - this.#eventsMax) continue;
      const event = this.#eventAt(next % this.#eventsMax, offsetUs);
      yield isOf(event, txn) ? event : undefined;
    }
  }

  /** An event of that transaction; or of the log, in the time of the transaction. */
  #mayConcern(serial: number, hlc: number): boolean {
    const { txns } = this;
    if (!txns.isNodes(serial)) return txns.hlcOf(serial) === hlc;
    return isInTimeOf(this.timeUs(txns.timeOf(serial)), hlc);
  }

  get node(): number {
    return this.#node;
  }

  /** Wall time of a monotonic one, by the clocks as they are now. */
  timeUs(atMs: number): number {
    const offsetUs = this.#clock.wallUs() - this.#clock.monotonicMs() * 1_000;
    return rounded(offsetUs + atMs * 1_000);
  }

  #next(kind: number, actor: number, atMs: number): number {
    const at = this.#written % this.#eventsMax;
    this.#written += 1;
    this.#kind[at] = kind;
    this.#actor[at] = actor;
    this.#atMs[at] = atMs;
    return at;
  }

  #eventAt(at: number, offsetUs: number): TraceEvent {
    const actor = this.path(this.#actor[at]);
    const peer = this.path(this.#peer[at]);
    const text = this.#text[at] ?? '';
    const more = this.#more[at];
    const durUs = rounded((this.#durMs[at] ?? 0) * 1_000);
    const depth = this.#depth[at] ?? 0;
    const serial = this.#serials[at] ?? 0;
    const fact = { t: rounded(offsetUs + (this.#atMs[at] ?? 0) * 1_000), node: this.#node };
    const txn = more === undefined ? {} : { txn: more };
    switch (this.#kind[at]) {
      case SEND:
        return { kind: 'send', ...fact, serial, from: actor, to: peer, msg: text, ...txn };
      case RECEIVE: {
        const edge = { serial, from: peer, to: actor, msg: text, ...txn };
        return { kind: 'recv', ...fact, ...edge, durUs, depth };
      }
      case CRASH:
        return { kind: 'crash', ...fact, actor, text };
      case RESTART:
        return { kind: 'restart', ...fact, actor, text: String(this.#count[at]) };
      case DEAD_LETTER:
        return { kind: 'dead-letter', ...fact, actor, msg: text, reason: more ?? '' };
      case TXN:
        return { kind: 'txn', ...fact, actor, txn: more ?? '', step: text };
      default:
        return { kind: 'turn', ...fact, actor, durUs, messages: this.#count[at] ?? 0, depth };
    }
  }

  path(id: number | undefined): string {
    return this.#paths[id ?? 0] ?? OUTSIDE;
  }
}

/** Nanoseconds are as fine as the clock is. */
function rounded(us: number): number {
  return Math.round(us * 1_000) / 1_000;
}

/** Of a transaction's name, such as 1.1/1790000000000000.2.1.0. */
function hlcIn(txn: string): number {
  return Number(txn.slice(txn.indexOf('/') + 1).split('.')[0]);
}

/** A transaction's name has the time at which it began: microseconds, by the cluster's time. */
function isInTimeOf(us: number, hlc: number): boolean {
  return us > hlc - BEFORE_TXN_US && us < hlc + AFTER_TXN_US;
}

/** The log's turns concern every transaction of theirs. */
function isOf(event: TraceEvent | undefined, txn: string | undefined): boolean {
  if (txn === undefined || event === undefined) return true;
  if (event.kind === 'in' || event.kind === 'out' || event.kind === 'step') {
    if (event.txn === undefined) return isInTimeOf(event.t, hlcIn(txn));
    return event.txn === txn;
  }
  return 'txn' in event && event.txn === txn;
}

function noTxn(): undefined {
  return undefined;
}
