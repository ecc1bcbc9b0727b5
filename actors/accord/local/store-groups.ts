/**
 * The groups of one store: which of them have something to do and when, and what they add up to. A
 * group that no message and no deadline concerns costs nothing, however many there are. Pure.
 */
import type { Group } from '../topology/group.ts';
import { type GroupId, GroupMap } from '../topology/group-id.ts';
import type { Watermarks } from './effects.ts';
import type { Replica } from './replica.ts';

export interface StoreGroup {
  readonly group: Group;
  readonly replica: Replica;
  /**
   * No record of its marks that it needs is older; 0 until that is known, `UNWRITTEN` as long as
   * the log holds nothing of it.
   */
  marksLsn: number;
  /** When it is to be ticked next. */
  dueMs: number;
  /** Its last contribution to the counts. */
  counted: Sums;
  /** Its end was told, and the successors that are here have begun. */
  isEndTold: boolean;
  /** The log has been read. */
  isRestored: boolean;
  /** The executor holds what it began with; a new member takes part without. */
  hasData: boolean;
}

/** Above all records. */
export const UNWRITTEN = Number.MAX_SAFE_INTEGER;

type Sums = Omit<Watermarks, 'redundantBeforeUs' | 'unloggedBytes'>;

const NOTHING: Sums = {
  appliedSequence: 0,
  flushedSequence: 0,
  retained: 0,
  retainedBytes: 0,
  unapplied: 0,
};

export class StoreGroups {
  /** In the order in which they were added: a successor comes after its parent. */
  readonly #all = new GroupMap<StoreGroup>();
  /** Those that something was told since the end of the last turn. */
  #touched = new Set<StoreGroup>();
  /** Those with a deadline. */
  readonly #timed = new Set<StoreGroup>();
  #sums: Sums = NOTHING;
  #redundantBeforeUs = 0;
  #changed = true;

  /** The log may hold records of it, unless it is `fresh`. */
  add(group: Group, replica: Replica, isFresh = false, hasData = true): StoreGroup {
    const marksLsn = isFresh ? UNWRITTEN : 0;
    const member = { group, replica, marksLsn, dueMs: Infinity, counted: NOTHING };
    const added = { ...member, isEndTold: false, isRestored: false, hasData };
    this.#all.set(group.id, added);
    return added;
  }

  get(id: GroupId): StoreGroup | undefined {
    return this.#all.get(id);
  }

  all(): IterableIterator<StoreGroup> {
    return this.#all.values();
  }

  /** It takes part in nothing any more, and needs nothing of the log. */
  delete(member: StoreGroup): void {
    this.#all.delete(member.group.id);
    this.#touched.delete(member);
    this.#timed.delete(member);
    this.#add(NOTHING, member.counted);
    this.#changed = true;
  }

  /** It has been told something: it may have effects, and it is ticked next time. */
  touch(member: StoreGroup): void {
    this.#touched.add(member);
    if (member.dueMs === 0) return;
    member.dueMs = 0;
    this.#timed.add(member);
  }

  /** Calls back for each group whose deadline has come; each is touched. */
  tick(nowMs: number, tick: (replica: Replica) => void): void {
    for (const member of this.#timed) {
      if (member.dueMs > nowMs) continue;
      tick(member.replica);
      this.#touched.add(member);
      member.dueMs = member.replica.dueMs;
      if (member.dueMs === Infinity) this.#timed.delete(member);
    }
  }

  /** Those that were touched since the last call, in the order in which they were. */
  takeTouched(): Iterable<StoreGroup> {
    const touched = this.#touched;
    if (touched.size === 0) return touched;
    this.#touched = new Set();
    this.#changed = true;
    for (const member of touched) this.#count(member);
    return touched;
  }

  #count(member: StoreGroup): void {
    const { sequence, flushedSequence, retainedBytes, sizes } = member.replica.view;
    const before = member.counted;
    const now: Sums = {
      appliedSequence: sequence,
      flushedSequence,
      retained: sizes.commands,
      retainedBytes,
      unapplied: sizes.unapplied,
    };
    member.counted = now;
    this.#add(now, before);
  }

  /** In the place of what was counted before. */
  #add(now: Sums, before: Sums): void {
    const sums = this.#sums;
    this.#sums = {
      appliedSequence: sums.appliedSequence + now.appliedSequence - before.appliedSequence,
      flushedSequence: sums.flushedSequence + now.flushedSequence - before.flushedSequence,
      retained: sums.retained + now.retained - before.retained,
      retainedBytes: sums.retainedBytes + now.retainedBytes - before.retainedBytes,
      unapplied: sums.unapplied + now.unapplied - before.unapplied,
    };
  }

  /** Whether the sums have changed since this was last asked. */
  takeChanged(): boolean {
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  sums(): Omit<Watermarks, 'unloggedBytes'> {
    return { ...this.#sums, redundantBeforeUs: this.#markUs() };
  }

  /** The lowest mark of the groups that have something to do; the last such one when none has. */
  #markUs(): number {
    let lowestUs = Infinity;
    for (const { replica } of this.#timed) {
      lowestUs = Math.min(lowestUs, replica.view.redundantBefore.hlc);
    }
    if (lowestUs !== Infinity) this.#redundantBeforeUs = lowestUs;
    return this.#redundantBeforeUs;
  }

  /**
   * The oldest record that any of them needs. `rewritten`: those whose marks stand once more among
   * records that are not in the log yet, with what else they need. Transactions without a record
   * that is durable (0) lie above `confirmedLsn`.
   */
  neededLsn(rewritten: ReadonlyMap<StoreGroup, number>, confirmedLsn: number): number {
    let lowest = UNWRITTEN;
    for (const member of this.#all.values()) {
      const fromLsn = rewritten.get(member);
      const oldestLsn = (fromLsn ?? member.replica.oldestLsn) || confirmedLsn;
      lowest = Math.min(lowest, oldestLsn, fromLsn === undefined ? member.marksLsn : UNWRITTEN);
    }
    return lowest;
  }
}
