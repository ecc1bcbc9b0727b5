/**
 * One member's state in one group: votes, deps, decisions, and execution in the order of executeAt.
 * Told by its node only; asks the world for descriptors, and tells it what was applied.
 */
import type { Node } from './node.ts';
import {
  ACC,
  AINV,
  type Answer,
  APP,
  type Body,
  COM,
  type Deps,
  type DepsByGroup,
  type Group,
  type Id,
  INV,
  type Message,
  must,
  NO_DEPS,
  NONE,
  type Outcome,
  PRE,
  PREAPP,
  STABLE,
  Violation,
  ZERO,
} from './words.ts';
import type { World } from './world.ts';

export class Command {
  readonly id: Id;
  status = NONE;
  promised: Id = ZERO;
  accepted: Id = ZERO;
  executeAt: Id | null = null;
  deps: Deps = NO_DEPS;
  /** 0 no deps, 1 proposed, 2 committed, 3 stable. */
  level = 0;
  body: Body | null = null;
  outcome: Outcome | null = null;
  result: string | null = null;
  /** Known only as below the watermark of a snapshot. */
  covered = false;
  /** Given up by a proof that it has no effect anywhere. */
  noOp = false;
  served = false;
  /** Its vote said that it lies below rejectBefore. */
  isRejected = false;

  constructor(id: Id) {
    this.id = id;
  }
}

type Of<T extends Message['type']> = Extract<Message, { type: T }>;

export class Replica {
  readonly world: World;
  readonly node: Node;
  readonly group: Group;
  readonly commands = new Map<Id, Command>();
  /** By key: the highest vote, proposal or decision; of anything, and of writes alone. */
  readonly maxConflict = new Map<string, Id>();
  readonly maxWrite = new Map<string, Id>();
  ended: { readonly x: Id; readonly close: Id | null } | null = null;
  /** A snapshot of a younger generation has ended this one here. */
  skipped = false;
  isReady: boolean;
  /** Parents whose data are here. */
  readonly have = new Set<number>();
  hasSnapshot = false;
  /** A snapshot may hold the effect of whatever has an id up to here. */
  snapshotFloor: Id = ZERO;
  appliedMax: Id = ZERO;
  rejectBefore: Id = ZERO;
  redundantBefore: Id = ZERO;
  /** The part of it that came with a snapshot: what is below was applied by the donor. */
  coveredBefore: Id = ZERO;
  erasedBefore: Id = ZERO;
  /** Others have erased up to here: what is missing here can only come with a snapshot. */
  behind: Id = ZERO;
  readonly appliedBy = new Map<Id, Set<number>>();

  constructor(world: World, node: Node, group: Group) {
    this.world = world;
    this.node = node;
    this.group = group;
    this.isReady = group.parents.length === 0 && group.members.includes(node.id);
    const floor = world.mutants.has('below_floor') ? ZERO : group.floorTime;
    for (const key of group.keys) {
      this.maxConflict.set(key, floor);
      this.maxWrite.set(key, floor);
    }
  }

  get isMember(): boolean {
    return this.group.members.includes(this.node.id);
  }

  command(t: Id): Command {
    let command = this.commands.get(t);
    if (command === undefined) {
      command = new Command(t);
      this.commands.set(t, command);
    }
    return command;
  }

  keys(b: Body): readonly string[] {
    return must(b.parts.get(this.group.gid));
  }

  conflicts(a: Body, b: Body): boolean {
    if (a.kind === 'r' && b.kind === 'r') return false;
    if (this.world.mutants.has('close_no_reads')) {
      if ((a.kind === 'r' && b.kind === 'C') || (a.kind === 'C' && b.kind === 'r')) return false;
    }
    const keys = this.keys(b);
    return this.keys(a).some((key) => keys.includes(key));
  }

  bump(command: Command): void {
    if (command.executeAt === null) return;
    const b = must(command.body);
    for (const key of this.keys(b)) {
      raise(this.maxConflict, key, command.executeAt);
      if (b.kind !== 'r') raise(this.maxWrite, key, command.executeAt);
    }
  }

  calculateDeps(t: Id, b: Body, bound: Id): Deps {
    const ids: Id[] = [];
    for (const other of this.commands.values()) {
      if (other.id === t || other.id >= bound || other.body === null) continue;
      if (other.status === NONE || other.status === INV) continue;
      if (this.conflicts(b, other.body) && !this.#isPruned(other, b)) ids.push(other.id);
    }
    return { ids, mark: this.erasedBefore };
  }

  #isPruned(command: Command, b: Body): boolean {
    if (!this.world.config.rounds || command.status !== APP || !this.#isSpread(command)) {
      return false;
    }
    const keys = this.keys(b).filter((key) => this.keys(must(command.body)).includes(key));
    return keys.every((key) => {
      for (const later of this.commands.values()) {
        if (this.#covers(later, key, must(command.executeAt))) return true;
      }
      return false;
    });
  }

  #covers(later: Command, key: string, after: Id): boolean {
    const { mutants } = this.world;
    if (later.body === null || later.executeAt === null || later.body.kind === 'r') return false;
    if (later.executeAt <= after || !this.keys(later.body).includes(key)) return false;
    if (later.status === INV) return mutants.has('noop_covers');
    if (later.body.kind === 'C' && mutants.has('close_covers_early')) return later.status >= STABLE;
    if (mutants.has('covers_by_one')) return later.status === APP;
    return later.status === APP && this.#isSpread(later);
  }

  #isSpread(command: Command): boolean {
    if (this.world.mutants.has('covers_by_one')) return true;
    return (this.appliedBy.get(command.id)?.size ?? 0) >= this.group.quorum;
  }

  vote(t: Id, b: Body, mayBeFast: boolean): Id {
    const table = b.kind === 'r' ? this.maxWrite : this.maxConflict;
    let max = ZERO;
    for (const key of this.keys(b)) max = Math.max(max, must(table.get(key)));
    return mayBeFast && t > max ? t : this.node.uniqueNow(Math.max(max, t));
  }

  /** An unknown transaction below the marks: nothing is begun for it any more. */
  isTruncated(t: Id): boolean {
    return t < this.redundantBefore && !this.commands.has(t);
  }

  preAccept({ t, b }: Of<'PreAccept'>): Answer {
    const command = this.command(t);
    if (command.status === INV || command.promised > ZERO || command.status > PRE) {
      return { ok: false };
    }
    if (command.status === NONE) {
      command.isRejected = t < this.rejectBefore && !this.world.mutants.has('reject_not_kept');
      command.body = b;
      command.executeAt = this.vote(t, b, !command.isRejected);
      command.status = PRE;
      this.bump(command);
    }
    const vote = must(command.executeAt);
    return { ok: true, vote, rejected: command.isRejected, deps: this.calculateDeps(t, b, t) };
  }

  accept({ t, b, ballot, executeAt, deps }: Of<'Accept'>): Answer {
    const command = this.command(t);
    if (command.status >= COM || command.promised > ballot) return { ok: false };
    command.body = b;
    command.promised = command.accepted = ballot;
    command.executeAt = executeAt;
    command.status = ACC;
    command.deps = deps.get(this.group.gid) ?? NO_DEPS;
    command.level = 1;
    this.bump(command);
    return { ok: true, deps: this.calculateDeps(t, b, executeAt) };
  }

  acceptInvalidate({ t, ballot }: Of<'AcceptInvalidate'>): Answer {
    const command = this.command(t);
    if (command.status >= COM || command.promised > ballot) return { ok: false };
    command.promised = command.accepted = ballot;
    command.status = AINV;
    command.level = 0;
    command.deps = NO_DEPS;
    return { ok: true };
  }

  #agrees(command: Command, executeAt: Id): boolean {
    if (command.status === INV) {
      if (command.noOp) return false;
      throw new Violation(`${command.id} is committed after it was invalidated`);
    }
    if (command.status >= COM && command.executeAt !== executeAt && !command.covered) {
      throw new Violation(`${command.id} has two executeAts`);
    }
    return true;
  }

  commit({ t, b, ballot, executeAt, deps }: Of<'Commit'>): Answer {
    const command = this.command(t);
    if (!this.#agrees(command, executeAt) || command.promised > ballot) return { ok: false };
    if (command.status >= STABLE) return { ok: true };
    if (command.status === COM && command.accepted > ballot) return { ok: false };
    command.body = b;
    command.promised = Math.max(command.promised, ballot);
    command.accepted = ballot;
    command.executeAt = executeAt;
    command.status = COM;
    command.level = 2;
    command.deps = deps.get(this.group.gid) ?? NO_DEPS;
    this.bump(command);
    return { ok: true };
  }

  #makeStable(command: Command, b: Body, executeAt: Id, deps: DepsByGroup): boolean {
    if (!this.#agrees(command, executeAt)) return false;
    if (command.status >= STABLE) return true;
    if (command.id < this.redundantBefore && command.id >= this.coveredBefore) {
      throw new Violation(`${command.id} is decided below redundantBefore`);
    }
    command.body = b;
    command.executeAt = executeAt;
    command.status = STABLE;
    command.level = 3;
    command.deps = must(deps.get(this.group.gid));
    this.behind = Math.max(this.behind, command.deps.mark);
    this.bump(command);
    this.world.onDecided(command.id, executeAt);
    return true;
  }

  stable({ t, b, executeAt, deps }: Of<'Stable'>): Answer | null {
    const command = this.command(t);
    if (!this.#makeStable(command, b, executeAt, deps)) return { ok: false };
    this.node.progress();
    return this.answerRead(command);
  }

  /** The answer to Stable and Read; null for not yet. */
  answerRead(command: Command): Answer | null {
    if (command.status === INV) return { ok: false };
    if (this.ended !== null && this.node.replicas.get(this.group.gid) === this) {
      return this.node.answerEnded(this.group.gid, command.id, command.body);
    }
    if (command.status === APP || command.status === PREAPP) {
      if (command.covered) return { ok: false };
      return { ok: true, done: true, outcome: command.outcome, result: command.result };
    }
    const b = must(command.body);
    if (!b.isMulti || command.status !== STABLE || !this.isReady || this.skipped) return null;
    if (!this.#mayExecute(command) || this.#isCovered(command)) return null;
    command.served = true;
    return { ok: true, read: this.#read(b) };
  }

  #read(b: Body): readonly string[] {
    if (b.kind === 'C') return [];
    return this.keys(b).map((key) => `${key}:${(this.node.data.get(key) ?? []).join(',')}`);
  }

  #isCovered(command: Command): boolean {
    if (!this.hasSnapshot) return false;
    if (command.id < this.coveredBefore) return true;
    const executeAt = must(command.executeAt);
    return this.keys(must(command.body)).some(
      (key) => executeAt <= (this.node.writeMarks.get(key) ?? ZERO),
    );
  }

  apply({ t, b, executeAt, deps, outcome, result }: Of<'Apply'>): Answer {
    const command = this.command(t);
    if (command.status === INV && command.noOp && outcome === 'eff') {
      throw new Violation(`${t} has its effect after it was given up, at node ${this.node.id}`);
    }
    if (!this.#agrees(command, executeAt)) return { ok: true };
    if (command.status < PREAPP) {
      this.#makeStable(command, b, executeAt, deps);
      command.outcome = outcome;
      command.result = result;
      command.status = PREAPP;
    } else if (command.outcome !== null && outcome !== command.outcome && !command.covered) {
      throw new Violation(`${t} has two outcomes`);
    }
    this.node.progress();
    return { ok: true };
  }

  noOp({ t, b }: Of<'NoOp'>): Answer {
    const command = this.command(t);
    if (command.status === PREAPP || command.status === APP) {
      if (command.outcome === 'eff' && !command.covered) {
        throw new Violation(`no-op of ${t}, which had its effect at node ${this.node.id}`);
      }
      if (command.status === APP) return { ok: true };
    }
    command.body ??= b;
    command.status = INV;
    command.noOp = true;
    this.world.onGivenUp(t);
    this.node.progress();
    return { ok: true };
  }

  commitInvalidate({ t }: Of<'CommitInvalidate'>): Answer {
    const command = this.command(t);
    if (command.status >= COM && command.status <= APP) {
      throw new Violation(`${t} is invalidated after it was committed`);
    }
    command.status = INV;
    this.node.progress();
    return { ok: true };
  }

  #mayExecute(command: Command): boolean {
    const { mutants } = this.world;
    const executeAt = must(command.executeAt);
    const noMark = mutants.has('deps_without_mark');
    if (command.deps.mark > this.redundantBefore && !noMark) return false;
    return command.deps.ids.every((id) => {
      if (id < this.redundantBefore) return true;
      const dep = this.commands.get(id);
      if (dep === undefined || dep.status < COM) return false;
      if (dep.status === INV || dep.status === APP || must(dep.executeAt) > executeAt) return true;
      return (
        mutants.has('wait_read') && must(dep.body).isMulti && dep.status >= STABLE && dep.served
      );
    });
  }

  /** Executes what may be executed; whether anything was. */
  step(): boolean {
    if (this.skipped) return false;
    if (!this.isReady && !this.world.mutants.has('exec_before_parent')) return false;
    let changed = false;
    for (const command of [...this.commands.values()]) {
      if (command.status !== STABLE && command.status !== PREAPP) continue;
      if (this.#isCovered(command)) {
        command.status = APP;
        command.covered = true;
        changed = true;
        continue;
      }
      const isFixed = command.status === PREAPP || !must(command.body).isMulti;
      if (isFixed && this.#mayExecute(command)) {
        this.#execute(command);
        changed = true;
      }
    }
    return changed;
  }

  #execute(command: Command): void {
    const { mutants } = this.world;
    const b = must(command.body);
    const executeAt = must(command.executeAt);
    if (!b.isMulti) {
      const isSecond = b.kind === 'C' && mutants.has('second_close');
      const isMoved = this.ended !== null && !isSecond && !mutants.has('later_effect');
      command.outcome = isMoved ? 'moved' : 'eff';
      if (!isMoved) command.result = this.#read(b).toSorted().join(';');
    }
    if (command.outcome === 'eff') {
      if (this.ended !== null && !mutants.has('second_close') && !mutants.has('later_effect')) {
        throw new Violation(`${command.id} has its effect in the ended group ${this.group.gid}`);
      }
      if (b.kind === 'C') this.node.close(this, command);
      else this.#write(command, b, executeAt);
    }
    command.status = APP;
    this.appliedMax = Math.max(this.appliedMax, executeAt);
    this.heardApplied(command.id, this.node.id);
    this.world.onApplied(command, b);
    if (b.isMulti) {
      const outcome = must(command.outcome);
      this.node.table.set(command.id, { executeAt, outcome, result: command.result });
    }
  }

  #write(command: Command, b: Body, executeAt: Id): void {
    const { data, writeMarks, readMarks } = this.node;
    for (const key of this.keys(b)) {
      let mark = writeMarks.get(key) ?? ZERO;
      if (b.kind === 'w') mark = Math.max(mark, readMarks.get(key) ?? ZERO);
      if (mark >= executeAt) {
        throw new Violation(`out of order at node ${this.node.id}, key ${key}: ${command.id}`);
      }
      if (b.kind === 'w') {
        writeMarks.set(key, executeAt);
        data.set(key, [...(data.get(key) ?? []), b.unit]);
      } else raise(readMarks, key, executeAt);
    }
  }

  heardApplied(id: Id, member: number): void {
    if (!this.group.members.includes(member)) return;
    let members = this.appliedBy.get(id);
    if (members === undefined) {
      members = new Set();
      this.appliedBy.set(id, members);
    }
    members.add(member);
  }

  /** Applied here in order, not only known as below a snapshot. */
  appliedIds(): Id[] {
    const ids: Id[] = [];
    for (const command of this.commands.values()) {
      if (command.status === APP && !command.covered) ids.push(command.id);
    }
    return ids;
  }

  barrier({ key }: Of<'Barrier'>): Answer {
    const ids: Id[] = [];
    for (const command of this.commands.values()) {
      if (command.body === null || command.status === NONE || command.status === INV) continue;
      if (command.body.kind !== 'r' && this.keys(command.body).includes(key)) ids.push(command.id);
    }
    return { ok: true, deps: { ids, mark: this.erasedBefore } };
  }
}

export function raise(table: Map<string, Id>, key: string, to: Id): void {
  if (to > (table.get(key) ?? ZERO)) table.set(key, to);
}
