/**
 * Looks on at the leases on the cluster's table, as if a client waited for every change: as soon as
 * one node would answer a change, no other one may have a lease on the table before it.
 */
import type { SimNode } from './sim-node.ts';

/** Shorter than a lease by far. */
const LOOK_EVERY_MS = 2;

export class TableWatch {
  readonly #nodes: readonly SimNode[];
  readonly #count: (what: string) => void;
  /** The newest change that could have been answered, and where. */
  #answered = { version: 0, node: 0 };
  #lookedMs = 0;

  constructor(nodes: readonly SimNode[], count: (what: string) => void) {
    this.#nodes = nodes;
    this.#count = count;
  }

  /** The violation, if there is one. Changes nothing but what the nodes note of a wait. */
  look(nowMs: number): string | undefined {
    if (nowMs < this.#lookedMs + LOOK_EVERY_MS) return undefined;
    this.#lookedMs = nowMs;
    const running = this.#nodes.filter((node) => node.up && !node.paused && !node.frozen);
    for (const { id, node } of running) {
      const version = node?.settings.version ?? 0;
      if (version <= this.#answered.version || node?.settings.isHeld(version) !== true) continue;
      const isAlone = node.connected.size + 1 < this.#nodes.length;
      this.#count(isAlone ? 'change answered with a node away' : 'change answered');
      this.#answered = { version, node: id };
    }
    const { version, node: where } = this.#answered;
    for (const { id, node } of running) {
      if (node === undefined || node.settings.version >= version) continue;
      this.#count('node behind an answered change');
      if (!node.settings.hasLease) continue;
      const its = node.settings.version;
      return `node ${id} acts by table ${its}, and node ${where} has answered change ${version}`;
    }
    return undefined;
  }
}
