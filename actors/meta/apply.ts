/**
 * The state machine of the topology: `(state, command, executeAt) -> (state', refusal)`. It never
 * throws, and depends on nothing but its arguments: time is executeAt. A refused command leaves the
 * state as it is.
 */
import type { Timestamp } from '../accord/primitives/timestamp.ts';
import { bringIn, passOver } from './absences.ts';
import {
  beginClosing,
  cancel,
  done,
  hasData,
  move,
  setPaused,
  severalDone,
  split,
} from './changes.ts';
import { nodeSeen, withRenewals } from './electorates.ts';
import { formed } from './form.ts';
import { claimFault, dropLeases, takeLeases } from './leases.ts';
import { DOMAINS, type LeaseClaim, type MetaCommand } from './meta-command.ts';
import type { MetaState, Outcome } from './meta-state.ts';
import {
  decommission,
  drain,
  join,
  nodeStarted,
  raiseBehaviour,
  recommission,
  remove,
  replace,
  withLeft,
} from './nodes.ts';

export interface Applied {
  /** Undefined until the cluster is formed. */
  readonly state: MetaState | undefined;
  /** Why nothing was done, for people; undefined: it was done. */
  readonly refused?: string;
}

export function apply(
  state: MetaState | undefined,
  command: MetaCommand,
  executeAt: Timestamp,
): Applied {
  const outcome = outcomeOf(state, command, executeAt);
  if (typeof outcome === 'string') return { state, refused: outcome };
  return { state: renewed(state, outcome, executeAt) };
}

/** The renewals that follow from the command are part of it, and that a node has left. */
function renewed(before: MetaState | undefined, next: MetaState, at: Timestamp): MetaState {
  const isPaused = next.pausedControllers.includes('replicas');
  const topology = withLeft(isPaused ? next.topology : withRenewals(next.topology, at));
  if (topology === next.topology) return next;
  return { ...next, topology: { ...topology, epoch: (before?.topology.epoch ?? 0) + 1 } };
}

function outcomeOf(state: MetaState | undefined, command: MetaCommand, at: Timestamp): Outcome {
  if (command.type === 'Form') {
    return state === undefined ? formed(command) : 'the cluster has been formed';
  }
  if (state === undefined) return 'the cluster has not been formed';
  const fault = 'lease' in command && leaseFault(state, command.lease, at);
  if (fault) return fault;
  switch (command.type) {
    case 'Split':
      return split(state, command, at);
    case 'Move':
      return move(state, command, at);
    case 'HasData':
      return hasData(state, command);
    case 'PassOver':
      return passOver(state, command, at);
    case 'BringIn':
      return bringIn(state, command, at);
    case 'Pause':
      return setPaused(state, command, true);
    case 'Resume':
      return setPaused(state, command, false);
    case 'Cancel':
      return cancel(state, command, at);
    case 'BeginClosing':
      return beginClosing(state, command);
    case 'Done':
      return done(state, command, at);
    case 'SeveralDone':
      return severalDone(state, command, at);
    case 'NodeMissed':
    case 'NodeBack':
      return nodeSeen(state, command, at);
    case 'TakeLeases':
      return takeLeases(state, command, at);
    case 'DropLeases':
      return dropLeases(state, command.holder);
    case 'PauseController':
    case 'ResumeController':
      return setController(state, command.domain, command.type === 'PauseController');
    case 'Join':
      return join(state, command);
    case 'NodeStarted':
      return nodeStarted(state, command);
    case 'Drain':
      return drain(state, command.id);
    case 'Recommission':
      return recommission(state, command.id, at);
    case 'Decommission':
      return decommission(state, command.id);
    case 'Replace':
      return replace(state, command.id, command.replacement);
    case 'Remove':
      return remove(state, command.id);
    case 'RaiseBehaviour':
      return raiseBehaviour(state, command.from, command.to);
    default:
      return 'an unknown command';
  }
}

function leaseFault(
  state: MetaState,
  claim: LeaseClaim | undefined,
  at: Timestamp,
): string | undefined {
  if (claim === undefined) return undefined;
  if (state.pausedControllers.includes(claim.domain)) return 'the controller is paused';
  return claimFault(state.leases, claim, at);
}

function setController(state: MetaState, name: string, paused: boolean): Outcome {
  const named = DOMAINS.filter((domain) => domain === name || name === 'all');
  if (named.length === 0) return 'an unknown controller';
  const before = state.pausedControllers;
  if (named.every((domain) => before.includes(domain) === paused)) {
    return `the controller is ${paused ? '' : 'not '}paused`;
  }
  const others = before.filter((each) => !named.includes(each));
  return { ...state, pausedControllers: paused ? [...others, ...named].sort() : others };
}
