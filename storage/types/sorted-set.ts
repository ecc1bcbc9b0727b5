/**
 * Sorted sets: members in the order of their scores. In the large form each member is a row, with
 * its score as value; the order is in memory alone, made when the rows are loaded.
 */
import { placeOfText } from '../place.ts';
import type { Steps } from '../steps.ts';
import { Collection, type CollectionHead } from './collection.ts';
import { collectionType } from './collection-type.ts';
import { FieldTree } from './field-tree.ts';
import type { IsBefore, Ranked, RankedVisit } from './ranked.ts';
import { RankedMembers } from './ranked-members.ts';
import { readScore, SCORE_BYTES, scoreBytes } from './scores.ts';

export class SortedSet extends Collection<string> implements Ranked {
  #ranked = RankedMembers.empty();
  /** Rows that were put while it is loaded. */
  #loading: FieldTree<number> | undefined;
  #contentBytes = 0;

  get count(): number {
    return this.#ranked.size;
  }

  get rowCount(): number {
    return this.#ranked.size;
  }

  get contentBytes(): number {
    return this.#contentBytes;
  }

  orderOf(member: string): number {
    return placeOfText(member) >>> 0;
  }

  nameOf(member: string): string {
    return member;
  }

  keyOf(_order: number, name: string): string {
    return name;
  }

  rowOf(member: string): string | undefined {
    const score = this.#ranked.scoreOf(member);
    return score === undefined ? undefined : scoreBytes(score);
  }

  putRow(member: string, value: string | undefined): void {
    if (!this.loaded && value !== undefined) {
      this.#loading ??= new FieldTree<number>(true);
      this.#loading.set(member, readScore(value));
      this.#contentBytes += member.length + SCORE_BYTES;
      return;
    }
    // Removed first: otherwise a zero would not replace one of the other sign.
    this.#delete(member);
    if (value !== undefined) this.#set(member, readScore(value));
  }

  protected override *rowsLoaded(each: number): Steps {
    if (this.#loading !== undefined) this.#ranked = yield* RankedMembers.of(this.#loading, each);
    this.#loading = undefined;
  }

  rowKeys(): Iterable<string> {
    return this.#ranked.members();
  }

  emptyCopy(): SortedSet {
    return new SortedSet(this.label);
  }

  scoreOf(member: string): number | undefined {
    return this.#ranked.scoreOf(member);
  }

  set(member: string, score: number): void {
    this.touch(member);
    this.#set(member, score);
  }

  delete(member: string): void {
    this.touch(member);
    this.#delete(member);
  }

  rankOf(member: string): number | undefined {
    return this.#ranked.rankOf(member);
  }

  countWhere(isBefore: IsBefore): number {
    return this.#ranked.countWhere(isBefore);
  }

  memberAt(rank: number): string {
    return this.#ranked.memberAt(rank);
  }

  ascend(rank: number, count: number, visit: RankedVisit): void {
    this.#ranked.ascend(rank, count, visit);
  }

  descend(rank: number, count: number, visit: RankedVisit): void {
    this.#ranked.descend(rank, count, visit);
  }

  /** As `FieldTree.page`. */
  page(from: number, limit: number, visit: RankedVisit): number {
    return this.#ranked.page(from, limit, visit);
  }

  #set(member: string, score: number): void {
    if (this.#ranked.set(member, score)) this.#contentBytes += member.length + SCORE_BYTES;
  }

  #delete(member: string): void {
    if (this.#ranked.delete(member)) this.#contentBytes -= member.length + SCORE_BYTES;
  }
}

export const ZSET_LISTPACK = 0;
export const ZSET_SKIPLIST = 1;

export const ZSET = collectionType<SortedSet>({
  code: 5,
  name: 'zset',
  encodings: ['listpack', 'skiplist'],
  empty: (label, head?: CollectionHead) => new SortedSet(label, head),
});
