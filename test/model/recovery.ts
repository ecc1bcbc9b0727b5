/**
 * Recovery of a transaction under a new ballot: evidence per group, facts from ended groups, and a
 * no-op only where it is proven that there was no effect anywhere.
 */
import {
  type Answers,
  accept,
  type Coordination,
  depsOf,
  execute,
  hasQuorum,
  invalidate,
  never,
  noOp,
  persist,
  propose,
  stabilise,
  type Task,
  type Verdict,
} from './coordination.ts';
import {
  ACC,
  AINV,
  type Answer,
  type Deps,
  groupOf,
  type Id,
  INV,
  must,
  NO_DEPS,
  PREAPP,
  phase,
  place,
  type Recovered,
  STABLE,
  union,
  ZERO,
} from './words.ts';
import type { World } from './world.ts';

interface Merged {
  level: number;
  ballot: Id;
  coordinated: Deps | null;
  local: Deps;
}

/** The findings of a round of recovery. */
interface Findings {
  /** By group that has ended: an answer that knows the effect. */
  readonly applied: Map<number, Answer>;
  readonly absent: Set<number>;
  /** Answers of replicas in groups that go on. */
  readonly live: Map<number, Answer & { readonly recovery: Recovered }>;
}

/** One answer of the group is enough: it is invalidated, or its effect is known with its deps. */
function isFact(world: World, answer: Answer): boolean {
  const { recovery } = answer;
  if (recovery === undefined) return false;
  if (recovery.status === INV) return true;
  const from = world.mutants.has('stable_fact') ? STABLE : PREAPP;
  return recovery.status >= from && recovery.level === 3;
}

function stopOf(world: World, parts: readonly number[]): (answers: Answers) => Verdict | undefined {
  const all = world.members(parts).length;
  return (answers) => {
    for (const answer of answers.values()) {
      if (answer.ended === true && answer.fate === 'none') return { is: 'none' };
      if (!answer.ok && answer.unknown !== true) return { is: 'fail' };
    }
    const done = new Set<number>();
    for (const [at, answer] of answers) {
      if (answer.fate === 'applied' || answer.fate === 'absent') done.add(groupOf(at));
      if (!world.mutants.has('fact_needs_quorum') && isFact(world, answer)) done.add(groupOf(at));
    }
    const rest = parts.filter((gid) => !done.has(gid));
    if (!hasQuorum(world, rest, answers)) return undefined;
    const isLate = answers.size === all || world.dice.chance(0.6);
    return isLate ? { is: 'ok', answers: new Map(answers) } : undefined;
  };
}

function sort(answers: Answers): Findings {
  const applied = new Map<number, Answer>();
  const absent = new Set<number>();
  const live: Findings['live'] = new Map();
  for (const [at, answer] of answers) {
    const gid = groupOf(at);
    if (answer.fate !== undefined) {
      const isBetter = !applied.has(gid) || answer.deps !== null;
      if (answer.fate === 'applied' && isBetter) applied.set(gid, answer);
      else if (answer.fate === 'absent') absent.add(gid);
    } else if (answer.recovery !== undefined) {
      live.set(at, { ...answer, recovery: answer.recovery });
    }
  }
  for (const gid of applied.keys()) absent.delete(gid);
  return { applied, absent, live };
}

function outcomeOf({ applied, live }: Findings): Answer | undefined {
  let found: Answer | undefined;
  for (const answer of applied.values()) found = answer;
  for (const answer of live.values()) {
    const { status } = answer.recovery;
    if (status >= PREAPP && status !== INV && answer.outcome) found = answer;
  }
  return found;
}

function mergeDeps(parts: readonly number[], { applied, live }: Findings): Map<number, Merged> {
  const merged = new Map<number, Merged>();
  for (const gid of parts) {
    merged.set(gid, { level: 0, ballot: ZERO, coordinated: null, local: NO_DEPS });
  }
  for (const [at, { recovery }] of live) {
    const of = must(merged.get(groupOf(at)));
    const { level, accepted, coordinated, local } = recovery;
    const isHigher = level > of.level || (level === of.level && accepted > of.ballot);
    if (level > 0 && coordinated !== null && isHigher) {
      of.level = level;
      of.ballot = accepted;
      of.coordinated = coordinated;
    }
    if (local !== null) of.local = union(of.local, local);
  }
  for (const [gid, { deps }] of applied) {
    if (deps) merged.set(gid, { level: 3, ballot: ZERO, coordinated: deps, local: NO_DEPS });
  }
  return merged;
}

function best(live: Findings['live']): (Answer & { recovery: Recovered }) | undefined {
  let found: (Answer & { recovery: Recovered }) | undefined;
  for (const answer of live.values()) {
    const { status, accepted } = answer.recovery;
    if (phase(status) < 2) continue;
    if (found === undefined || phase(status) > phase(found.recovery.status)) {
      found = answer;
      continue;
    }
    if (phase(status) < phase(found.recovery.status)) continue;
    const byBallot = phase(status) === 2 || phase(status) === 3;
    const { recovery } = found;
    if (byBallot ? accepted > recovery.accepted : status > recovery.status) found = answer;
  }
  return found;
}

export function* recover(
  world: World,
  task: Task,
  dead: ReadonlySet<number> = new Set(),
): Coordination {
  const { t, b, node } = task;
  const parts = [...b.parts.keys()].filter((gid) => !dead.has(gid));
  if (parts.length === 0) return;
  const ballot = world.newBallot(t, node);
  const verdict = yield {
    targets: world.members(parts),
    message: { type: 'Recover', t, b, ballot },
    stop: stopOf(world, parts),
  };
  if (verdict.is === 'none') return yield* noOp(world, task);
  if (verdict.is === 'fail') return;
  const findings = sort(must(verdict.answers));
  world.noteErased(node, must(verdict.answers));
  const { absent } = findings;
  const outcome = outcomeOf(findings);
  if ((absent.size > 0 || dead.size > 0) && outcome === undefined) {
    return yield* withoutOutcome(world, task, dead, findings);
  }
  yield* goOn(world, task, parts, ballot, findings, outcome);
}

/** Some group is gone and holds nothing: no effect needs a quorum of each other group. */
function* withoutOutcome(
  world: World,
  task: Task,
  dead: ReadonlySet<number>,
  { absent, live }: Findings,
): Coordination {
  if (absent.size > 0) world.count('absents');
  const isInvalid = [...live.values()].some(({ recovery }) => recovery.status === INV);
  if (isInvalid) return yield* noOp(world, task);
  const gone = new Set([...dead, ...absent]);
  if (absent.size > 0 && !world.mutants.has('absent_no_order')) {
    return yield* recover(world, task, gone);
  }
  if (task.b.parts.size > gone.size) yield* noOp(world, task);
}

function* goOn(
  world: World,
  task: Task,
  parts: readonly number[],
  ballot: Id,
  findings: Findings,
  outcome: Answer | undefined,
): Coordination {
  const { applied, absent, live } = findings;
  const merged = mergeDeps(parts, findings);
  const gone = new Set(absent);
  for (const [gid, { deps }] of applied) if (!deps) gone.add(gid);
  const rest = parts.filter((gid) => !gone.has(gid));
  const value = { ballot, deps: proposalOf(merged, rest) };
  const highest = best(live);
  if (outcome !== undefined || highest !== undefined) {
    const status = outcome === undefined ? must(highest).recovery.status : PREAPP;
    const executeAt = (outcome ?? must(highest)).executeAt ?? ZERO;
    if (status === INV) return yield* passOnInvalid(world, task, rest);
    if (status === AINV) return yield* invalidate(world, task, ballot, rest);
    if (status === ACC) return yield* propose(world, task, rest, { ...value, executeAt });
    const known: Known = { status, executeAt, outcome, merged, rest, applied };
    return yield* complete(world, task, ballot, known);
  }
  if (isFastRuledOut(world, rest, live)) return yield* invalidate(world, task, ballot, rest);
  const wait = new Set([...live.values()].flatMap(({ recovery }) => recovery.wait));
  for (const { recovery } of live.values()) for (const id of recovery.noWait) wait.delete(id);
  if (wait.size > 0) {
    for (const id of wait) world.wanted.add(id);
    return;
  }
  world.count('recoveryProposals');
  yield* propose(world, task, rest, { ...value, executeAt: task.t });
}

function proposalOf(merged: Map<number, Merged>, parts: readonly number[]): Map<number, Deps> {
  return depsOf(
    parts.map((gid) => {
      const { level, coordinated, local } = must(merged.get(gid));
      return [gid, level >= 1 ? (coordinated ?? NO_DEPS) : local] as const;
    }),
  );
}

function* passOnInvalid(world: World, task: Task, parts: readonly number[]): Coordination {
  const { t, b } = task;
  const isNoOp = world.wasGivenUp(t);
  const targets = world.members(isNoOp ? b.parts.keys() : parts);
  yield { targets, message: { type: isNoOp ? 'NoOp' : 'CommitInvalidate', t, b }, stop: never };
}

interface Known {
  readonly status: number;
  readonly executeAt: Id;
  readonly outcome: Answer | undefined;
  readonly merged: Map<number, Merged>;
  readonly rest: readonly number[];
  readonly applied: Map<number, Answer>;
}

/** executeAt is decided: the groups that lack deps get them, then it is executed or applied. */
function* complete(world: World, task: Task, ballot: Id, known: Known): Coordination {
  const { status, executeAt, outcome, merged, rest, applied } = known;
  const levelOf = (gid: number): number => must(merged.get(gid)).level;
  const deps = new Map<number, Deps>();
  for (const gid of rest) {
    if (levelOf(gid) >= 2) deps.set(gid, must(must(merged.get(gid)).coordinated));
  }
  const missing = rest.filter((gid) => levelOf(gid) < 2);
  if (missing.length > 0) {
    const proposed = new Map([...proposalOf(merged, rest), ...deps]);
    const found = yield* accept(world, task, missing, { ballot, executeAt, deps: proposed });
    if (found === undefined) return;
    for (const gid of missing) deps.set(gid, must(found.get(gid)));
  }
  const isShort = (gid: number): boolean =>
    status < STABLE ? !applied.has(gid) : levelOf(gid) < 3;
  const value = { ballot, executeAt, deps };
  if (!(yield* stabilise(world, task, rest.filter(isShort), value))) return;
  if (outcome === undefined) return yield* execute(world, task, rest, executeAt, deps);
  const result = outcome.result ?? null;
  if (outcome.outcome === 'eff') world.onResult(task, result);
  yield* persist(world, task, executeAt, deps, must(outcome.outcome), result);
}

function isFastRuledOut(world: World, parts: readonly number[], live: Findings['live']): boolean {
  for (const { recovery } of live.values()) if (recovery.rejects) return true;
  return parts.some((gid) => {
    const { electorate, fast } = world.group(gid);
    const others = electorate.filter(
      (member) => live.get(place(gid, member))?.recovery.votedFast === false,
    );
    return others.length > electorate.length - fast;
  });
}
