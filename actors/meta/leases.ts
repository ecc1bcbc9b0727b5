/**
 * Leases of the controllers: in each domain at most one node acts, in terms that only grow. Judged
 * by executeAt alone, so all replicas judge alike. Pure.
 */
import type { Timestamp } from '../accord/primitives/timestamp.ts';
import { DOMAINS, type Domain, type LeaseClaim, type TakeLeases } from './meta-command.ts';
import type { Lease, MetaState, Outcome } from './meta-state.ts';
import { isWhole } from './topology.ts';

const LEASE_MS_MAX = 60_000;

export function takeLeases(
  state: MetaState,
  { holder, leaseMs }: TakeLeases,
  at: Timestamp,
): Outcome {
  const isKnown = state.topology.nodes.some(({ id }) => id === holder);
  if (!isKnown) return 'no node of this cluster';
  if (!isWhole(leaseMs, 1, LEASE_MS_MAX)) return `a lease lasts 1 to ${LEASE_MS_MAX} ms`;
  const untilUs = at.hlc + leaseMs * 1_000;
  const leases = DOMAINS.map((domain): Lease => {
    const held = state.leases.find((lease) => lease.domain === domain);
    const isFree = held === undefined || at.hlc >= held.untilUs;
    if (isFree) return { domain, holder, term: (held?.term ?? 0) + 1, untilUs };
    return held.holder === holder ? { ...held, untilUs: Math.max(held.untilUs, untilUs) } : held;
  });
  const isHolder = leases.some((lease) => lease.holder === holder);
  return isHolder ? { ...state, leases } : 'all leases are held by others';
}

/** They are free at once; their terms stay, so that what the holder still sends is stale. */
export function dropLeases(state: MetaState, holder: number): Outcome {
  const isHeld = state.leases.some((lease) => lease.holder === holder && lease.untilUs > 0);
  if (!isHeld) return 'it holds no lease';
  const leases = state.leases.map((lease) =>
    lease.holder === holder ? { ...lease, untilUs: 0 } : lease,
  );
  return { ...state, leases };
}

/** The rest of a lease at which its holder renews it. */
const RENEW_SHARE = 0.25;

/** As far as a node knows; the state machine judges by executeAt. */
export function heldLease(
  { leases }: MetaState,
  domain: Domain,
  presentUs: number,
): Lease | undefined {
  const lease = leases.find((each) => each.domain === domain);
  return lease !== undefined && lease.untilUs > presentUs ? lease : undefined;
}

export function isRunningOut({ untilUs }: Lease, leaseMs: number, presentUs: number): boolean {
  return untilUs - presentUs < leaseMs * RENEW_SHARE * 1_000;
}

/** Why one may not act under this lease. */
export function claimFault(
  leases: readonly Lease[],
  { domain, holder, term }: LeaseClaim,
  at: Timestamp,
): string | undefined {
  const held = leases.find((lease) => lease.domain === domain);
  const isHeld = held?.holder === holder && held.term === term && at.hlc < held.untilUs;
  return isHeld ? undefined : 'the lease is stale';
}
