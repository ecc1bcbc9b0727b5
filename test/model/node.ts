/**
 * One node: its replicas, its data, what it knows about the ends of groups, and the journal from
 * which all of that is built again after a crash. The journal holds inputs; a crash keeps a prefix
 * that contains everything synced, and an answer leaves only when its input is synced.
 */
import { appliedBelow, erase, recover, rejectBefore, settle } from './evidence.ts';
import type { Command } from './replica.ts';
import { Replica, raise } from './replica.ts';
import {
  type Answer,
  APP,
  type Body,
  type Fate,
  type Group,
  type Id,
  type Message,
  must,
  NODES_MAX,
  type Snapshot,
  type TableEntry,
  ZERO,
} from './words.ts';
import type { World } from './world.ts';

interface Entry {
  readonly gid: number;
  readonly message: Message;
  /** The clock when it was taken, so that a replay votes the same. */
  readonly last: number;
  readonly now: number;
}

const UNLOGGED = new Set(['Barrier', 'Holds', 'HasData']);

export class Node {
  readonly world: World;
  readonly id: number;
  replicas = new Map<number, Replica>();
  data = new Map<string, readonly number[]>();
  writeMarks = new Map<string, Id>();
  readMarks = new Map<string, Id>();
  forgotten = new Set<number>();
  /** The outcome table. */
  table = new Map<Id, TableEntry>();
  /** By key: the youngest generation that the table covers. */
  covers = new Map<string, number>();
  /** By group: its Close, where that was executed here. */
  executedCloses = new Map<number, Id>();
  endings = new Map<number, Id>();
  /** By key: the youngest group known. Soft: lost at a restart. */
  view = new Map<string, number>();
  journal: Entry[] = [];
  synced = 0;
  #last = 0;
  #now = 0;
  #replaying = false;
  #isBusy = false;

  constructor(world: World, id: number) {
    this.world = world;
    this.id = id;
  }

  boot(): void {
    this.replicas = new Map();
    this.data = new Map();
    this.writeMarks = new Map();
    this.readMarks = new Map();
    this.forgotten = new Set();
    this.table = new Map();
    this.covers = new Map();
    this.executedCloses = new Map();
    this.endings = new Map();
    this.view = new Map();
    for (const group of this.world.roots) {
      this.learn(group);
      if (group.members.includes(this.id)) this.replica(group.gid);
    }
  }

  /** Loses the tail of the journal from `kept` on, and builds everything from what is left. */
  restart(kept: number): void {
    const last = this.#last;
    this.journal.length = kept;
    this.synced = kept;
    this.boot();
    this.#replaying = true;
    for (const entry of this.journal) {
      this.#last = entry.last;
      this.#now = entry.now;
      this.#take(entry.gid, entry.message);
    }
    this.#replaying = false;
    this.#last = last;
  }

  uniqueNow(atLeast: Id): Id {
    const now = this.#replaying ? this.#now : this.world.now;
    const skewed = now + (this.world.skew.get(this.id) ?? 0);
    this.#last = Math.max(skewed, this.#last + 1, Math.floor(atLeast / NODES_MAX) + 1);
    return this.#last * NODES_MAX + this.id;
  }

  learn(group: Group): void {
    for (const key of group.keys) {
      const known = this.view.get(key);
      const generation = known === undefined ? 0 : this.world.group(known).generation;
      if (group.generation > generation) this.view.set(key, group.gid);
    }
  }

  replica(gid: number): Replica {
    let replica = this.replicas.get(gid);
    if (replica !== undefined) return replica;
    const group = this.world.group(gid);
    replica = new Replica(this.world, this, group);
    this.replicas.set(gid, replica);
    this.learn(group);
    if (!this.world.mutants.has('half_snap')) this.#endIfOlder(replica);
    this.checkReady(gid);
    return replica;
  }

  /** A snapshot of a younger generation is here: this one is over before it begins. */
  #endIfOlder(replica: Replica): void {
    const { group } = replica;
    for (const other of this.replicas.values()) {
      if (!other.hasSnapshot || other.group.generation <= group.generation) continue;
      const isHit = [...other.have].some((parent) =>
        this.world
          .group(parent)
          .keys.some((key) => group.keys.includes(key) && other.group.keys.includes(key)),
      );
      if (isHit) this.#skip(replica, other.group.floorTime);
    }
  }

  #skip(replica: Replica, x: Id): void {
    const { gid } = replica.group;
    replica.skipped = true;
    replica.ended = { x, close: null };
    this.endings.set(gid, Math.min(this.endings.get(gid) ?? x, x));
  }

  checkReady(gid: number): void {
    const replica = this.replicas.get(gid);
    const { parents } = this.world.group(gid);
    if (replica === undefined || replica.isReady || parents.length === 0) return;
    const birth = this.world.births.get(gid);
    for (const parent of parents) {
      const close = this.executedCloses.get(parent);
      if (close !== undefined && close === birth) replica.have.add(parent);
    }
    replica.isReady = parents.every((parent) => replica.have.has(parent));
  }

  /** A Close has its effect: the group ends, and its successors begin here. */
  close(replica: Replica, command: Command): void {
    const x = must(command.executeAt);
    const { gid, keys, generation } = replica.group;
    replica.ended = { x, close: command.id };
    this.world.onClosed(gid, command.id);
    for (const key of keys) {
      raise(this.writeMarks, key, x);
      raise(this.covers, key, generation + 1);
    }
    this.executedCloses.set(gid, command.id);
    this.endings.set(gid, x);
    for (const next of must(command.body).successors) {
      const group = this.world.group(next);
      group.floor = x;
      this.world.births.set(next, command.id);
      this.learn(group);
      if (group.members.includes(this.id)) this.replica(next);
      this.checkReady(next);
    }
  }

  progress(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    let changed = true;
    while (changed) {
      changed = false;
      for (const replica of [...this.replicas.values()]) changed = replica.step() || changed;
    }
    this.#isBusy = false;
    if (!this.#replaying) this.world.onProgress(this);
  }

  /** The answer to a message; null for not yet. */
  receive(gid: number, message: Message): Answer | null {
    if (!UNLOGGED.has(message.type)) {
      this.journal.push({ gid, message, last: this.#last, now: this.world.now });
    }
    return this.#take(gid, message);
  }

  #take(gid: number, message: Message): Answer | null {
    switch (message.type) {
      case 'Snapshot':
        this.#install(gid, message.snapshot);
        return { ok: true };
      case 'Forget':
        this.replicas.delete(gid);
        if (!this.world.mutants.has('amnesia')) this.forgotten.add(gid);
        return null;
      case 'Drop':
        this.table.delete(message.t);
        return null;
      case 'Learn':
        if (!this.forgotten.has(gid)) this.replica(gid);
        return null;
      case 'Holds':
        return { ok: true, has: this.#holds(gid, message.t) };
      case 'HasData':
        return { ok: true, has: this.hasData(gid) };
      default:
        return this.#forGroup(gid, message);
    }
  }

  #forGroup(gid: number, message: Message): Answer | null {
    const { mutants } = this.world;
    const t = 't' in message ? message.t : null;
    const b = 'b' in message ? message.b : null;
    if (this.forgotten.has(gid)) return this.#bounceOr(message, t, b, gid);
    const replica = this.replica(gid);
    const early = mutants.has('ended_early') ? this.#endedEarly(replica, message, t) : null;
    if (early !== null) return early;
    if (replica.ended !== null) {
      if (message.type === 'Barrier' && mutants.has('eph_no_bounce')) {
        return replica.barrier(message);
      }
      return this.#bounceOr(message, t, b, gid);
    }
    const begins = message.type === 'PreAccept' || message.type === 'Recover';
    const isLow = begins && message.t <= replica.group.floorTime;
    if (isLow && !mutants.has('below_floor')) {
      return { ok: true, ended: true, fate: 'none', hints: [] };
    }
    const isKept = mutants.has('erased_is_begun') && t !== null && this.table.has(t);
    if (t !== null && replica.isTruncated(t) && !isKept) {
      return this.#truncated(replica, message, t);
    }
    return this.#handle(replica, message);
  }

  /** Erased here: the outcome table may still know what became of it. No record is made. */
  #truncated(replica: Replica, { type }: Message, t: Id): Answer | null {
    const entry = this.table.get(t);
    const erased = replica.erasedBefore;
    if (entry === undefined) {
      const mayTell = type === 'Recover' && replica.isReady && this.world.body(t).isMulti;
      if (mayTell && !this.world.mutants.has('live_never_absent')) {
        return { ok: true, fate: 'absent' };
      }
      return { ok: false, unknown: true, erased };
    }
    if (type === 'Stable') return { ok: true, done: true, ...entry };
    if (type !== 'Recover') return { ok: false, unknown: true, erased };
    return { ok: true, ...entry, recovery: appliedBelow(erased) };
  }

  #bounceOr(message: Message, t: Id | null, b: Body | null, gid: number): Answer {
    const answer = this.answerEnded(gid, t, b);
    return message.type === 'Barrier' ? { ...answer, fate: 'bounce' } : answer;
  }

  #handle(replica: Replica, message: Message): Answer | null {
    switch (message.type) {
      case 'PreAccept':
        return replica.isMember ? replica.preAccept(message) : null;
      case 'Accept':
        return replica.isMember ? replica.accept(message) : null;
      case 'AcceptInvalidate':
        return replica.acceptInvalidate(message);
      case 'Commit':
        return replica.isMember ? replica.commit(message) : null;
      case 'Stable': {
        const answer = replica.stable(message);
        return replica.isMember ? answer : null;
      }
      case 'Apply':
        return replica.apply(message);
      case 'NoOp':
        return replica.noOp(message);
      case 'CommitInvalidate':
        return replica.commitInvalidate(message);
      case 'Recover':
        return recover(replica, message.t, message.b, message.ballot);
      case 'Barrier':
        return replica.barrier(message);
      case 'Reject':
        return rejectBefore(replica, message.x);
      case 'Settle':
        return settle(replica, message.x, message.ids);
      case 'Erase':
        return erase(replica, message.x);
      case 'Hint':
        for (const id of message.ids) replica.heardApplied(id, message.from);
        return null;
      default:
        throw new Error(`no group takes ${message.type}`);
    }
  }

  /** Mutant: `Ended` is said when Close is stable, not when it was executed here. */
  #endedEarly(replica: Replica, message: Message, t: Id | null): Answer | null {
    const { type } = message;
    const isAsked = type === 'PreAccept' || type === 'Recover' || type === 'Accept';
    if (!isAsked || replica.ended !== null) return null;
    const closes = [...replica.commands.values()].filter(
      ({ body, status, outcome, id }) =>
        body?.kind === 'C' && status >= 5 && status <= APP && outcome !== 'moved' && id !== t,
    );
    if (closes.length === 0) return null;
    const hints = closes.flatMap((close) => {
      for (const next of must(close.body).successors) {
        this.world.group(next).floor ??= close.executeAt;
        if (!this.world.births.has(next)) this.world.births.set(next, close.id);
      }
      return must(close.body).successors;
    });
    const command = t === null ? undefined : replica.commands.get(t);
    if (command?.status !== APP) return { ok: true, ended: true, fate: 'none', hints };
    const { executeAt, deps, outcome, result } = command;
    return { ok: true, ended: true, fate: 'applied', executeAt, deps, outcome, result, hints };
  }

  answerEnded(gid: number, t: Id | null, b: Body | null): Answer {
    const { keys } = this.world.group(gid);
    const known = keys.flatMap((key) => this.view.get(key) ?? []);
    const hints = [...new Set(known)].sort((p, q) => p - q);
    return { ok: true, ended: true, hints, ...this.#fate(gid, t, b) };
  }

  #fate(gid: number, t: Id | null, b: Body | null): Omit<Answer, 'ok'> & { fate: Fate } {
    const { mutants } = this.world;
    const replica = this.replicas.get(gid);
    const x = this.endings.get(gid) ?? ZERO;
    if (t === null) return { fate: 'unknown' };
    const command = replica?.commands.get(t);
    if (command?.status === APP && !command.covered) {
      const { executeAt, deps, outcome, result } = command;
      const isEarlier = outcome === 'eff' || must(executeAt) < x;
      return isEarlier ? { fate: 'applied', executeAt, deps, outcome, result } : { fate: 'none' };
    }
    const entry = this.table.get(t);
    if (entry !== undefined) return { fate: 'applied', deps: null, ...entry };
    if (replica?.ended !== undefined && replica.ended !== null && !replica.skipped) {
      const mark = Math.max(
        mutants.has('none_for_the_forgotten') ? ZERO : replica.redundantBefore,
        mutants.has('none_below_snapshot') ? ZERO : replica.snapshotFloor + 1,
      );
      if (command?.covered !== true && t >= mark) return { fate: 'none' };
    }
    if (t > x && x !== ZERO) return { fate: 'none' };
    if (mutants.has('absent_is_none')) return { fate: 'none' };
    if (b !== null && this.#coversAll(gid, b)) return { fate: 'absent' };
    return { fate: 'unknown' };
  }

  /** Whether the table would hold what `b` did in this group. Only several groups leave entries. */
  #coversAll(gid: number, b: Body): boolean {
    const keys = b.parts.get(gid);
    if (keys === undefined || !b.isMulti) return false;
    if (this.world.mutants.has('no_cover')) return true;
    const { generation } = this.world.group(gid);
    return keys.every((key) => (this.covers.get(key) ?? 0) > generation);
  }

  #holds(gid: number, t: Id): boolean {
    const replica = this.replicas.get(gid);
    if (this.forgotten.has(gid) || (replica !== undefined && replica.ended !== null)) return true;
    const command = replica?.commands.get(t);
    const isCounted = this.world.mutants.has('covered_holds') || command?.covered !== true;
    if (replica !== undefined && t < replica.redundantBefore && command === undefined) return true;
    return command !== undefined && command.status >= 6 && command.status <= APP && isCounted;
  }

  hasData(gid: number): boolean {
    const replica = this.replicas.get(gid);
    if (this.forgotten.has(gid)) return true;
    return replica !== undefined && (replica.isReady || replica.ended !== null);
  }

  snapshot(gid: number, part: number | null): Snapshot {
    const group = this.world.group(gid);
    const keys = partOf(this.world, group, part);
    const replica = part === null ? must(this.replicas.get(gid)) : null;
    const table = [...this.table].filter(([t]) => {
      if (this.world.mutants.has('snap_no_table')) return false;
      const { parts } = this.world.body(t);
      return [...parts.values()].some((touched) => touched.some((key) => keys.includes(key)));
    });
    return {
      part,
      data: new Map(keys.map((key) => [key, this.data.get(key) ?? []])),
      marks: new Map(keys.map((key) => [key, this.writeMarks.get(key) ?? ZERO])),
      table: new Map(table),
      redundant: replica?.redundantBefore ?? ZERO,
      floor: Math.max(replica?.snapshotFloor ?? group.floorTime, replica?.appliedMax ?? ZERO),
    };
  }

  #install(gid: number, snapshot: Snapshot): void {
    if (this.forgotten.has(gid)) return;
    const group = this.world.group(gid);
    const { part } = snapshot;
    const keys = partOf(this.world, group, part);
    const replica = this.replica(gid);
    if (replica.ended !== null || !this.#isWanted(replica, snapshot)) return;
    const isOlder = [...this.replicas.values()].some(
      (other) =>
        other.group.generation > group.generation &&
        (other.isReady || other.hasSnapshot) &&
        other.group.keys.some((key) => keys.includes(key)),
    );
    if (isOlder) return;
    for (const key of keys) {
      this.data.set(key, must(snapshot.data.get(key)));
      this.writeMarks.set(key, must(snapshot.marks.get(key)));
      this.readMarks.set(key, ZERO);
      raise(this.covers, key, group.generation);
    }
    for (const [t, entry] of snapshot.table) this.table.set(t, entry);
    replica.hasSnapshot = true;
    replica.snapshotFloor = Math.max(replica.snapshotFloor, snapshot.floor);
    replica.redundantBefore = Math.max(replica.redundantBefore, snapshot.redundant);
    replica.coveredBefore = Math.max(replica.coveredBefore, snapshot.redundant);
    for (const parent of part === null ? group.parents : [part]) replica.have.add(parent);
    replica.isReady = part === null || group.parents.every((parent) => replica.have.has(parent));
    this.world.count('snapshots');
    this.#endOlder(group, keys);
    this.progress();
  }

  #isWanted(replica: Replica, { part, redundant, marks }: Snapshot): boolean {
    if (part !== null) return !replica.isReady && !replica.have.has(part);
    if (!replica.isReady) return true;
    if (redundant <= replica.redundantBefore) return false;
    return [...marks].every(([key, mark]) => mark >= (this.writeMarks.get(key) ?? ZERO));
  }

  #endOlder(group: Group, keys: readonly string[]): void {
    if (this.world.mutants.has('half_snap')) return;
    for (const other of this.replicas.values()) {
      if (other.group.generation >= group.generation || other.ended !== null) continue;
      if (other.group.keys.some((key) => keys.includes(key))) this.#skip(other, group.floorTime);
    }
  }
}

/** The keys of one part of a snapshot: of a parent's slots, or of the whole group. */
function partOf(world: World, group: Group, part: number | null): readonly string[] {
  if (part === null) return group.keys;
  const { keys } = world.group(part);
  return group.keys.filter((key) => keys.includes(key));
}
