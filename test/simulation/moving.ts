/**
 * Ranges of three members each on five nodes whose members change all the time, under all faults
 * and loads: a node leaves, another one takes part at once, and fetches the data.
 */
import { ZERO } from '../../actors/accord/primitives/timestamp.ts';
import { apply } from '../../actors/meta/apply.ts';
import type { Form } from '../../actors/meta/meta-command.ts';
import { groupsOf } from '../../actors/meta/topology.ts';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { UNIT_WRITE_BYTES_MAX } from '../../storage/limits.ts';
import { type RunOptions, type RunResult, simulate } from './cluster.ts';
import { drawAbsenceLimits, drawDepartureLimits, drawSpanningLimits, RANGES } from './limits.ts';

const NODES = [1, 2, 3, 4, 5];
/** Where the members of the meta group change too: those of the beginning. */
const FORMING = [1, 2, 3];
const MOVE_EVERY_MS = 600;
/** Of runs in which nodes are missed so soon that their ranges are renewed, and moved. */
const ABSENCES_RATE = 0.4;

type MovingOptions = Omit<RunOptions, 'nodes' | 'groups'>;

/** Two of five nodes have joined: they may take the place of members of the meta group. */
export function simulateMetaMoving(options: MovingOptions): RunResult {
  const joiners = NODES.length - FORMING.length;
  // A cluster whose first command is too long for it is never formed, and takes in nobody.
  const profile = { transactionBytesMax: RANGES.transactionBytesMax[1], ...options.profile };
  return simulateMoving({ ...options, joiners, profile });
}

export function simulateMoving(options: MovingOptions): RunResult {
  const { seed, joiners = 0 } = options;
  const forming = joiners === 0 ? NODES : FORMING;
  const rng = new SeededRng(seed);
  const initialRanges = 1 + (seed % 3);
  const form: Form = {
    type: 'Form',
    clusterId: '6'.repeat(32),
    nodes: forming.map((id) => ({ id, host: `node-${id}`, port: id, behaviourMax: 1 })),
    electorate: forming,
    ...{ initialRanges, replicationFactor: 3, rangesMax: 16, closingMax: 2, behaviourLevel: 1 },
  };
  const { state } = apply(undefined, form, ZERO);
  if (state === undefined) throw new Error('the cluster cannot be formed');
  const groups = groupsOf(state.topology).filter(({ machine }) => machine === 'keyspace');
  const several = initialRanges > 1 ? { flushes: false, databases: 1 } : {};
  const spanning = drawSpanningLimits(rng);
  const isMissed = rng.next() < ABSENCES_RATE;
  const absences = isMissed ? { ...drawAbsenceLimits(rng), ...drawDepartureLimits(rng) } : {};
  const profile = {
    ...{ damage: false, away: undefined, sameSlot: false },
    ...{ ...spanning, unitWriteBytesMax: UNIT_WRITE_BYTES_MAX },
    ...absences,
    ...several,
    ...options.profile,
  };
  const splitEveryMs = options.splitEveryMs ?? MOVE_EVERY_MS;
  const how = {
    nodes: forming.length,
    form,
    groups,
    forwards: true,
    moves: true,
    splitEveryMs,
    profile,
  };
  return simulate({ ...options, ...how });
}
