/**
 * How far the wall clocks of the peers are from this node's, for traces: of each peer's last
 * comparisons the one with the shortest round trip, whose error is half of it.
 */
import type { ClockComparison } from '../accord/primitives/cluster-time.ts';

/** Comparisons kept per peer: about eight seconds. */
const KEPT_MAX = 16;

interface Comparison extends ClockComparison {
  readonly roundTripMs: number;
}

export interface PeerOffset {
  readonly node: number;
  /** The peer's wall clock minus this node's. */
  readonly offsetUs: number;
  readonly errorUs: number;
}

export class PeerOffsets {
  readonly #kept = new Map<number, Comparison[]>();

  heard(peer: number, comparison: ClockComparison, roundTripMs: number): void {
    const kept = this.#kept.get(peer) ?? [];
    this.#kept.set(peer, kept);
    kept.push({ ...comparison, roundTripMs });
    if (kept.length > KEPT_MAX) kept.shift();
  }

  /** The shortest of late; infinite where none is known. */
  roundTripMs(peer: number): number {
    const kept = this.#kept.get(peer) ?? [];
    return kept.reduce((least, { roundTripMs }) => Math.min(least, roundTripMs), Infinity);
  }

  /** `wallUs` and `monotonicMs`: this node's clocks now. */
  all(wallUs: number, monotonicMs: number): PeerOffset[] {
    const ownUs = wallUs - monotonicMs * 1_000;
    return [...this.#kept].map(([node, kept]) => {
      const best = kept.reduce((a, b) => (b.roundTripMs < a.roundTripMs ? b : a));
      const offsetUs = Math.round(best.offsetUs - ownUs);
      return { node, offsetUs, errorUs: Math.ceil(best.roundTripMs * 500) };
    });
  }
}
