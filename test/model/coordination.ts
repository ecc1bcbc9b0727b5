/**
 * The way of a transaction: PreAccept, perhaps Accept and Commit, then Stable with a read in each
 * group, and Apply. A coordinator is a generator that yields what it sends and is resumed with what
 * its rule made of the answers.
 */

import {
  type Answer,
  type Body,
  type Deps,
  type DepsByGroup,
  groupOf,
  type Id,
  type Message,
  must,
  NO_DEPS,
  place,
  union,
  ZERO,
} from './words.ts';
import type { World } from './world.ts';

export type Answers = ReadonlyMap<number, Answer>;

export interface Verdict {
  readonly is: 'ended' | 'fail' | 'fast' | 'slow' | 'ok' | 'done' | 'read' | 'none' | 'bounce';
  readonly answer?: Answer;
  readonly answers?: Answers;
  readonly read?: readonly string[];
}

export interface Step {
  readonly targets: readonly number[];
  readonly message: Message;
  /** The verdict as soon as there is one. */
  readonly stop: (answers: Answers) => Verdict | undefined;
}

export type Coordination = Generator<Step, void, Verdict>;
export type Round<T> = Generator<Step, T, Verdict>;

export interface Task {
  readonly t: Id;
  readonly b: Body;
  /** The first coordinator, not a recovery. */
  readonly isOriginal: boolean;
  readonly node: number;
}

export function never(): undefined {
  return undefined;
}

/** The common rule: an end with a fate first, then a refusal, then what `good` says. */
export function standard(
  world: World,
  good: (answers: Answers) => Verdict | undefined,
): Step['stop'] {
  const isBlind = world.mutants.has('resubmit_blind');
  return (answers) => {
    for (const answer of answers.values()) {
      if (answer.ended !== true) continue;
      const isFinal = answer.fate === 'none' || answer.fate === 'applied';
      if (isFinal || isBlind) return { is: 'ended', answer };
    }
    for (const answer of answers.values()) if (!answer.ok) return { is: 'fail' };
    return good(answers);
  };
}

function isOfRound(answer: Answer | undefined): boolean {
  return answer !== undefined && answer.unknown !== true && answer.fate === undefined;
}

/** A quorum of each of the groups has answered with something that counts. */
export function hasQuorum(world: World, groups: Iterable<number>, answers: Answers): boolean {
  for (const gid of groups) {
    const { members, quorum } = world.group(gid);
    const counted = members.filter((member) => isOfRound(answers.get(place(gid, member))));
    if (counted.length < quorum) return false;
  }
  return true;
}

export function depsOf(pairs: Iterable<readonly [number, Deps]>): Map<number, Deps> {
  const merged = new Map<number, Deps>();
  for (const [gid, deps] of pairs) merged.set(gid, union(merged.get(gid), deps));
  return merged;
}

function isFast(world: World, { t, b }: Task, answers: Answers): boolean {
  for (const gid of b.parts.keys()) {
    const { electorate, fast } = world.group(gid);
    const votes = electorate.filter((member) => {
      const answer = answers.get(place(gid, member));
      return answer?.vote === t && answer.rejected !== true;
    });
    if (votes.length < (world.mutants.has('small_fast_quorum') ? fast - 1 : fast)) return false;
  }
  return true;
}

export function* coordinate(world: World, task: Task): Coordination {
  const { t, b } = task;
  const targets = world.members(b.parts.keys());
  const verdict = yield {
    targets,
    message: { type: 'PreAccept', t, b },
    stop: standard(world, (answers) => {
      if (isFast(world, task, answers)) return { is: 'fast', answers: new Map(answers) };
      if (!hasQuorum(world, b.parts.keys(), answers)) return undefined;
      const isLate = answers.size === targets.length || world.dice.chance(0.5);
      return isLate ? { is: 'slow', answers: new Map(answers) } : undefined;
    }),
  };
  if (verdict.is === 'ended') return yield* afterEnd(world, task, must(verdict.answer));
  if (verdict.is === 'fail') return;
  const votes = [...must(verdict.answers)].filter(([, answer]) => answer.vote !== undefined);
  world.count(verdict.is);
  const isUsed = ([, { vote }]: [number, Answer]) => verdict.is === 'slow' || vote === t;
  const used = votes.filter(isUsed);
  const deps = depsOf(used.map(([at, answer]) => [groupOf(at), must(answer.deps)] as const));
  const parts = [...b.parts.keys()];
  if (verdict.is === 'fast') return yield* execute(world, task, parts, t, deps);
  if (votes.some(([, { rejected }]) => rejected === true)) {
    return yield* invalidate(world, task, ZERO, parts);
  }
  const executeAt = Math.max(...votes.map(([, { vote }]) => must(vote)));
  yield* propose(world, task, parts, { ballot: ZERO, executeAt, deps });
}

export interface Value {
  readonly ballot: Id;
  readonly executeAt: Id;
  readonly deps: DepsByGroup;
}

/** Accept in the groups `only`, and the deps that come of it; undefined if it was not taken. */
export function* accept(
  world: World,
  task: Task,
  only: readonly number[],
  value: Value,
): Round<Map<number, Deps> | undefined> {
  const { t, b } = task;
  const verdict = yield {
    targets: world.members(only),
    message: { type: 'Accept', t, b, ...value },
    stop: standard(world, (answers) =>
      hasQuorum(world, only, answers) ? { is: 'ok', answers: new Map(answers) } : undefined,
    ),
  };
  if (verdict.is === 'ended') yield* afterEnd(world, task, must(verdict.answer));
  if (verdict.is !== 'ok') return undefined;
  const more = [...must(verdict.answers)].flatMap(([at, { deps }]) =>
    deps === undefined || deps === null ? [] : [[groupOf(at), deps] as const],
  );
  return depsOf([...value.deps, ...more]);
}

export function* propose(
  world: World,
  task: Task,
  parts: readonly number[],
  value: Value,
): Coordination {
  const found = yield* accept(world, task, parts, value);
  if (found === undefined) return;
  const deps = new Map(parts.map((gid) => [gid, found.get(gid) ?? NO_DEPS]));
  if (yield* stabilise(world, task, parts, { ...value, deps })) {
    yield* execute(world, task, parts, value.executeAt, deps);
  }
}

export function* stabilise(
  world: World,
  task: Task,
  parts: readonly number[],
  value: Value,
): Round<boolean> {
  if (parts.length === 0) return true;
  const { t, b } = task;
  const verdict = yield {
    targets: world.members(parts),
    message: { type: 'Commit', t, b, ...value },
    stop: standard(world, (answers) =>
      hasQuorum(world, parts, answers) ? { is: 'ok' } : undefined,
    ),
  };
  if (verdict.is === 'ended') yield* afterEnd(world, task, must(verdict.answer));
  return verdict.is === 'ok';
}

/** Stable to all; several groups answer with a read each, one group with its result. */
function executeStop(world: World, b: Body, parts: readonly number[], all: number): Step['stop'] {
  const isTorn = world.mutants.has('moved_one') && b.isMulti;
  const isBlind = world.mutants.has('resubmit_blind');
  return (answers) => {
    const reads = new Map<number, readonly string[]>();
    for (const [at, answer] of answers) {
      const gid = groupOf(at);
      if (isTorn && answer.fate === 'none') {
        if (!reads.has(gid)) {
          reads.set(
            gid,
            must(b.parts.get(gid)).map((key) => `${key}:`),
          );
        }
        continue;
      }
      const isFinal = answer.fate === 'none' || answer.fate === 'applied' || isBlind;
      if (answer.ended === true && isFinal) return { is: 'ended', answer };
      if (answer.done === true) return { is: 'done', answer };
      if (answer.read !== undefined) reads.set(gid, answer.read);
    }
    if (b.isMulti && parts.every((gid) => reads.has(gid))) {
      return { is: 'read', read: [...reads.values()].flat() };
    }
    const isOver = answers.size === all && [...answers.values()].every(({ ok }) => !ok);
    return isOver ? { is: 'fail' } : undefined;
  };
}

export function* execute(
  world: World,
  task: Task,
  parts: readonly number[],
  executeAt: Id,
  found: DepsByGroup,
): Coordination {
  const { t, b, isOriginal } = task;
  const deps = new Map([...b.parts.keys()].map((gid) => [gid, found.get(gid) ?? NO_DEPS]));
  const targets = world.members(parts);
  const verdict = yield {
    targets: [...targets, ...world.learners(parts)],
    message: { type: 'Stable', t, b, executeAt, deps },
    stop: executeStop(world, b, parts, targets.length),
  };
  if (verdict.is === 'ended') return yield* afterEnd(world, task, must(verdict.answer));
  if (verdict.is === 'fail') return;
  if (verdict.is === 'done') {
    const { outcome, result = null } = must(verdict.answer);
    if (outcome === 'moved') {
      if (isOriginal) world.resubmit(task);
    } else world.onResult(task, result);
    if (b.isMulti) yield* persist(world, task, executeAt, deps, must(outcome), result);
    return;
  }
  const result = must(verdict.read).toSorted().join(';');
  world.onResult(task, result);
  yield* persist(world, task, executeAt, deps, 'eff', result);
}

export function* persist(
  world: World,
  { t, b }: Task,
  executeAt: Id,
  deps: DepsByGroup,
  outcome: 'eff' | 'moved',
  result: string | null,
): Coordination {
  const parts = [...b.parts.keys()].filter((gid) => deps.has(gid));
  yield {
    targets: [...world.members(parts), ...world.learners(parts)],
    message: { type: 'Apply', t, b, executeAt, deps, outcome, result },
    stop: never,
  };
}

/** A group has ended, and a member of it knows what became of the transaction. */
export function* afterEnd(world: World, task: Task, answer: Answer): Coordination {
  const { t, b, isOriginal } = task;
  if (world.mutants.has('resubmit_blind') && isOriginal && b.kind !== 'C') {
    world.resubmit(task);
    return;
  }
  world.count('fates');
  if (answer.fate === 'none') return yield* noOp(world, task);
  if (answer.fate !== 'applied') return;
  if (answer.outcome === 'moved') {
    if (isOriginal) world.resubmit(task);
  } else world.onResult(task, answer.result ?? null);
  if (b.isMulti || isOriginal) world.wanted.add(t);
}

/** The transaction has no effect anywhere, ever. Its own coordinator begins its unit again. */
export function* noOp(world: World, task: Task): Coordination {
  const { t, b, isOriginal } = task;
  world.count('noOps');
  if (isOriginal) world.resubmit(task);
  if (world.mutants.has('no_noop')) return;
  const targets = [...world.members(b.parts.keys()), ...world.learners(b.parts.keys())];
  yield { targets, message: { type: 'NoOp', t, b }, stop: never };
}

export function* invalidate(
  world: World,
  task: Task,
  ballot: Id,
  parts: readonly number[],
): Coordination {
  const { t, b } = task;
  const one = [Math.min(...parts)];
  const verdict = yield {
    targets: world.members(one),
    message: { type: 'AcceptInvalidate', t, b, ballot },
    stop: standard(world, (answers) => (hasQuorum(world, one, answers) ? { is: 'ok' } : undefined)),
  };
  if (verdict.is === 'ended' && must(verdict.answer).fate === 'none') {
    return yield* noOp(world, { ...task, isOriginal: false });
  }
  if (verdict.is !== 'ok') return;
  const type = world.wasGivenUp(t) ? 'NoOp' : 'CommitInvalidate';
  const targets = [...world.members(b.parts.keys()), ...world.learners(b.parts.keys())];
  yield { targets, message: { type, t, b }, stop: never };
}
