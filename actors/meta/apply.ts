/**
 * The state machine of the topology: `(state, command, executeAt) -> (state', refusal)`. It never
 * throws, and depends on nothing but its arguments: time is executeAt. A refused command leaves the
 * state as it is.
 */
import type { Timestamp } from '../accord/primitives/timestamp.ts';
import { beginClosing, cancel, done, setPaused, split } from './changes.ts';
import { formed } from './form.ts';
import { claimFault, dropLeases, takeLeases } from './leases.ts';
import { DOMAINS, type LeaseClaim, type MetaCommand } from './meta-command.ts';
import { inNextEpoch, type MetaState, type Outcome } from './meta-state.ts';
import { ID_MAX, isText, isWhole, type TopologyNode } from './topology.ts';

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
  return typeof outcome === 'string' ? { state, refused: outcome } : { state: outcome };
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
    case 'TakeLeases':
      return takeLeases(state, command, at);
    case 'DropLeases':
      return dropLeases(state, command.holder);
    case 'PauseController':
    case 'ResumeController':
      return setController(state, command.domain, command.type === 'PauseController');
    case 'NodeStarted':
      return nodeStarted(state, command);
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

function nodeStarted(state: MetaState, { id, host, port, behaviourMax }: TopologyNode): Outcome {
  const { nodes, behaviourLevel } = state.topology;
  const known = nodes.find((node) => node.id === id);
  if (known === undefined) return 'no node of this cluster';
  if (!isText(host) || !isWhole(port, 0, 65_535)) return 'no address';
  if (!isWhole(behaviourMax, behaviourLevel, ID_MAX)) {
    return `the cluster is at behaviour level ${behaviourLevel}, which its release does not know`;
  }
  const node = { id, host, port, behaviourMax };
  const isSame = host === known.host && port === known.port;
  if (isSame && behaviourMax === known.behaviourMax) return 'nothing has changed';
  return inNextEpoch(state, { nodes: nodes.map((each) => (each === known ? node : each)) });
}

function raiseBehaviour(state: MetaState, from: number, to: number): Outcome {
  const { nodes, behaviourLevel } = state.topology;
  if (from !== behaviourLevel) return `the behaviour level is ${behaviourLevel}`;
  if (!isWhole(to, from + 1, ID_MAX)) return 'the behaviour level is only raised';
  const behind = nodes.find(({ behaviourMax }) => behaviourMax < to);
  if (behind !== undefined) return `node ${behind.id} knows levels up to ${behind.behaviourMax}`;
  return inNextEpoch(state, { behaviourLevel: to });
}
