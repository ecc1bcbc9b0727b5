/**
 * The members of a small sorted set, unpacked: two arrays in the order of the set. In the packed
 * string each member stands before its score, eight bytes.
 */
import { firstNotBefore } from './binary-search.ts';
import { pack, unpack } from './packed.ts';
import type { IsBefore, Ranked, RankedVisit } from './ranked.ts';
import { readScore, scoreBytes } from './scores.ts';

export class ScoreArray implements Ranked {
  readonly #members: string[] = [];
  readonly #scores: number[] = [];

  constructor(packed?: string) {
    if (packed === undefined) return;
    const items = unpack(packed);
    for (let i = 0; i < items.length; i += 2) {
      this.#members.push(items[i] as string);
      this.#scores.push(readScore(items[i + 1] as string));
    }
  }

  get size(): number {
    return this.#members.length;
  }

  scoreOf(member: string): number | undefined {
    return this.#scores[this.#members.indexOf(member)];
  }

  set(member: string, score: number): void {
    const at = this.#members.indexOf(member);
    if (at !== -1) {
      if (this.#scores[at] === score) return;
      this.#members.splice(at, 1);
      this.#scores.splice(at, 1);
    }
    const to = this.countWhere((s, m) => s < score || (s === score && m < member));
    this.#members.splice(to, 0, member);
    this.#scores.splice(to, 0, score);
  }

  delete(member: string): void {
    const at = this.#members.indexOf(member);
    if (at === -1) return;
    this.#members.splice(at, 1);
    this.#scores.splice(at, 1);
  }

  rankOf(member: string): number | undefined {
    const at = this.#members.indexOf(member);
    return at === -1 ? undefined : at;
  }

  countWhere(isBefore: IsBefore): number {
    return firstNotBefore(0, this.size, (at) =>
      isBefore(this.#scores[at] as number, this.#members[at] as string),
    );
  }

  memberAt(rank: number): string {
    return this.#members[rank] as string;
  }

  ascend(rank: number, count: number, visit: RankedVisit): void {
    for (let at = rank; at < rank + count; at += 1) {
      visit(this.#members[at] as string, this.#scores[at] as number);
    }
  }

  descend(rank: number, count: number, visit: RankedVisit): void {
    for (let at = rank; at > rank - count; at -= 1) {
      visit(this.#members[at] as string, this.#scores[at] as number);
    }
  }

  /** `undefined`: it would be too long. */
  packed(label: number): string | undefined {
    const items: string[] = [];
    this.ascend(0, this.size, (member, score) => items.push(member, scoreBytes(score)));
    return pack(label, items);
  }
}
