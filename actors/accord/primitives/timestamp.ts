/**
 * Hybrid logical timestamps: transaction ids (t0), execution times (executeAt), votes and ballots,
 * and the versions of stored entries. Pure values; `hybrid-clock.ts` is the only place that mints
 * them. Every room may import this file, so it imports nothing: one order and one codec for all.
 *
 * Order: hlc, kind (the identity flags), node, store. There is no epoch in it: executeAt would run
 * backwards in time between nodes that know different epochs. The REJECTED flag is not identity: it
 * rides on a vote and says that the voter refuses the transaction.
 */

export interface Timestamp {
  /** Hybrid logical clock in microseconds since the Unix epoch, < 2^53. */
  readonly hlc: number;
  /** u16; see `Flags`. */
  readonly flags: number;
  /** Node id, u32, > 0; 0 only in `ZERO` and `boundAt`. */
  readonly node: number;
  /** The store of the node that minted it, u16: two stores never mint the same timestamp. */
  readonly store: number;
}

export type TxnId = Timestamp;
export type Ballot = Timestamp;

export const Flags = {
  /** Bits 1-3 hold the kind: part of the identity. */
  WRITE: 1 << 1,
  /** Beside WRITE: the transaction spans several groups; see `spanning-body.ts`. */
  SPANNING: 1 << 2,
  /** Beside WRITE: the last transaction of its group that has an effect; see `close-body.ts`. */
  CLOSE: 1 << 3,
  /** On votes only: the voter refuses. */
  REJECTED: 1 << 15,
} as const;

const IDENTITY_FLAGS = 0x7fff;

/** The largest `store`, also in the frames and the log; the log keeps this one for the node. */
export const STORE_MAX = 2 ** 16 - 1;

/** Below every timestamp; as a ballot it belongs to the original coordinator. */
export const ZERO: Timestamp = Object.freeze({ hlc: 0, flags: 0, node: 0, store: 0 });

/** Below every timestamp of this microsecond and above all earlier ones; never minted. */
export function boundAt(hlc: number): Timestamp {
  return { hlc, flags: 0, node: 0, store: 0 };
}

export function compare(a: Timestamp, b: Timestamp): number {
  if (a === b) return 0;
  return (
    a.hlc - b.hlc ||
    (a.flags & IDENTITY_FLAGS) - (b.flags & IDENTITY_FLAGS) ||
    a.node - b.node ||
    a.store - b.store
  );
}

export function equal(a: Timestamp, b: Timestamp): boolean {
  return compare(a, b) === 0;
}

export function max(a: Timestamp, b: Timestamp): Timestamp {
  return compare(a, b) >= 0 ? a : b;
}

export function min(a: Timestamp, b: Timestamp): Timestamp {
  return compare(a, b) <= 0 ? a : b;
}

/** A transaction over several groups: it is read in each of them, and applied. */
export function isSpanning({ flags }: TxnId): boolean {
  return (flags & Flags.SPANNING) !== 0;
}

/** It ends its group. */
export function isClose({ flags }: TxnId): boolean {
  return (flags & Flags.CLOSE) !== 0;
}

/** Both are of the same kind, as a transaction's votes and its executeAt are. */
export function isSameKind(a: Timestamp, b: Timestamp): boolean {
  return ((a.flags ^ b.flags) & IDENTITY_FLAGS) === 0;
}

export function isRejected(vote: Timestamp): boolean {
  return (vote.flags & Flags.REJECTED) !== 0;
}

export function rejected(vote: Timestamp): Timestamp {
  return { ...vote, flags: vote.flags | Flags.REJECTED };
}

/** The vote that stands for several: the highest one whole, and REJECTED if any refuses. */
export function mergeMax(a: Timestamp, b: Timestamp): Timestamp {
  const winner = max(a, b);
  return isRejected(a) || isRejected(b) ? rejected(winner) : winner;
}

/** A text that is equal exactly when the identity is: the key of maps, and what traces show. */
export function keyOf(t: Timestamp): string {
  return `${t.hlc}.${t.flags & IDENTITY_FLAGS}.${t.node}.${t.store}`;
}

/** Bytes of one timestamp, big endian: hlc u64 (53 bits used), flags u16, store u16, node u32. */
export const TIMESTAMP_BYTES = 16;

/** Returns the offset behind it. */
export function writeTimestamp(to: Uint8Array, at: number, t: Timestamp): number {
  writeU32(to, at, Math.floor(t.hlc / 2 ** 32));
  writeU32(to, at + 4, t.hlc >>> 0);
  to[at + 8] = t.flags >>> 8;
  to[at + 9] = t.flags;
  to[at + 10] = t.store >>> 8;
  to[at + 11] = t.store;
  writeU32(to, at + 12, t.node);
  return at + TIMESTAMP_BYTES;
}

/** Throws RangeError when the bytes end before it does. */
export function readTimestamp(from: Uint8Array, at: number): Timestamp {
  if (at + TIMESTAMP_BYTES > from.length) throw new RangeError('a timestamp is cut short');
  return {
    hlc: hlcAt(from, at),
    flags: flagsAt(from, at),
    node: nodeAt(from, at),
    store: storeAt(from, at),
  };
}

/** This and the next three read one field of a whole timestamp, and allocate nothing. */
export function hlcAt(from: Uint8Array, at: number): number {
  return readU32(from, at) * 2 ** 32 + readU32(from, at + 4);
}

export function flagsAt(from: Uint8Array, at: number): number {
  return readU16(from, at + 8);
}

export function storeAt(from: Uint8Array, at: number): number {
  return readU16(from, at + 10);
}

export function nodeAt(from: Uint8Array, at: number): number {
  return readU32(from, at + 12);
}

function writeU32(to: Uint8Array, at: number, value: number): void {
  to[at] = value >>> 24;
  to[at + 1] = value >>> 16;
  to[at + 2] = value >>> 8;
  to[at + 3] = value;
}

function readU32(from: Uint8Array, at: number): number {
  return readU16(from, at) * 2 ** 16 + readU16(from, at + 2);
}

function readU16(from: Uint8Array, at: number): number {
  return ((from[at] as number) << 8) | (from[at + 1] as number);
}
