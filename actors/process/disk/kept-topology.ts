/**
 * The topology in a node's data directory: the one that the cluster was formed with. Settings say
 * what a node proposes for it, and nothing once it is there.
 */
import { createHash } from 'node:crypto';
import { BEHAVIOUR_LEVEL } from '../../../storage/behaviour-level.ts';
import type { MemberEndpoint } from '../../../transport/peer/handshake.ts';
import { ZERO } from '../../accord/primitives/timestamp.ts';
import { apply } from '../../meta/apply.ts';
import { groupSize } from '../../meta/form.ts';
import type { Form } from '../../meta/meta-command.ts';
import type { Topology } from '../../meta/topology.ts';
import { encodeTopology } from '../../meta/topology-codec.ts';

export interface FormingOptions {
  readonly members: readonly MemberEndpoint[];
  /** Node ids. */
  readonly electorate: readonly number[];
  readonly initialRanges: number;
  readonly replicationFactor: number;
  readonly rangesMax: number;
  readonly closingMax: number;
}

/**
 * The topology that these options make.
 *
 * @throws RangeError when no cluster can have them; settings are checked before.
 */
export function formTopology(options: FormingOptions, clusterId: string): Topology {
  const { state, refused } = apply(undefined, formOf(options, clusterId), ZERO);
  if (state === undefined) throw new RangeError(refused);
  return state.topology;
}

/** The options that differ from those that the cluster was formed with, by their flags. */
export function ignoredFlags(options: FormingOptions, topology: Topology): readonly string[] {
  const { ranges, rangesMax, closingMax } = topology;
  const flags: string[] = [];
  if (options.initialRanges !== ranges.length) flags.push('--initial-ranges');
  const size = groupSize(options.replicationFactor, options.members.length);
  if (ranges.some(({ members }) => members.length !== size)) flags.push('--replication-factor');
  if (options.rangesMax !== rangesMax) flags.push('--ranges-max');
  if (options.closingMax !== closingMax) flags.push('--closing-max');
  return flags;
}

/** The command that makes it. */
export function formOf(options: FormingOptions, clusterId: string): Form {
  const { members, electorate, initialRanges, rangesMax, closingMax } = options;
  const { replicationFactor } = options;
  const nodes = members.map(({ id, host, port }) => ({
    ...{ id, host, port },
    behaviourMax: BEHAVIOUR_LEVEL,
  }));
  const limits = { rangesMax, closingMax, behaviourLevel: BEHAVIOUR_LEVEL };
  return {
    type: 'Form',
    clusterId,
    nodes,
    electorate,
    initialRanges,
    replicationFactor,
    ...limits,
  };
}

/** 16 bytes as hex: equal exactly when the topologies are. */
export function digestOf(topology: Topology): string {
  return createHash('sha256').update(encodeTopology(topology)).digest('hex').slice(0, 32);
}
