/**
 * The keys of a database as of one moment, walked in pages while transactions go on. It notes what
 * a key was before its first change, until the walk has passed the key's position; behind that it
 * needs nothing. The keyspace tells it of changes; the walker closes it.
 */
import { type Deadline, type Entry, NO_DEADLINE, NONE, type StoredEntry } from './entry.ts';
import type { KeyPage } from './keyspace.ts';
import { positionOf } from './slots.ts';

/** Keys that may change ahead of a walk; more, and the walk is given up. */
export const VIEW_CHANGES_MAX = 1_000_000;

/** A key at the moment: its place in hash order, and its deadline if it existed. */
interface Before {
  readonly position: number;
  readonly deadline: Deadline | undefined;
}

/** A key of the view, and where it stands in hash order. */
export interface ListedKey {
  readonly key: string;
  readonly position: number;
}

export class KeysView {
  readonly #nowMs: number;
  readonly #page: (position: number, limit: number) => KeyPage;
  readonly #closed: (view: KeysView) => void;
  readonly #changesMax: number;
  /** All before it are listed. */
  #position = 0;
  #isDone = false;
  #isLost = false;
  readonly #before = new Map<string, Before>();

  /** `nowMs`: keys past their deadline by then are left out, and stay. */
  constructor(
    nowMs: number,
    changesMax: number,
    page: (position: number, limit: number) => KeyPage,
    closed: (view: KeysView) => void,
  ) {
    this.#nowMs = nowMs;
    this.#changesMax = changesMax;
    this.#page = page;
    this.#closed = closed;
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Too much has changed ahead of the walk: the rest is not known any more. */
  get isLost(): boolean {
    return this.#isLost;
  }

  /** The keyspace is about to change a key that has this entry. */
  note({ key, slot, place }: Omit<StoredEntry, 'entry'>, entry: Entry): void {
    const position = positionOf(slot, place);
    if (this.#isLost || position < this.#position || this.#before.has(key)) return;
    if (this.#before.size >= this.#changesMax) return this.lose();
    this.#before.set(key, { position, deadline: entry.type === NONE ? undefined : entry.deadline });
  }

  lose(): void {
    this.#isLost = true;
    this.#before.clear();
  }

  /** The next keys, about `limit` of them. The last call returns those that are gone by now. */
  next(limit: number): ListedKey[] {
    const found: ListedKey[] = [];
    const page = this.#page(this.#position, limit);
    for (const { key, slot, place, entry } of page.items) {
      const before = this.#before.get(key);
      const position = positionOf(slot, place);
      const deadline = before === undefined ? entry.deadline : before.deadline;
      if (before !== undefined) this.#before.delete(key);
      if (this.#wasAlive(deadline)) found.push({ key, position });
    }
    this.#position = page.next;
    if (page.next !== 0) return found;
    this.#isDone = true;
    this.#position = Infinity;
    for (const [key, { position, deadline }] of this.#before) {
      if (this.#wasAlive(deadline)) found.push({ key, position });
    }
    return found;
  }

  close(): void {
    this.#before.clear();
    this.#closed(this);
  }

  #wasAlive(deadline: Deadline | undefined): boolean {
    if (deadline === undefined) return false;
    return deadline === NO_DEADLINE || deadline > this.#nowMs;
  }
}
