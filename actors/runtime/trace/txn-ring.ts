/**
 * The last events of all transactions on this node: a preallocated ring of fixed-size events that
 * all shells write, always. Recording is a few stores into typed arrays: it allocates nothing and
 * reads no clock; the time is that of the present turn or message (`atMs`).
 *
 * An event is three doubles (time, hlc of the transaction, value) and four words (code, actor and
 * flags; node of the transaction; peer; group and store).
 */
import type { TraceEvent } from '../../../transport/trace/trace-event.ts';
import type { TxnId } from '../../accord/primitives/timestamp.ts';
import { STEP_CODES, TXN_MESSAGES, TXN_STEPS } from './txn-steps.ts';

/** 40 bytes each. */
export const TXN_EVENTS_MAX = 524_288;
/** Groups that a ring can name; events of others have no group. */
const GROUPS_MAX = 4_096;
const DOUBLES = 3;
const WORDS = 4;
const OUT = 0;
const IN = 64;
const STEP = 128;
/** The transaction that the event before this one is also about. */
const OTHER = 255;

/** The parts of a group's name. */
interface GroupName {
  readonly range: number;
  readonly generation: number;
}

const NO_ID: TxnId = Object.freeze({ hlc: 0, flags: 0, node: 0, store: 0 });

export class TxnRing {
  /** Monotonic time of what is noted now. Written by cells and shells, which read the clock. */
  atMs = 0;
  /** Events since the start; the ring holds the last of them. */
  written = 0;
  readonly eventsMax: number;
  readonly #doubles: Float64Array;
  readonly #words: Uint32Array;
  #groups: GroupName[] = [{ range: 0, generation: 0 }];
  #lastGroup: GroupName | undefined;
  #lastNumber = 0;
  #next = 0;

  /** `eventsMax` 0: nothing is recorded. */
  constructor(eventsMax: number) {
    if (!Number.isInteger(eventsMax) || eventsMax < 0) {
      throw new RangeError(`transaction ring of ${eventsMax}`);
    }
    this.eventsMax = eventsMax;
    this.#doubles = new Float64Array(DOUBLES * eventsMax);
    this.#words = new Uint32Array(WORDS * eventsMax);
  }

  get isOn(): boolean {
    return this.eventsMax > 0;
  }

  /** A message leaves `actor` for another one, here or at node `peer`. */
  out(actor: number, code: number, group: GroupName, id: TxnId, peer: number, value: number): void {
    this.#note(OUT + code, actor, group, id, peer, value);
  }

  /** `actor` receives a message from `peer`. */
  in(actor: number, code: number, group: GroupName, id: TxnId, peer: number, value: number): void {
    this.#note(IN + code, actor, group, id, peer, value);
  }

  step(actor: number, code: number, group: GroupName, id: TxnId, value: number, count = 0): void {
    this.#note(STEP + code, actor, group, id, count, value);
  }

  /** A step that is about another transaction too. */
  stepOn(actor: number, code: number, group: GroupName, id: TxnId, on: TxnId): void {
    this.#note(STEP + code, actor, group, id, 0, 0);
    this.#note(OTHER, actor, group, on, 0, 0);
  }

  /** Something of the node's that concerns no single transaction, such as the log's write. */
  ofNode(actor: number, kind: 'out' | 'in' | 'step', code: number, value: number): void {
    const base = kind === 'out' ? OUT : kind === 'in' ? IN : STEP;
    this.#note(base + code, actor, this.#groups[0] as GroupName, NO_ID, 0, value);
  }

  #note(
    code: number,
    actor: number,
    group: GroupName,
    id: TxnId,
    peer: number,
    value: number,
  ): void {
    if (this.eventsMax === 0) return;
    const at = this.#next;
    const doubles = this.#doubles;
    const words = this.#words;
    const d = DOUBLES * at;
    const w = WORDS * at;
    doubles[d] = this.atMs;
    doubles[d + 1] = id.hlc;
    doubles[d + 2] = value;
    words[w] = code | (actor << 8) | (id.flags << 24);
    words[w + 1] = id.node;
    words[w + 2] = peer;
    words[w + 3] = (this.#numberOf(group) << 16) | id.store;
    this.#next = at + 1 === this.eventsMax ? 0 : at + 1;
    this.written += 1;
  }

  #numberOf(group: GroupName): number {
    if (group === this.#lastGroup) return this.#lastNumber;
    const { range, generation } = group;
    const groups = this.#groups;
    let number = groups.findIndex((g) => g.range === range && g.generation === generation);
    if (number < 0) {
      number = groups.length < GROUPS_MAX ? groups.push({ range, generation }) - 1 : 0;
    }
    this.#lastGroup = group;
    this.#lastNumber = number;
    return number;
  }

  /** The serial of the oldest event that is still held. */
  get oldest(): number {
    return Math.max(0, this.written - this.eventsMax);
  }

  /** Monotonic time of an event that is still held. */
  timeOf(serial: number): number {
    return this.#doubles[DOUBLES * (serial % this.eventsMax)] as number;
  }

  hlcOf(serial: number): number {
    return this.#doubles[DOUBLES * (serial % this.eventsMax) + 1] as number;
  }

  /** It concerns no transaction, but the node. */
  isNodes(serial: number): boolean {
    return this.hlcOf(serial) === 0;
  }

  /** The event after it belongs to it. */
  isPair(serial: number): boolean {
    const code = (this.#words[WORDS * (serial % this.eventsMax)] as number) & 0xff;
    return code === STEP + STEP_CODES.dep || code === STEP + STEP_CODES.waits;
  }

  /** Takes an event of another ring as it is; groups keep the numbers that they have there. */
  copy(from: TxnRing, serial: number): void {
    const d = DOUBLES * (serial % from.eventsMax);
    const w = WORDS * (serial % from.eventsMax);
    this.#doubles.set(from.#doubles.subarray(d, d + DOUBLES), DOUBLES * this.#next);
    this.#words.set(from.#words.subarray(w, w + WORDS), WORDS * this.#next);
    this.#groups = from.#groups;
    this.#next = this.#next + 1 === this.eventsMax ? 0 : this.#next + 1;
    this.written += 1;
  }

  /**
   * The event with this serial as a record of a dump; undefined for the second half of one, and for
   * one that is no longer held.
   */
  eventAt(serial: number, frame: EventFrame): TraceEvent | undefined {
    if (serial < this.oldest || serial >= this.written) return undefined;
    const at = serial % this.eventsMax;
    const w = WORDS * at;
    const word = this.#words[w] as number;
    const code = word & 0xff;
    if (code === OTHER) return undefined;
    const value = this.#doubles[DOUBLES * at + 2] as number;
    const peer = this.#words[w + 2] as number;
    const actor = frame.path((word >>> 8) & 0xffff);
    const txn = this.#nameAt(at);
    const fact = {
      t: frame.timeUs(this.#doubles[DOUBLES * at] as number),
      node: frame.node,
      seq: serial,
      actor,
      ...(txn === undefined ? {} : { txn }),
    };
    if (code < STEP) {
      const kind = code < IN ? 'out' : 'in';
      const msg = TXN_MESSAGES[code & 63] ?? '?';
      return { kind, ...fact, msg, peer: peer === 0 ? frame.node : peer, value };
    }
    const step = TXN_STEPS[code - STEP] ?? '?';
    const isOn = code === STEP + STEP_CODES.dep || code === STEP + STEP_CODES.waits;
    const on = isOn ? this.#nameAt((serial + 1) % this.eventsMax) : undefined;
    const count = peer === 0 ? {} : { count: peer };
    return { kind: 'step', ...fact, step, value, ...count, ...(on === undefined ? {} : { on }) };
  }

  #nameAt(at: number): string | undefined {
    const hlc = this.#doubles[DOUBLES * at + 1] as number;
    if (hlc === 0) return undefined;
    const w = WORDS * at;
    const words = this.#words;
    const flags = (words[w] as number) >>> 24;
    const last = words[w + 3] as number;
    const { range, generation } = this.#groups[last >>> 16] as GroupName;
    return `${range}.${generation}/${hlc}.${flags}.${words[w + 1]}.${last & 0xffff}`;
  }
}

/** How a node's events become records of a dump. */
export interface EventFrame {
  readonly node: number;
  path(actor: number): string;
  timeUs(atMs: number): number;
}
