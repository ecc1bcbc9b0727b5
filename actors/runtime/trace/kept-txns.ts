/**
 * The transactions that are remembered longer than the ring lasts: the slow, the recovered, and a
 * sample. Their coordinator asks for them, here and at its peers; a moment later their events
 * are copied out of the ring. Bounded: of a flood of slow ones the first are kept, and the others
 * counted.
 */
import type { TraceEvent } from '../../../transport/trace/trace-event.ts';
import { hasSlot, type Participants } from '../../accord/primitives/participants.ts';
import type { TxnId } from '../../accord/primitives/timestamp.ts';
import { type EventFrame, TxnRing } from './txn-ring.ts';

/** Events of kept transactions: 48 bytes each, some 2,000 transactions. */
const KEPT_EVENTS_MAX = 65_536;
/** Transactions that wait to be copied; there is a copy every `KEEP_EVERY_MS`. */
const WANTED_MAX = 64;
export const KEEP_EVERY_MS = 500;
/** The ring is searched back to this long before the transaction began. */
const SLACK_MS = 50;
/** And for so many events at most: about two milliseconds of work. */
const SEARCHED_MAX = 131_072;
const SLOW_MAX = 1_024;
/** One of so many is kept as a sample. */
const SAMPLE_EVERY = 4_096;

/** A transaction to keep. The same at all nodes. */
interface Wanted {
  readonly id: TxnId;
  readonly tookMs: number;
}

/** A line of `holoctl trace tail`. */
export interface SlowTransaction {
  /** Ascends on one node. */
  readonly number: number;
  readonly txn: string;
  readonly atUs: number;
  readonly tookMs: number;
  readonly commands: number;
  readonly why: 'slow' | 'recovered' | 'sampled';
}

export class KeptTxns {
  /** Requests beyond the bounds. */
  passedOver = 0;
  readonly #ring: TxnRing;
  readonly #kept: TxnRing;
  /** Of the events in `kept`: their places in the ring. */
  readonly #serials: Float64Array;
  readonly #slow: { readonly told: SlowTransaction; readonly footprint: Participants }[] = [];
  #numbers = 0;
  #wanted: Wanted[] = [];
  /** Those that peers have not been told of yet, by peer. */
  readonly #toTell = new Map<number, Wanted[]>();

  constructor(ring: TxnRing) {
    this.#ring = ring;
    this.#kept = new TxnRing(ring.isOn ? KEPT_EVENTS_MAX : 0);
    this.#serials = new Float64Array(this.#kept.eventsMax);
  }

  static isSample(id: TxnId): boolean {
    return id.hlc % SAMPLE_EVERY === 0;
  }

  /** A transaction of this node's has ended, and its events are worth keeping. */
  ended(wanted: Wanted, footprint: Participants, slow: Omit<SlowTransaction, 'number'>): void {
    this.#numbers += 1;
    this.#slow.push({ told: { number: this.#numbers, ...slow }, footprint });
    if (this.#slow.length > SLOW_MAX) this.#slow.shift();
    this.want(wanted);
    // Also where nothing is recorded here: the peers decide for themselves.
    for (const told of this.#toTell.values()) if (told.length < WANTED_MAX) told.push(wanted);
  }

  /** `false`: as many are wanted already as may be. */
  want(wanted: Wanted): boolean {
    if (!this.#ring.isOn) return false;
    if (this.#wanted.length >= WANTED_MAX) {
      this.passedOver += 1;
      return false;
    }
    this.#wanted.push(wanted);
    return true;
  }

  /** Whatever is to be told to that peer since the last call. */
  takeFor(peer: number): readonly Wanted[] {
    const told = this.#toTell.get(peer) ?? [];
    this.#toTell.set(peer, []);
    return told;
  }

  /** Those with a higher number. */
  slowAfter(number: number): readonly SlowTransaction[] {
    return this.#slow.map(({ told }) => told).filter((each) => each.number > number);
  }

  /** Those on a conflict slot, and those on more keys than are kept of one. */
  slowOn(slot: number): readonly SlowTransaction[] {
    return this.#slow.flatMap(({ told, footprint }) => (hasSlot(footprint, slot) ? told : []));
  }

  /** Copies what has been wanted since the last call. */
  collect(nowMs: number): void {
    const wanted = this.#wanted;
    if (wanted.length === 0) return;
    this.#wanted = [];
    const ids = new Map(wanted.map(({ id }) => [id.hlc, id]));
    const tookMs = wanted.reduce((most, each) => Math.max(most, each.tookMs), 0);
    const sinceMs = nowMs - tookMs - KEEP_EVERY_MS - SLACK_MS;
    const ring = this.#ring;
    const first = Math.max(ring.oldest, ring.written - SEARCHED_MAX);
    const found: number[] = [];
    for (let serial = ring.written - 1; serial >= first; serial -= 1) {
      if (ring.timeOf(serial) < sinceMs) break;
      if (ring.isNodes(serial) || ids.has(ring.hlcOf(serial))) found.push(serial);
    }
    for (const serial of worthKeeping(ring, found.reverse(), ids)) this.#copy(serial);
  }

  #copy(serial: number): void {
    const kept = this.#kept;
    this.#serials[kept.written % kept.eventsMax] = serial;
    kept.copy(this.#ring, serial);
  }

  /** Those that the ring no longer holds; `undefined` for each other one, so that pauses fit in. */
  *dump(frame: EventFrame, oldest: number): Generator<TraceEvent | undefined> {
    const kept = this.#kept;
    const seen = new Set<number>();
    for (let at = kept.oldest; at < kept.written; at += 1) {
      const seq = this.#serials[at % kept.eventsMax] as number;
      const event = seq < oldest && !seen.has(seq) ? kept.eventAt(at, frame) : undefined;
      seen.add(seq);
      yield event !== undefined && 'seq' in event ? { ...event, seq } : undefined;
    }
  }
}

/** Events of the transactions, their second halves, and the log's turns around them. */
function worthKeeping(
  ring: TxnRing,
  found: readonly number[],
  ids: ReadonlyMap<number, TxnId>,
): number[] {
  const kept: number[] = [];
  let logTurns = 0;
  for (const serial of found) {
    if (ring.isNodes(serial)) {
      // The next turn of the log, and the answer to it, may be what a reply waited for.
      if (logTurns > 0) kept.push(serial);
      logTurns -= 1;
      continue;
    }
    if (!ids.has(ring.hlcOf(serial))) continue;
    kept.push(serial);
    if (ring.isPair(serial)) kept.push(serial + 1);
    logTurns = LOG_TURNS_KEPT;
  }
  return kept;
}

const LOG_TURNS_KEPT = 12;
