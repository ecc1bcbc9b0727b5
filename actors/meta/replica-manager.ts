/**
 * Has the replicas of nodes that leave moved to others, one after the other: under a lease, which
 * the lowest member of the meta group that is up claims, and others in its place. What is next is
 * in the topology alone, so anybody goes on. Takes data, returns commands; it owns no timer. Pure.
 */
import { type DepartureLimits, nextMove, type Presence } from './departures.ts';
import { heldLease, isRunningOut } from './leases.ts';
import type { Move, TakeLeases } from './meta-command.ts';
import type { MetaState } from './meta-state.ts';

interface View extends Presence {
  readonly state: MetaState;
  /** Of a clock that never goes back. */
  readonly nowMs: number;
  /** It holds leases. */
  readonly mayLead: boolean;
}

/**
 * A node that begins, as when a whole cluster does, has patience with those that begin as well:
 * what was gone before may be there in a moment.
 */
const PATIENCE_MS = 30_000;
/** A member stands in for each one before it after so much more time. */
const STAND_IN_MS = 1_000;

export class ReplicaManager {
  readonly #self: number;
  readonly #leaseMs: number;
  readonly #limits: DepartureLimits;
  /** Since when it looks on. */
  #sinceMs: number | undefined;
  /** There is something to do, and nobody who does it. */
  #idleSinceMs: number | undefined;

  constructor(self: number, leaseMs: number, limits: DepartureLimits) {
    this.#self = self;
    this.#leaseMs = leaseMs;
    this.#limits = limits;
  }

  acts(view: View): Move | TakeLeases | undefined {
    const { state, nowMs, presentUs } = view;
    const isIdle = !view.mayLead || state.pausedControllers.includes('replicas');
    const move = isIdle ? undefined : nextMove(state.topology, view, this.#limitsAt(nowMs));
    const lease = heldLease(state, 'replicas', presentUs);
    if (move === undefined || lease !== undefined) this.#idleSinceMs = undefined;
    if (move === undefined) return undefined;
    const { holder } = lease ?? {};
    if (holder !== undefined && holder !== this.#self) return undefined;
    const leaseMs = this.#leaseMs;
    const claims: TakeLeases = { type: 'TakeLeases', holder: this.#self, leaseMs };
    if (lease === undefined) {
      this.#idleSinceMs ??= nowMs;
      return nowMs >= this.#idleSinceMs + this.#standInMs(view) ? claims : undefined;
    }
    if (isRunningOut(lease, leaseMs, presentUs)) return claims;
    return { ...move, lease: { domain: 'replicas', holder: this.#self, term: lease.term } };
  }

  #limitsAt(nowMs: number): DepartureLimits {
    this.#sinceMs ??= nowMs;
    const { replaceAfterMs } = this.#limits;
    const isPatient = nowMs < this.#sinceMs + Math.min(PATIENCE_MS, replaceAfterMs);
    return isPatient ? { ...this.#limits, replaceAfterMs: 0 } : this.#limits;
  }

  #standInMs({ state, isUp }: View): number {
    const { members } = state.topology.meta;
    return STAND_IN_MS * members.filter((node) => node < this.#self && isUp(node)).length;
  }
}
