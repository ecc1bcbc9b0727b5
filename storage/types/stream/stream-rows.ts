/** The rows of a stream that hold no entries, as bytes; all numbers big endian. */
import { readLatin1, writeLatin1 } from '../latin1.ts';
import { ID_BYTES, type StreamId } from './stream-id.ts';

const COUNT_BYTES = 8;
export const FACTS_BYTES = 2 * ID_BYTES + COUNT_BYTES;

/** Facts about a stream as a whole. */
export interface StreamFacts {
  /** Of the last entry that was added; entries that come are behind it. */
  readonly lastId: StreamId;
  /** The largest one that XDEL has removed. */
  readonly removedId: StreamId;
  /** Entries that were ever added, as far as XSETID says nothing else. */
  readonly added: bigint;
}

const room = Buffer.alloc(COUNT_BYTES);

function countText(count: bigint): string {
  room.writeBigInt64BE(BigInt.asIntN(64, count));
  return readLatin1(room, 0, COUNT_BYTES);
}

function countAt(row: string, at: number): bigint {
  writeLatin1(room, row.slice(at, at + COUNT_BYTES), 0);
  return room.readBigInt64BE();
}

export function writeFacts({ lastId, removedId, added }: StreamFacts): string {
  return lastId + removedId + countText(added);
}

export function readFacts(row: string): StreamFacts {
  const lastId = row.slice(0, ID_BYTES);
  const removedId = row.slice(ID_BYTES, 2 * ID_BYTES);
  return { lastId, removedId, added: countAt(row, 2 * ID_BYTES) };
}
