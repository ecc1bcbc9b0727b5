/** Changes of the topology that people ask for, as commands of its state machine. Pure. */
import { REDIS_SLOTS } from '../../storage/keyspace/slots.ts';
import type { TopologyRequest } from '../../transport/http/topology-report.ts';
import { CONTROLLERS, type MetaCommand } from '../meta/meta-command.ts';
import { type Topology, type TopologyRange, withMeta } from '../meta/topology.ts';

/** By what they are called, of the commands that name a change of a range. */
const OF_CHANGES = { pause: 'Pause', resume: 'Resume', cancel: 'Cancel' } as const;
const OF_CONTROLLERS = {
  'pause-controller': 'PauseController',
  'resume-controller': 'ResumeController',
} as const;

const OF_NODES = {
  drain: 'Drain',
  recommission: 'Recommission',
  decommission: 'Decommission',
  'remove-node': 'Remove',
} as const;

/** The command, or why there is none. */
export function commandFor(
  topology: Topology,
  request: TopologyRequest,
  by: string,
): MetaCommand | string {
  const { what } = request;
  switch (what) {
    case 'split':
      return splitFor(topology, request.slot ?? Number.NaN, by);
    case 'move':
      return moveFor(topology, request, by);
    case 'pause':
    case 'resume':
    case 'cancel': {
      const range = changedRange(topology, request);
      const number = range?.change?.number;
      if (range === undefined || number === undefined) return 'no range there is being changed';
      return { type: OF_CHANGES[what], range: range.id, change: number };
    }
    case 'pause-controller':
    case 'resume-controller': {
      const domain = CONTROLLERS.find((name) => name === request.controller);
      if (domain === undefined) return `the controllers are ${CONTROLLERS.join(', ')}`;
      return { type: OF_CONTROLLERS[what], domain };
    }
    case 'drain':
    case 'recommission':
    case 'decommission':
    case 'remove-node': {
      const { node = Number.NaN } = request;
      return { type: OF_NODES[what], id: node };
    }
    case 'replace': {
      const { from: id = Number.NaN, to: replacement = Number.NaN } = request;
      return { type: 'Replace', id, replacement };
    }
    case 'raise-behaviour': {
      const { behaviourLevel: from } = topology;
      return { type: 'RaiseBehaviour', from, to: request.node ?? from + 1 };
    }
    default:
      return `nobody knows how to ${String(what)}`;
  }
}

function splitFor({ ranges, rangesMax }: Topology, atSlot: number, by: string) {
  if (!Number.isInteger(atSlot) || atSlot < 0 || atSlot >= REDIS_SLOTS) {
    return `there is no slot ${atSlot}: slots are 0 to ${REDIS_SLOTS - 1}`;
  }
  const range = ranges.find(({ fromSlot, toSlot }) => atSlot >= fromSlot && atSlot < toSlot);
  if (range === undefined) return `slot ${atSlot} is in no range`;
  if (range.fromSlot === atSlot) return `range ${range.id.range} begins at slot ${atSlot}`;
  if (ranges.length >= rangesMax) return `there are ${rangesMax} ranges already (--ranges-max)`;
  return { type: 'Split', range: range.id, atSlot, by: nameOf(by) } as const;
}

function moveFor(
  topology: Topology,
  { range: wanted, from = Number.NaN, to = Number.NaN }: TopologyRequest,
  by: string,
) {
  const range = withMeta(topology).find(({ id }) => id.range === wanted);
  if (range === undefined) return `there is no range ${wanted}`;
  return { type: 'Move', range: range.id, from, to, by: nameOf(by) } as const;
}

/** One that no log can garble. */
function nameOf(by: string): string {
  return by.replace(/[^\x20-\x7e]/g, '?').slice(0, 255) || '?';
}

function changedRange(
  topology: Topology,
  { slot, range: wanted }: TopologyRequest,
): TopologyRange | undefined {
  // The slots of the meta group are those of no keys.
  const ranges = slot === undefined ? withMeta(topology) : topology.ranges;
  return ranges.find(({ id, fromSlot, toSlot, change }) => {
    if (change === undefined) return false;
    if (slot === undefined) return id.range === wanted;
    return slot >= fromSlot && slot < toSlot && (wanted === undefined || id.range === wanted);
  });
}
