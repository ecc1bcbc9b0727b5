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

export class Entry<V extends Value = Value> {
  readonly type: ValueType<V>;
  readonly value: V;
  /** Size of the value. */
  readonly bytes: number;
  /** Compared with executeAt only; `NO_DEADLINE` for none. */
  readonly deadline: Deadline;
  /** Shared by all keys that one transaction wrote. */
  readonly version: Timestamp;

  constructor(type: ValueType<V>, value: V, deadline: Deadline, version: Timestamp) {
    this.type = type;
    this.value = value;
    this.bytes = type.bytesOf(value);
    this.deadline = deadline;
    this.version = version;
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
