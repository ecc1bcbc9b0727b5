/** The state machine of the meta group, each state of which is sound and has a text of its own. */
import { expect } from 'vitest';
import type { Timestamp } from '../../../actors/accord/primitives/timestamp.ts';
import { apply } from '../../../actors/meta/apply.ts';
import type { MetaCommand } from '../../../actors/meta/meta-command.ts';
import type { MetaState } from '../../../actors/meta/meta-state.ts';
import { faultOf, type TopologyRange } from '../../../actors/meta/topology.ts';
import { decodeTopology, encodeTopology } from '../../../actors/meta/topology-codec.ts';

export const NODES = [1, 2, 3, 4, 5].map((id) => ({ id, host: 'h', port: id, behaviourMax: 1 }));

export function at(hlc: number): Timestamp {
  return { hlc, flags: 2, node: 1, store: 0 };
}

export class JudgedMeta {
  state: MetaState | undefined;
  /** Of the last command. */
  hlc = 0;

  get ranges(): readonly TopologyRange[] {
    return this.state?.topology.ranges ?? [];
  }

  get range(): TopologyRange {
    return this.ranges[0] as TopologyRange;
  }

  /** Why it is refused. */
  run(command: MetaCommand): string | undefined {
    this.hlc += 10;
    const { state, refused } = apply(this.state, command, at(this.hlc));
    this.state = state;
    const topology = state?.topology;
    if (topology !== undefined) {
      expect(faultOf(topology)).toBeUndefined();
      expect(decodeTopology(encodeTopology(topology))).toEqual(topology);
    }
    return refused;
  }
}
