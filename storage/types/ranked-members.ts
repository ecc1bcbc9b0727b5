/**
 * Members with scores, by member and in order: by score, those of equal score by their bytes. The
 * place of a member and the member at a place are found in O(log n). What a large sorted set is
 * made of.
 */
import { forRangeInSteps, type Steps, sortedInSteps } from '../steps.ts';
import { firstNotBefore } from './binary-search.ts';
import { CountedLeaf, CountedTree } from './counted-tree.ts';
import { FieldTree } from './field-tree.ts';
import type { IsBefore, Ranked, RankedVisit } from './ranked.ts';

const LEAF_MAX = 64;
const LEAF_FEW = 16;
/** Leaves made of a whole order have room for more. */
const LEAF_FILL = 48;

class RankedLeaf extends CountedLeaf<RankedLeaf> {
  readonly members: string[];
  readonly scores: number[];

  constructor(members: string[], scores: number[]) {
    super();
    this.members = members;
    this.scores = scores;
  }

  get size(): number {
    return this.members.length;
  }
}

export class RankedMembers implements Ranked {
  /** By member: an order of its own, which stays where scores change. */
  readonly #scores: FieldTree<number>;
  readonly #tree: CountedTree<RankedLeaf>;
  /** The entry whose place is looked for: read by `#isAtOrBefore`. */
  #score = 0;
  #member = '';
  readonly #isAtOrBefore = (leaf: RankedLeaf): boolean => this.#compareAt(leaf, 0) <= 0;

  private constructor(scores: FieldTree<number>, leaves: readonly RankedLeaf[]) {
    this.#scores = scores;
    this.#tree = new CountedTree(leaves);
  }

  static empty(): RankedMembers {
    return new RankedMembers(new FieldTree<number>(true), []);
  }

  /** Takes over the scores. In steps of so many members. */
  static *of(scores: FieldTree<number>, each: number): Steps<RankedMembers> {
    const entries: [string, number][] = [];
    for (let from = 0, more = true; more; ) {
      from = scores.page(from, each, (member, score) => entries.push([member, score]));
      more = from !== 0;
      yield;
    }
    const ordered = yield* sortedInSteps(entries, each, ([a, scoreA], [b, scoreB]) =>
      compareEntries(scoreA, a, scoreB, b),
    );
    const leaves: RankedLeaf[] = [];
    yield* forRangeInSteps(0, ordered.length, LEAF_FILL, (start, end) => {
      const part = ordered.slice(start, end);
      const leaf = new RankedLeaf(
        part.map(([member]) => member),
        part.map(([, score]) => score),
      );
      leaves.push(leaf);
    });
    return new RankedMembers(scores, leaves);
  }

  get size(): number {
    return this.#scores.size;
  }

  scoreOf(member: string): number | undefined {
    return this.#scores.get(member);
  }

  /** The members, in order. */
  *members(): Generator<string, void, undefined> {
    for (let leaf = this.#tree.first; leaf !== undefined; leaf = leaf.next) yield* leaf.members;
  }

  set(member: string, score: number): boolean {
    const old = this.#scores.get(member);
    if (old !== undefined) {
      if (old === score) return false;
      this.#takeOut(member, old);
    }
    this.#scores.set(member, score);
    this.#putIn(member, score);
    return old === undefined;
  }

  delete(member: string): boolean {
    const score = this.#scores.delete(member);
    if (score === undefined) return false;
    this.#takeOut(member, score);
    return true;
  }

  rankOf(member: string): number | undefined {
    const score = this.#scores.get(member);
    if (score === undefined) return undefined;
    const leaf = this.#leafOf(member, score) as RankedLeaf;
    return this.#tree.before(leaf) + this.#offsetIn(leaf);
  }

  countWhere(isBefore: IsBefore): number {
    const leaf = this.#tree.lastWhere((candidate) =>
      isBefore(candidate.scores[0] as number, candidate.members[0] as string),
    );
    if (leaf === undefined) return 0;
    const { scores, members } = leaf;
    const within = firstNotBefore(1, leaf.size, (at) =>
      isBefore(scores[at] as number, members[at] as string),
    );
    return this.#tree.before(leaf) + within;
  }

  memberAt(rank: number): string {
    const leaf = this.#tree.leafAt(rank);
    return leaf.members[this.#tree.offset] as string;
  }

  ascend(rank: number, count: number, visit: RankedVisit): void {
    if (count <= 0) return;
    let leaf: RankedLeaf | undefined = this.#tree.leafAt(rank);
    let at = this.#tree.offset;
    for (let left = count; left > 0; left -= 1) {
      if (at === (leaf as RankedLeaf).size) {
        leaf = leaf?.next;
        at = 0;
      }
      visit(leaf?.members[at] as string, leaf?.scores[at] as number);
      at += 1;
    }
  }

  descend(rank: number, count: number, visit: RankedVisit): void {
    if (count <= 0) return;
    let leaf: RankedLeaf | undefined = this.#tree.leafAt(rank);
    let at = this.#tree.offset;
    for (let left = count; left > 0; left -= 1) {
      if (at < 0) {
        leaf = leaf?.previous;
        at = (leaf as RankedLeaf).size - 1;
      }
      visit(leaf?.members[at] as string, leaf?.scores[at] as number);
      at -= 1;
    }
  }

  /** As `FieldTree.page`. */
  page(from: number, limit: number, visit: RankedVisit): number {
    return this.#scores.page(from, limit, visit);
  }

  #putIn(member: string, score: number): void {
    const leaf = this.#leafOf(member, score) ?? this.#tree.first;
    if (leaf === undefined) {
      this.#tree.insertAfter(undefined, new RankedLeaf([member], [score]));
      return;
    }
    const at = this.#offsetIn(leaf);
    leaf.members.splice(at, 0, member);
    leaf.scores.splice(at, 0, score);
    this.#tree.resized(leaf, 1);
    if (leaf.size > LEAF_MAX) this.#split(leaf, at === leaf.size - 1 ? LEAF_MAX : LEAF_MAX >>> 1);
  }

  /** Members that come in order leave full leaves behind. */
  #split(leaf: RankedLeaf, at: number): void {
    const right = new RankedLeaf(leaf.members.splice(at), leaf.scores.splice(at));
    this.#tree.resized(leaf, -right.size);
    this.#tree.insertAfter(leaf, right);
  }

  #takeOut(member: string, score: number): void {
    const leaf = this.#leafOf(member, score) as RankedLeaf;
    const at = this.#offsetIn(leaf);
    if (leaf.size === 1) {
      this.#tree.remove(leaf);
      return;
    }
    leaf.members.splice(at, 1);
    leaf.scores.splice(at, 1);
    this.#tree.resized(leaf, -1);
    if (leaf.size >= LEAF_FEW) return;
    const left = leaf.previous ?? leaf;
    const right = left.next;
    if (right !== undefined && left.size + right.size <= LEAF_FILL) this.#join(left, right);
  }

  #join(left: RankedLeaf, right: RankedLeaf): void {
    this.#tree.remove(right);
    for (let i = 0; i < right.size; i += 1) {
      left.members.push(right.members[i] as string);
      left.scores.push(right.scores[i] as number);
    }
    this.#tree.resized(left, right.size);
  }

  /** The leaf in which an entry is, or belongs; undefined before all others. */
  #leafOf(member: string, score: number): RankedLeaf | undefined {
    this.#score = score;
    this.#member = member;
    return this.#tree.lastWhere(this.#isAtOrBefore);
  }

  /** Where in the leaf the entry of the last `#leafOf` is, or belongs. */
  #offsetIn(leaf: RankedLeaf): number {
    return firstNotBefore(0, leaf.size, (at) => this.#compareAt(leaf, at) < 0);
  }

  /** The order of an entry of a leaf and the one that is looked for. */
  #compareAt(leaf: RankedLeaf, at: number): number {
    const { scores, members } = leaf;
    return compareEntries(scores[at] as number, members[at] as string, this.#score, this.#member);
  }
}

/** The order of two entries. Not a difference: infinity less infinity is no number. */
export function compareEntries(scoreA: number, a: string, scoreB: number, b: string): number {
  if (scoreA !== scoreB) return scoreA < scoreB ? -1 : 1;
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
