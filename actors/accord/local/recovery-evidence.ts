/**
 * A replica's evidence for a recoverer (accord.md §2.11): its own state, and what conflicting
 * transactions reveal about the fast path.
 */

import type { RecoverOk } from '../messages/messages.ts';
import { depsOf, encodeDeps, includes, NO_DEPS } from '../primitives/deps.ts';
import { Status } from '../primitives/status.ts';
import { type Ballot, compare, type TxnId } from '../primitives/timestamp.ts';
import type { Command } from './command.ts';
import { definitionFields, type ReplicaState } from './replica-state.ts';

export function gatherEvidence(state: ReplicaState, command: Command, ballot: Ballot): RecoverOk {
  const { id, status, accepted } = command;
  const undecided = status < Status.Accepted;
  const evidence = undecided ? judge(state, command) : NOTHING;
  const coordinated = status >= Status.Accepted && command.deps !== undefined;
  return {
    type: 'RecoverOk',
    id,
    ballot,
    status,
    accepted,
    executeAt: command.executeAt ?? null,
    coordinated: coordinated ? encodeDeps(command.deps ?? NO_DEPS) : null,
    local: status < Status.Committed ? encodeDeps(state.calcDeps(command, id)) : null,
    votedFast: command.votedFast,
    rejectsFastPath: evidence.rejects,
    wait: encodeDeps(depsOf(evidence.wait)),
    noWait: encodeDeps(depsOf(evidence.noWait)),
    reads: command.reads ?? null,
    ...definitionFields(command.definition),
  };
}

interface Evidence {
  rejects: boolean;
  readonly wait: TxnId[];
  readonly noWait: TxnId[];
}

const NOTHING: Evidence = { rejects: false, wait: [], noWait: [] };

/**
 * Over conflicting γ that have deps and execute after t0(τ). A later γ asked a quorum that must
 * contain any fast-committed τ, so τ's absence from its deps is proof. An earlier γ was bounded by
 * its own t0; only its stable deps, bounded by its executeAt, say something, so wait for them.
 */
function judge(state: ReplicaState, command: Command): Evidence {
  const evidence: Evidence = { rejects: false, wait: [], noWait: [] };
  if (command.definition === undefined) return evidence;
  const { id } = command;
  state.index.forEachConflict(command.definition.participants, (other) => {
    const { status, executeAt, deps } = other;
    if (other === command || executeAt === undefined || deps === undefined) return;
    if (status < Status.Accepted || status > Status.Applied) return;
    if (compare(executeAt, id) <= 0) return;
    const witnessed = includes(deps, id);
    const earlier = compare(other.id, id) < 0;
    if (status >= Status.Stable) {
      if (!witnessed) evidence.rejects = true;
      else if (earlier) evidence.noWait.push(other.id);
    } else if (!witnessed) {
      if (earlier) evidence.wait.push(other.id);
      else evidence.rejects = true;
    }
  });
  return evidence;
}
