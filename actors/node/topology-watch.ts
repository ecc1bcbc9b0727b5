/**
 * The topology as this node has applied it: the rows of the cluster's table that hold it, decoded
 * once per change. It never goes back, though an executor that begins again comes back step by step
 * to the table that it had.
 */
import type { ClusterSettings } from '../../storage/cluster-settings.ts';
import { metaStateOf, TOPOLOGY_ROWS } from '../meta/meta-rows.ts';
import type { MetaState } from '../meta/meta-state.ts';

export class TopologyWatch {
  /** Undefined before the cluster is formed, as far as this node knows. */
  state: MetaState | undefined;
  #rows: readonly (string | undefined)[] = [];

  /** `true`: it is another state. */
  changed({ values }: ClusterSettings): boolean {
    const rows = TOPOLOGY_ROWS.map((name) => values.get(name));
    if (rows.every((row, at) => row === this.#rows[at])) return false;
    this.#rows = rows;
    const state = metaStateOf((name) => values.get(name));
    if (state === undefined) return false;
    if (state.topology.epoch < (this.state?.topology.epoch ?? 0)) return false;
    this.state = state;
    return true;
  }
}
