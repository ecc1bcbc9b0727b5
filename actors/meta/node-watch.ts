/**
 * Which nodes are there, as one of them sees it, damped: a node that was gone for a while is told
 * to be missed, and one that has been back for long enough to be back, for longer each time that it
 * was missed in a row. The lowest member of the meta group that is up tells; the next ones stand in
 * for it. Takes what is seen, returns commands; it owns no timer. Pure.
 */
import { FLAPS_MAX } from './electorates.ts';
import type { NodeSeen } from './meta-command.ts';
import type { MetaState } from './meta-state.ts';

export interface NodeWatchLimits {
  /** A node is missed when it was gone for so long. */
  readonly missedMs: number;
  /** So long it must have been there to be back; twice as long for each time in a row. */
  readonly backMs: number;
  readonly backMsMax: number;
}

export const NODE_WATCH_LIMITS: NodeWatchLimits = Object.freeze({
  missedMs: 2_000,
  backMs: 10_000,
  backMsMax: 600_000,
});

interface View {
  readonly state: MetaState;
  readonly isUp: (node: number) => boolean;
  /** Of a clock that never goes back. */
  readonly nowMs: number;
  /** The cluster's time. */
  readonly presentUs: number;
}

interface Sight {
  readonly isUp: boolean;
  readonly sinceMs: number;
}

/** A member stands in for each one before it after so much more time. */
const STAND_IN_MS = 1_000;

export class NodeWatch {
  readonly #self: number;
  readonly #limits: NodeWatchLimits;
  readonly #sights = new Map<number, Sight>();

  constructor(self: number, limits: NodeWatchLimits) {
    this.#self = self;
    this.#limits = limits;
  }

  /** At most one command: the others follow. */
  acts(view: View): NodeSeen | undefined {
    const { state, nowMs, presentUs: seenUs } = view;
    const { nodes, meta, absences } = state.topology;
    for (const { id } of nodes) if (id !== this.#self) this.#see(id, view.isUp(id), nowMs);
    if (state.pausedControllers.includes('replicas')) return undefined;
    const before = meta.members.filter((node) => node < this.#self && view.isUp(node));
    const standInMs = STAND_IN_MS * before.length;
    for (const [node, { isUp, sinceMs }] of this.#sights) {
      const absence = absences.find((each) => each.node === node);
      if ((absence?.isOut ?? false) !== isUp) continue;
      const waitMs = isUp ? this.#backMs(absence?.flaps ?? 1) : this.#limits.missedMs;
      if (nowMs < sinceMs + waitMs + standInMs) continue;
      return { type: isUp ? 'NodeBack' : 'NodeMissed', node, seenUs };
    }
    return undefined;
  }

  /** One that has not come yet since this node began has as much time as one that is back. */
  #see(node: number, isUp: boolean, nowMs: number): void {
    const before = this.#sights.get(node);
    if (before?.isUp === isUp) return;
    const isLate = before === undefined && !isUp;
    this.#sights.set(node, { isUp, sinceMs: nowMs + (isLate ? this.#limits.backMs : 0) });
  }

  #backMs(flaps: number): number {
    const { backMs, backMsMax } = this.#limits;
    return Math.min(backMsMax, backMs * 2 ** (Math.min(flaps, FLAPS_MAX) - 1));
  }
}
