/**
 * The topology in a node's data directory: formed from the settings when the directory is made, and
 * the only truth from then on.
 */
import { createHash } from 'node:crypto';
import { BEHAVIOUR_LEVEL } from '../../../storage/behaviour-level.ts';
import type { MemberEndpoint } from '../../../transport/peer/handshake.ts';
import { ZERO } from '../../accord/primitives/timestamp.ts';
import { apply } from '../../meta/apply.ts';
import type { Topology } from '../../meta/topology.ts';
import { encodeTopology } from '../../meta/topology-codec.ts';

export interface FormingOptions {
  readonly members: readonly MemberEndpoint[];
  /** Node ids. */
  readonly electorate: readonly number[];
  readonly initialRanges: number;
  readonly rangesMax: number;
}

/**
 * The same on every node that was given the same options.
 *
 * @throws RangeError when no cluster can have them; settings are checked before.
 */
export function formTopology(options: FormingOptions, clusterId: string): Topology {
  const { members, electorate, initialRanges, rangesMax } = options;
  const nodes = members.map(({ id, host, port }) => ({
    ...{ id, host, port },
    behaviourMax: BEHAVIOUR_LEVEL,
  }));
  const form = { type: 'Form', clusterId, nodes, electorate, initialRanges, rangesMax } as const;
  const { state, refused } = apply(undefined, { ...form, behaviourLevel: BEHAVIOUR_LEVEL }, ZERO);
  if (state === undefined) throw new RangeError(refused);
  return state.topology;
}

/** 16 bytes as hex: equal exactly when the topologies are. */
export function digestOf(topology: Topology): string {
  return createHash('sha256').update(encodeTopology(topology)).digest('hex').slice(0, 32);
}
