/**
 * The executor's searches for big keys: one at a time, in slices with pauses, so that it takes at
 * most a fifth of the node's time. Answers by data, to the asker of each.
 */
import type { BigKeysFound, BigKeysSearch } from '../../storage/keyspace/big-keys.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';

/** Keys that one search looks at. */
export const BIG_KEYS_LOOKED_MAX = 100_000;
const SLICE_MS = 2;
/** Where time does not end a slice. */
const SLICE_PAGES = 64;
/** From one slice to the next. */
export const BIG_KEYS_REST_MS = 8;

/** `undefined`: another search is under way. */
export type BigKeysReply = BigKeysFound | undefined;

export class BigKeySearch {
  readonly #nowMs: () => number;
  #search: BigKeysSearch | undefined;
  #replyTo: ActorRef<BigKeysReply> | undefined;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** `false`: refused, another one is under way. */
  begin(search: BigKeysSearch, replyTo: ActorRef<BigKeysReply>): boolean {
    if (this.#search !== undefined) {
      // The asker has given up if this is refused.
      tellOrDrop(replyTo, undefined);
      return false;
    }
    this.#search = search;
    this.#replyTo = replyTo;
    return true;
  }

  /** Ends it: tells what was found so far. */
  abandon(): void {
    // As above.
    if (this.#replyTo !== undefined) tellOrDrop(this.#replyTo, this.#search?.found());
    this.#search = undefined;
    this.#replyTo = undefined;
  }

  /** One slice; `true`: there is more to do, after a pause. */
  slice(): boolean {
    const search = this.#search;
    if (search === undefined) return false;
    const endMs = this.#nowMs() + SLICE_MS;
    for (let pages = 0; search.next(); ) {
      pages += 1;
      if (pages === SLICE_PAGES || this.#nowMs() >= endMs) return true;
    }
    this.abandon();
    return false;
  }
}
