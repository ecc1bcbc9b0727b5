/**
 * The value under a key. Entries are immutable: a write replaces the entry of a cell, so that a
 * flush or an iteration that captured the old one keeps a consistent value without a copy.
 */
import { type Timestamp, ZERO } from '../../actors/accord/primitives/timestamp.ts';
import { STRING } from '../types/string.ts';
import type { Value, ValueType } from '../types/value-type.ts';

/** No value: the key is absent since `version`. Never written to an engine. */
export const NONE: ValueType = { ...STRING, code: 0, name: 'none' };

/**
 * Milliseconds since the Unix epoch, up to 64 bits: a number if it is a safe integer, as in
 * practice it always is, else a BigInt.
 */
export type Deadline = number | bigint;

/** The deadline of an entry that never expires. */
export const NO_DEADLINE = 0;

/** The part that all timestamps of a store have in common. */
type Origin = Omit<Timestamp, 'hlc'>;

/** One object for all timestamps of an origin: of a kind and a store. */
const origins = new Map<string, Origin>();
const HALF = 2 ** 27;

/** The parts of the last version that an entry was made of: many have the same one. */
let taken: Timestamp = ZERO;
let takenHigh = 0;
let takenLow = 0;
let takenOrigin: Origin = ZERO;

function take(version: Timestamp): void {
  const { hlc, flags, node, store } = version;
  taken = version;
  takenHigh = Math.floor(hlc / HALF);
  takenLow = hlc % HALF;
  if (takenOrigin.node === node && takenOrigin.flags === flags && takenOrigin.store === store) {
    return;
  }
  const key = `${flags} ${node} ${store}`;
  takenOrigin = origins.get(key) ?? { flags, node, store };
  origins.set(key, takenOrigin);
}

export class Entry<V extends Value = Value> {
  readonly type: ValueType<V>;
  readonly value: V;
  /** Compared with executeAt only; `NO_DEADLINE` for none. */
  readonly deadline: Deadline;
  /** Size of the value. */
  readonly bytes: number;
  /** The version in parts: small integers take less memory than a number or an object. */
  readonly #high: number;
  readonly #low: number;
  readonly #origin: Origin;

  constructor(type: ValueType<V>, value: V, deadline: Deadline, version: Timestamp) {
    if (version !== taken) take(version);
    this.type = type;
    this.value = value;
    this.deadline = deadline;
    this.bytes = type.bytesOf(value);
    this.#high = takenHigh;
    this.#low = takenLow;
    this.#origin = takenOrigin;
  }

  /** Of the transaction that wrote it: a new object each time. */
  get version(): Timestamp {
    const { flags, node, store } = this.#origin;
    return { hlc: this.hlc, flags, node, store };
  }

  /** That of the version. */
  get hlc(): number {
    return this.#high * HALF + this.#low;
  }

  /** From its deadline on an entry is absent for every command. */
  expired(nowMs: number): boolean {
    return this.deadline !== NO_DEADLINE && this.deadline <= nowMs;
  }
}

/** The entry of a key that was never written. */
export const ABSENT = new Entry(NONE, '', NO_DEADLINE, ZERO);

/** Bytes of the value in the key's own row: large collections have others. */
export function storedBytes({ type, value, bytes }: Entry): number {
  return typeof value === 'string' ? bytes : type.storedBytesOf(value);
}

/** One key and its entry, as iterations return them. */
export interface StoredEntry {
  readonly key: string;
  readonly slot: number;
  readonly place: number;
  readonly entry: Entry;
}

/** Stands for an entry of the engine that was not read: of a key without a deadline. */
export const UNREAD: Entry = new Entry<Value>(STRING as ValueType, '', NO_DEADLINE, ZERO);
