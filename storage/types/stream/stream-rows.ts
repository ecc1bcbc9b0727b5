/** The rows of a stream that hold no entries, as bytes; all numbers big endian. */
import { exactInteger } from '../integers.ts';
import { readLatin1, writeLatin1 } from '../latin1.ts';
import { ID_BYTES, type StreamId } from './stream-id.ts';

export const NUMBER_BYTES = 4;
const COUNT_BYTES = 8;
export const FACTS_BYTES = 2 * ID_BYTES + COUNT_BYTES + NUMBER_BYTES;
export const GROUP_BYTES = NUMBER_BYTES + ID_BYTES + COUNT_BYTES + NUMBER_BYTES;
export const CONSUMER_BYTES = NUMBER_BYTES + 2 * COUNT_BYTES;
export const PENDING_BYTES = NUMBER_BYTES + 2 * COUNT_BYTES;

/** Facts about a stream as a whole. */
export interface StreamFacts {
  /** Of the last entry that was added; entries that come are behind it. */
  readonly lastId: StreamId;
  /** The largest one that XDEL has removed. */
  readonly removedId: StreamId;
  /** Entries that were ever added, as far as XSETID says nothing else. */
  readonly added: bigint;
  /** Consumer groups that it has ever had. */
  readonly groupsMade: number;
}

/** In the place of a number of entries. */
export const NOT_KNOWN = -1n;

/** Counters of 64 bits wrap, as in Redis. */
export function wrapped(count: bigint): bigint {
  return BigInt.asIntN(64, count);
}

/** `read`: entries up to the last one that was delivered, 64 bits, or `NOT_KNOWN`. */
export interface GroupPlace {
  readonly lastId: StreamId;
  readonly read: bigint;
}

/** A consumer beside its name: when it has last asked for entries, and got some; -1: never. */
interface ConsumerFacts {
  readonly number: number;
  readonly seenMs: number;
  readonly activeMs: number;
}

/** The delivery of an entry that is not acknowledged. */
interface Delivery {
  readonly consumer: { readonly number: number };
  readonly deliveredMs: number;
  readonly deliveries: number | bigint;
}

const room = Buffer.alloc(COUNT_BYTES);

/** The first bytes of a name. */
export function numberOf(text: string, at = 0): number {
  writeLatin1(room, text.slice(at, at + NUMBER_BYTES), 0);
  return room.readUInt32BE();
}

export function numberText(value: number): string {
  room.writeUInt32BE(value);
  return readLatin1(room, 0, NUMBER_BYTES);
}

function countText(count: number | bigint): string {
  room.writeBigInt64BE(BigInt(count));
  return readLatin1(room, 0, COUNT_BYTES);
}

function countAt(row: string, at: number): bigint {
  writeLatin1(room, row.slice(at, at + COUNT_BYTES), 0);
  return room.readBigInt64BE();
}

export function factsRow({ lastId, removedId, added, groupsMade }: StreamFacts): string {
  return lastId + removedId + countText(added) + numberText(groupsMade);
}

export function readFacts(row: string): StreamFacts {
  return {
    lastId: row.slice(0, ID_BYTES),
    removedId: row.slice(ID_BYTES, 2 * ID_BYTES),
    added: countAt(row, 2 * ID_BYTES),
    groupsMade: numberOf(row, 2 * ID_BYTES + COUNT_BYTES),
  };
}

export function groupRow(number: number, { lastId, read }: GroupPlace, consumers: number): string {
  return numberText(number) + lastId + countText(read) + numberText(consumers);
}

export function readGroup(row: string) {
  const behindId = NUMBER_BYTES + ID_BYTES;
  const place = { lastId: row.slice(NUMBER_BYTES, behindId), read: countAt(row, behindId) };
  const consumersMade = numberOf(row, behindId + COUNT_BYTES);
  return { number: numberOf(row), place, consumersMade };
}

export function consumerRow({ number, seenMs, activeMs }: ConsumerFacts): string {
  return numberText(number) + countText(seenMs) + countText(activeMs);
}

export function readConsumer(row: string) {
  const seenMs = Number(countAt(row, NUMBER_BYTES));
  const activeMs = Number(countAt(row, NUMBER_BYTES + COUNT_BYTES));
  return { number: numberOf(row), seenMs, activeMs };
}

export function pendingRow({ consumer, deliveredMs, deliveries }: Delivery): string {
  return numberText(consumer.number) + countText(deliveredMs) + countText(deliveries);
}

export function readPending(row: string) {
  const deliveredMs = Number(countAt(row, NUMBER_BYTES));
  const deliveries = exactInteger(countAt(row, NUMBER_BYTES + COUNT_BYTES));
  return { consumer: numberOf(row), deliveredMs, deliveries };
}
