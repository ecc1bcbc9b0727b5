/**
 * Hybrid logical timestamps: transaction ids (t0), execution times (executeAt), votes and ballots.
 * Pure values; `hybrid-clock.ts` is the only place that mints them.
 *
 * Order: epoch, hlc, identity flags, node (accord.md §1). The REJECTED flag is not identity: it
 * rides on a vote and says that the voter refuses the transaction.
 */

export interface Timestamp {
  /** Topology epoch, u48. */
  readonly epoch: number;
  /** Hybrid logical clock in microseconds since the Unix epoch, < 2^53. */
  readonly hlc: number;
  /** u16; see `Flags`. */
  readonly flags: number;
  /** Node id, u32, > 0; 0 only in `ZERO`. */
  readonly node: number;
}

export type TxnId = Timestamp;
export type Ballot = Timestamp;

export const Flags = {
  /** Bits 1-3 hold the kind: part of the identity. */
  WRITE: 1 << 1,
  /** On votes only: the voter refuses. */
  REJECTED: 1 << 15,
} as const;

const IDENTITY_FLAGS = 0x7fff;

/** Below every timestamp; as a ballot it belongs to the original coordinator. */
export const ZERO: Timestamp = Object.freeze({ epoch: 0, hlc: 0, flags: 0, node: 0 });
/** Above every timestamp. */
export const MAX: Timestamp = Object.freeze({
  epoch: 2 ** 48 - 1,
  hlc: Number.MAX_SAFE_INTEGER,
  flags: IDENTITY_FLAGS,
  node: 2 ** 32 - 1,
});

export function compare(a: Timestamp, b: Timestamp): number {
  if (a === b) return 0;
  return (
    a.epoch - b.epoch ||
    a.hlc - b.hlc ||
    (a.flags & IDENTITY_FLAGS) - (b.flags & IDENTITY_FLAGS) ||
    a.node - b.node
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

export function isRejected(vote: Timestamp): boolean {
  return (vote.flags & Flags.REJECTED) !== 0;
}

export function rejected(vote: Timestamp): Timestamp {
  return { ...vote, flags: vote.flags | Flags.REJECTED };
}

/**
 * The vote that stands for several: the larger (hlc, flags, node) stays whole, only the epoch is
 * raised and REJECTED is kept from either. Mixing the hlc of one with the node of another would
 * make a timestamp that nobody minted.
 */
export function mergeMax(a: Timestamp, b: Timestamp): Timestamp {
  const order =
    a.hlc - b.hlc || (a.flags & IDENTITY_FLAGS) - (b.flags & IDENTITY_FLAGS) || a.node - b.node;
  const winner = order >= 0 ? a : b;
  const epoch = Math.max(a.epoch, b.epoch);
  const flags = winner.flags | ((a.flags | b.flags) & Flags.REJECTED);
  if (epoch === winner.epoch && flags === winner.flags) return winner;
  return { epoch, hlc: winner.hlc, flags, node: winner.node };
}

/** A text that is equal exactly when the identity is: the key of maps, and what traces show. */
export function keyOf(t: Timestamp): string {
  return `${t.hlc}.${t.node}.${t.flags & IDENTITY_FLAGS}.${t.epoch}`;
}

/** Bytes of one timestamp on the wire and in the log: epoch 6, hlc 8, flags 2, node 4. */
export const TIMESTAMP_BYTES = 20;

export function writeTimestamp(view: DataView, at: number, t: Timestamp): number {
  view.setUint16(at, Math.floor(t.epoch / 2 ** 32));
  view.setUint32(at + 2, t.epoch >>> 0);
  view.setUint32(at + 6, Math.floor(t.hlc / 2 ** 32));
  view.setUint32(at + 10, t.hlc >>> 0);
  view.setUint16(at + 14, t.flags);
  view.setUint32(at + 16, t.node);
  return at + TIMESTAMP_BYTES;
}

export function readTimestamp(view: DataView, at: number): Timestamp {
  return {
    epoch: view.getUint16(at) * 2 ** 32 + view.getUint32(at + 2),
    hlc: view.getUint32(at + 6) * 2 ** 32 + view.getUint32(at + 10),
    flags: view.getUint16(at + 14),
    node: view.getUint32(at + 16),
  };
}
