/**
 * The state of the meta group as rows of the cluster's table, and its rules as storage calls them
 * (`storage/topology-rules.ts`). A command writes only the rows that it has changed. Pure.
 */
import type { RowChange } from '../../storage/cluster-settings.ts';
import type { TopologyRules } from '../../storage/topology-rules.ts';
import type { Timestamp } from '../accord/primitives/timestamp.ts';
import { type Applied, apply } from './apply.ts';
import type { Domain, MetaCommand } from './meta-command.ts';
import type { EndedGroup, Job, Lease, MetaState } from './meta-state.ts';
import type { Topology } from './topology.ts';
import { decodeTopology, encodeTopology } from './topology-codec.ts';

const TOPOLOGY_ROW = 'topology';
/** Leases, and who is paused. */
const CONTROLLERS_ROW = 'topology-controllers';
const JOBS_ROW = 'topology-jobs';
const ENDED_ROW = 'topology-ended';
/** The first topology, for ever: nodes begin with it, and follow what has ended since. */
const FORMED_ROW = 'topology-formed';

interface Controllers {
  readonly leases: readonly Lease[];
  readonly paused: readonly Domain[];
}

export const TOPOLOGY_ROWS = [TOPOLOGY_ROW, CONTROLLERS_ROW, JOBS_ROW, ENDED_ROW];

type Row = Parameters<TopologyRules>[0];

/** As text that has ASCII alone. */
export function encodeCommand(command: MetaCommand): string {
  return JSON.stringify(command).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

export const TOPOLOGY_RULES: TopologyRules = (row, text, executeAt) => {
  const before = metaStateOf(row);
  const answer = before?.topology.lastChange ?? 0;
  const { state, refused } = applied(before, text, executeAt);
  if (refused !== undefined || state === undefined) {
    return { changes: [], refused: refused ?? 'no topology', answer };
  }
  return { changes: rowsOf(state, before), answer: state.topology.lastChange };
};

/** A text that is no command, or lacks a field of it, must not end all replicas at its place. */
function applied(before: MetaState | undefined, text: string, executeAt: Timestamp): Applied {
  try {
    return apply(before, JSON.parse(text) as MetaCommand, executeAt);
  } catch {
    return { state: before, refused: 'no command' };
  }
}

/** Undefined before the cluster is formed. */
export function metaStateOf(row: Row): MetaState | undefined {
  const topology = decodeTopology(row(TOPOLOGY_ROW) ?? '');
  if (topology === undefined) return undefined;
  const controllers = row(CONTROLLERS_ROW) ?? '{"leases":[],"paused":[]}';
  const { leases, paused } = JSON.parse(controllers) as Controllers;
  const jobs = JSON.parse(row(JOBS_ROW) ?? '[]') as readonly Job[];
  const ended = JSON.parse(row(ENDED_ROW) ?? '[]') as readonly EndedGroup[];
  return { topology, leases, pausedControllers: paused, jobs, ended };
}

/** The topology that the cluster was formed with. */
export function formedTopologyOf(row: Row): Topology | undefined {
  return decodeTopology(row(FORMED_ROW) ?? '');
}

function rowsOf(state: MetaState, before: MetaState | undefined): readonly RowChange[] {
  const { topology, leases, pausedControllers: paused, jobs, ended } = state;
  const changes: RowChange[] = [];
  if (topology !== before?.topology) changes.push([TOPOLOGY_ROW, encodeTopology(topology)]);
  if (leases !== before?.leases || paused !== before.pausedControllers) {
    changes.push([CONTROLLERS_ROW, JSON.stringify({ leases, paused } satisfies Controllers)]);
  }
  if (before === undefined) changes.push([FORMED_ROW, encodeTopology(topology)]);
  if (ended !== before?.ended) changes.push([ENDED_ROW, JSON.stringify(ended)]);
  if (jobs !== before?.jobs) changes.push([JOBS_ROW, JSON.stringify(jobs)]);
  return changes;
}
