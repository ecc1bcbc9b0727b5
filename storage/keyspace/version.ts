/**
 * The version of an entry: the executeAt of the transaction that wrote it. The storage room keeps
 * its own order over it (the same as the protocol's) and never looks further into the protocol.
 */
export interface Version {
  readonly epoch: number;
  /** Hybrid logical clock, microseconds since the Unix epoch. */
  readonly hlc: number;
  /** u16; the highest bit is no part of the identity. */
  readonly flags: number;
  /** u32. */
  readonly node: number;
}

const IDENTITY_FLAGS = 0x7fff;

/** Below every version that a transaction can have. */
export const NO_VERSION: Version = Object.freeze({ epoch: 0, hlc: 0, flags: 0, node: 0 });

/** Negative, zero or positive, in the order epoch, hlc, identity flags, node. */
export function compareVersions(a: Version, b: Version): number {
  if (a === b) return 0;
  if (a.epoch !== b.epoch) return a.epoch - b.epoch;
  if (a.hlc !== b.hlc) return a.hlc - b.hlc;
  return (a.flags & IDENTITY_FLAGS) - (b.flags & IDENTITY_FLAGS) || a.node - b.node;
}

export function describeVersion(version: Version): string {
  return `${version.epoch}.${version.hlc}.${version.flags & IDENTITY_FLAGS}.${version.node}`;
}
