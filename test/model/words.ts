/**
 * The words of the model of ranges: timestamps, groups, transactions, messages and answers. A
 * timestamp is one number (time, then node), so that runs are fast. Everything here is immutable
 * once it is sent.
 */

export type Id = number;
export const ZERO: Id = 0;
/** A timestamp is `time * NODES_MAX + node`. */
export const NODES_MAX = 64;

export const NONE = 0;
export const PRE = 1;
export const AINV = 2;
export const ACC = 3;
export const COM = 4;
export const STABLE = 5;
export const PREAPP = 6;
export const APP = 7;
export const INV = 8;
const PHASES = [0, 1, 2, 2, 3, 4, 5, 5, 5];

export function phase(status: number): number {
  return PHASES[status] as number;
}

export class Violation extends Error {}

/** One generation of a range. `floor` is null until its parents' Close is decided. */
export class Group {
  readonly gid: number;
  readonly generation: number;
  readonly keys: readonly string[];
  readonly members: readonly number[];
  readonly electorate: readonly number[];
  readonly parents: readonly number[];
  floor: Id | null;
  readonly failures: number;
  readonly quorum: number;
  readonly fast: number;

  constructor(
    gid: number,
    generation: number,
    keys: readonly string[],
    members: readonly number[],
    electorate: readonly number[],
    floor: Id | null,
    parents: readonly number[],
  ) {
    this.gid = gid;
    this.generation = generation;
    this.keys = keys;
    this.members = members;
    this.electorate = electorate;
    this.floor = floor;
    this.parents = parents;
    this.failures = Math.floor((members.length - 1) / 2);
    this.quorum = members.length - this.failures;
    this.fast = Math.floor((electorate.length + this.failures) / 2) + 1;
    if (electorate.length < this.quorum) throw new Error('the electorate is too small');
  }

  get floorTime(): Id {
    return this.floor ?? ZERO;
  }
}

/** `w` appends its unit to each key, `r` reads, `C` is a Close. `parts` are keys by group. */
export interface Body {
  readonly kind: 'w' | 'r' | 'C';
  readonly parts: ReadonlyMap<number, readonly string[]>;
  readonly unit: number;
  readonly successors: readonly number[];
  readonly isMulti: boolean;
}

/** `mark`: everything below it was erased where these were computed, and is not named. */
export interface Deps {
  readonly ids: readonly Id[];
  readonly mark: Id;
}
export const NO_DEPS: Deps = { ids: [], mark: ZERO };
export type DepsByGroup = ReadonlyMap<number, Deps>;

export function union(a: Deps | undefined, b: Deps): Deps {
  if (a === undefined || a === NO_DEPS) return b;
  const more = b.ids.filter((id) => !a.ids.includes(id));
  return { ids: [...a.ids, ...more], mark: Math.max(a.mark, b.mark) };
}

export type Outcome = 'eff' | 'moved';
export type Fate = 'applied' | 'none' | 'absent' | 'unknown' | 'bounce';

export interface TableEntry {
  readonly executeAt: Id;
  readonly outcome: Outcome;
  readonly result: string | null;
}

export interface Snapshot {
  readonly part: number | null;
  readonly data: ReadonlyMap<string, readonly number[]>;
  readonly marks: ReadonlyMap<string, Id>;
  readonly table: ReadonlyMap<Id, TableEntry>;
  readonly redundant: Id;
  readonly floor: Id;
}

export type Message =
  | { readonly type: 'PreAccept'; readonly t: Id; readonly b: Body }
  | Proposal<'Accept'>
  | { readonly type: 'AcceptInvalidate'; readonly t: Id; readonly b: Body; readonly ballot: Id }
  | Proposal<'Commit'>
  | Decision<'Stable'>
  | (Decision<'Apply'> & { readonly outcome: Outcome; readonly result: string | null })
  | { readonly type: 'NoOp'; readonly t: Id; readonly b: Body }
  | { readonly type: 'CommitInvalidate'; readonly t: Id; readonly b: Body }
  | { readonly type: 'Recover'; readonly t: Id; readonly b: Body; readonly ballot: Id }
  | { readonly type: 'Barrier'; readonly key: string }
  | { readonly type: 'Snapshot'; readonly snapshot: Snapshot }
  | { readonly type: 'Reject'; readonly x: Id }
  | { readonly type: 'Settle'; readonly x: Id; readonly ids: readonly Id[] }
  | { readonly type: 'Erase'; readonly x: Id }
  | { readonly type: 'Hint'; readonly from: number; readonly ids: readonly Id[] }
  | { readonly type: 'Holds'; readonly t: Id }
  | { readonly type: 'HasData' }
  | { readonly type: 'Forget' }
  | { readonly type: 'Drop'; readonly t: Id }
  | { readonly type: 'Learn' };

interface Proposal<T extends string> {
  readonly type: T;
  readonly t: Id;
  readonly b: Body;
  readonly ballot: Id;
  readonly executeAt: Id;
  readonly deps: DepsByGroup;
}

interface Decision<T extends string> {
  readonly type: T;
  readonly t: Id;
  readonly b: Body;
  readonly executeAt: Id;
  readonly deps: DepsByGroup;
}

/** An answer of a replica; its fields depend on the question. */
export interface Answer {
  readonly ok: boolean;
  readonly vote?: Id;
  readonly rejected?: boolean;
  readonly deps?: Deps | null;
  readonly ended?: boolean;
  readonly fate?: Fate;
  readonly hints?: readonly number[];
  readonly executeAt?: Id | null;
  readonly outcome?: Outcome | null;
  readonly result?: string | null;
  readonly done?: boolean;
  readonly read?: readonly string[];
  /** Known only as below a mark: no evidence. */
  readonly unknown?: boolean;
  readonly erased?: Id;
  readonly recovery?: Recovered;
  readonly ids?: readonly Id[];
  readonly has?: boolean;
}

export interface Recovered {
  readonly status: number;
  readonly accepted: Id;
  readonly level: number;
  readonly coordinated: Deps | null;
  readonly local: Deps | null;
  readonly rejects: boolean;
  readonly wait: readonly Id[];
  readonly noWait: readonly Id[];
  readonly votedFast: boolean;
}

/** A replica by group and node, as one number. */
export function place(gid: number, node: number): number {
  return gid * NODES_MAX + node;
}

export function groupOf(at: number): number {
  return Math.floor(at / NODES_MAX);
}

export function nodeOf(at: number): number {
  return at % NODES_MAX;
}

export function must<T>(value: T | undefined | null): T {
  if (value === undefined || value === null) throw new Error('missing');
  return value;
}
