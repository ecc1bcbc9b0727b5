/** The parts of a value type: its name, its size and its bytes. One file per type. */
import type { Hash } from 'node:crypto';
import type { Collection } from './collection.ts';
import type { Pieces } from './pieces.ts';

/**
 * A value of a key: a byte string, whole or in pieces, which is never changed but replaced, or a
 * large collection, which is changed in place. Small collections are byte strings, too
 * (`packed.ts`).
 */
export type Value = string | Pieces | Collection;

export interface ValueType<V extends Value = Value> {
  /** Engines write it; never give one a new meaning. */
  readonly code: number;
  /** As TYPE tells it. */
  readonly name: string;
  /** Bytes of the value in memory; limits and statistics count them. */
  bytesOf(value: V): number;
  /** Bytes that `write` needs: of a large collection only its head, its rows are apart. */
  storedBytesOf(value: V): number;
  /** `isForFlush`: a value that changes while a flush is under way is as of its beginning. */
  write(record: Buffer, at: number, value: V, isForFlush: boolean): void;
  /** The value in the bytes `[start, end)`, as `write` has left them. */
  read(record: Buffer, start: number, end: number): V;
  /** Adds the content of the value to a hash, the same whatever its form in memory. */
  digest(hash: Hash, value: V): void;
  /** Redis' name for the form in memory. */
  encodingOf(value: V): string;
}
