/**
 * A replica's answer to a recovery: the highest state that it knows, its deps, and what other
 * transactions say about a fast path that may have been taken. The durability rounds of a group are
 * beside it, since they decide what evidence may be forgotten.
 */
import type { Command, Replica } from './replica.ts';
import {
  ACC,
  AINV,
  type Answer,
  APP,
  type Body,
  COM,
  type Id,
  INV,
  must,
  NONE,
  PRE,
  PREAPP,
  STABLE,
  ZERO,
} from './words.ts';

interface Evidence {
  readonly rejects: boolean;
  readonly wait: readonly Id[];
  readonly noWait: readonly Id[];
}

const NO_EVIDENCE: Evidence = { rejects: false, wait: [], noWait: [] };

export function recover(replica: Replica, t: Id, b: Body, ballot: Id): Answer {
  const command = replica.command(t);
  if (command.status === INV) return { ok: true, recovery: found(command, INV, NO_EVIDENCE, null) };
  if (command.promised >= ballot) return { ok: false };
  command.promised = ballot;
  const entry = replica.node.table.get(t);
  if (entry !== undefined && (command.status !== APP || command.covered)) {
    const local = replica.calculateDeps(t, b, t);
    return { ok: true, ...entry, recovery: found(command, PREAPP, NO_EVIDENCE, local) };
  }
  if (command.covered && !replica.world.mutants.has('covered_is_applied')) {
    return { ok: true, unknown: true };
  }
  command.body ??= b;
  if ((command.status === NONE || command.status === AINV) && command.executeAt === null) {
    command.executeAt = replica.vote(t, b, false);
    if (command.status === NONE) command.status = PRE;
    replica.bump(command);
  }
  const evidence = command.status < ACC ? evidenceFor(replica, t, b) : NO_EVIDENCE;
  const local = command.level >= 2 ? null : replica.calculateDeps(t, b, t);
  const { executeAt, outcome, result } = command;
  const recovery = found(command, command.status, evidence, local);
  return { ok: true, executeAt, outcome, result, recovery };
}

function found(
  command: Command,
  status: number,
  evidence: Evidence,
  local: ReturnType<Replica['calculateDeps']> | null,
): NonNullable<Answer['recovery']> {
  const { accepted, level, deps, executeAt, id } = command;
  const coordinated = level > 0 ? deps : null;
  return { status, accepted, level, coordinated, local, votedFast: executeAt === id, ...evidence };
}

/** Applied and erased: all that it depends on lies below the mark too. */
export function appliedBelow(mark: Id): NonNullable<Answer['recovery']> {
  const coordinated = { ids: [], mark };
  const last = { accepted: ZERO, level: 3, coordinated, local: null };
  return { status: PREAPP, ...last, votedFast: false, ...NO_EVIDENCE };
}

function evidenceFor(replica: Replica, t: Id, b: Body): Evidence {
  let rejects = false;
  const wait: Id[] = [];
  const noWait: Id[] = [];
  for (const [owner, other] of pool(replica)) {
    if (other.id === t || other.body === null || other.level === 0) continue;
    if (other.status < ACC || other.status === INV || must(other.executeAt) <= t) continue;
    if (!other.body.parts.has(replica.group.gid) || !replica.conflicts(b, other.body)) continue;
    const has = other.deps.ids.includes(t) || (owner === replica && t < other.deps.mark);
    const isStable = other.status >= STABLE;
    if (!has && (isStable || other.id > t)) rejects = true;
    if (other.id > t) continue;
    if (isStable && has) noWait.push(other.id);
    else if (!isStable && !has) wait.push(other.id);
  }
  return { rejects, wait, noWait };
}

function* pool(replica: Replica): Generator<[Replica, Command]> {
  for (const command of replica.commands.values()) yield [replica, command];
  if (!replica.world.mutants.has('evidence_other')) return;
  for (const other of replica.node.replicas.values()) {
    if (other === replica) continue;
    for (const command of other.commands.values()) yield [other, command];
  }
}

function isSettled(replica: Replica, id: Id): boolean {
  if (id < replica.redundantBefore) return true;
  const command = replica.commands.get(id);
  if (command === undefined) return false;
  const isEarly = replica.world.mutants.has('stable_is_settled') && command.status >= STABLE;
  return isEarly || command.status === APP || command.status === INV;
}

/** Promises to begin nothing below `x`, and names what is known below it. */
export function rejectBefore(replica: Replica, x: Id): Answer {
  replica.rejectBefore = Math.max(replica.rejectBefore, x);
  const ids: Id[] = [];
  for (const command of replica.commands.values()) {
    const isUndecided = command.status !== INV && command.body !== null;
    if (command.id < x && isUndecided) ids.push(command.id);
  }
  return { ok: true, ids, has: replica.isReady };
}

/** Whether everything named is settled here; then nothing below `x` can begin any more. */
export function settle(replica: Replica, x: Id, ids: readonly Id[]): Answer {
  if (!replica.isReady && !replica.world.mutants.has('owed_is_settled')) {
    return { ok: true, has: false, done: false };
  }
  if (!replica.world.mutants.has('unnamed_is_kept')) invalidateUnnamed(replica, x, ids);
  if (replica.isReady && !ids.every((id) => isSettled(replica, id))) {
    return { ok: true, has: true, done: false };
  }
  replica.redundantBefore = Math.max(replica.redundantBefore, x);
  return { ok: true, has: replica.isReady, done: true };
}

/** A quorum knows nothing of it, and promised to begin nothing below `x`: it is never decided. */
function invalidateUnnamed(replica: Replica, x: Id, ids: readonly Id[]): void {
  for (const command of replica.commands.values()) {
    if (command.id >= x || ids.includes(command.id)) continue;
    // Committed in every group and yet not named: it was given up, since one of them has ended.
    const isMulti = command.body?.isMulti === true;
    if (command.status >= (isMulti ? PREAPP : COM)) continue;
    command.noOp = isMulti;
    if (isMulti) replica.world.onGivenUp(command.id);
    command.status = INV;
  }
  replica.node.progress();
}

/** Every member with data has settled all below `x`. */
export function erase(replica: Replica, x: Id): Answer {
  replica.behind = Math.max(replica.behind, x);
  if (replica.redundantBefore < x) return { ok: true };
  replica.erasedBefore = Math.max(replica.erasedBefore, x);
  for (const [id, command] of replica.commands) {
    const isOver = command.status === INV || (command.executeAt ?? ZERO) < x;
    if (id >= x || !isOver || !isSettled(replica, id)) continue;
    replica.commands.delete(id);
    replica.appliedBy.delete(id);
    if (replica.world.mutants.has('round_drops_table')) replica.node.table.delete(id);
  }
  return { ok: true };
}
