/**
 * KEYS, where it is a unit by itself: the node that coordinates it walks a view of the keys as of
 * its place in the order, in slices, while later transactions run; the other replicas do nothing
 * for it. One listing advances per slice, then the next.
 */
import type { Arguments } from '../../storage/arguments.ts';
import { Glob } from '../../storage/commands/glob.ts';
import type { KeysView, ListedKey } from '../../storage/keyspace/keys-view.ts';
import type { StateMachine } from '../../storage/state-machine.ts';
import type { Part } from '../../transport/resp/connection/part.ts';

/** Listings at a time; more are refused. */
export const LISTINGS_MAX = 16;
/** Keys that the keyspace is asked for at a time. */
const PAGE_KEYS = 128;
/** Pages of one slice, where time does not end it. */
const SLICE_PAGES = 8;
const SLICE_MS = 4;
/** Keys that are compared with the pattern between two looks at the clock. */
const CHECK_EVERY_KEYS = 32;
/** A key this long is a reason to look at once. */
const LONG_KEY_BYTES = 1_024;

/** The end of a listing: its keys in hash order, or why there are none. */
type Outcome = readonly string[] | 'too long' | 'lost';

interface Listing {
  readonly part: Part;
  readonly view: KeysView;
  readonly pattern: Glob;
  readonly found: ListedKey[];
  bytes: number;
  /** Keys of the view that are not compared yet, the next one last. */
  waiting: ListedKey[];
}

export class KeyListings {
  readonly #max: number;
  readonly #changesMax: number | undefined;
  readonly #bytesMax: number;
  readonly #nowMs: () => number;
  readonly #done: (part: Part, outcome: Outcome) => void;
  #listings: Listing[] = [];

  /** `bytesMax`: of the keys of one listing. */
  constructor(options: {
    readonly max: number;
    readonly changesMax: number | undefined;
    readonly bytesMax: number;
    readonly nowMs: () => number;
    readonly done: (part: Part, outcome: Outcome) => void;
  }) {
    this.#max = options.max;
    this.#changesMax = options.changesMax;
    this.#bytesMax = options.bytesMax;
    this.#nowMs = options.nowMs;
    this.#done = options.done;
  }

  get size(): number {
    return this.#listings.length;
  }

  /** `undefined`: the command is no such KEYS, and runs like all others. */
  begin(part: Part, machine: StateMachine, args: Arguments): 'begun' | 'busy' | undefined {
    if (!args.isAlone || args.count !== 2 || !args.is(0, 'KEYS')) return undefined;
    const pattern = new Glob(args.text(1));
    if (pattern.problem !== undefined) return undefined;
    if (this.#listings.length >= this.#max) return 'busy';
    const view = machine.pinKeys(args, this.#changesMax);
    if (view === undefined) return undefined;
    this.#listings.push({ part, view, pattern, found: [], bytes: 0, waiting: [] });
    return 'begun';
  }

  slice(): void {
    const listing = this.#listings.shift();
    if (listing === undefined) return;
    const outcome = this.#advance(listing);
    if (outcome === undefined) {
      this.#listings.push(listing);
    } else {
      listing.view.close();
      this.#done(listing.part, outcome);
    }
  }

  /** Ends all; returns their parts. */
  abandon(): Part[] {
    const parts = this.#listings.map(({ part }) => part);
    for (const { view } of this.#listings) view.close();
    this.#listings = [];
    return parts;
  }

  /** One slice; `undefined`: there is more to do. */
  #advance(listing: Listing): Outcome | undefined {
    const { view, found } = listing;
    const endMs = this.#nowMs() + SLICE_MS;
    for (let pages = 0; pages < SLICE_PAGES; pages += 1) {
      if (listing.waiting.length === 0) {
        if (view.isLost) return 'lost';
        if (view.isDone) break;
        listing.waiting = view.next(PAGE_KEYS).reverse();
      }
      const isOver = !this.#compare(listing, endMs);
      if (listing.bytes > this.#bytesMax) return 'too long';
      if (isOver) return undefined;
    }
    if (listing.waiting.length > 0 || !view.isDone) return undefined;
    // Those that are gone by now were found last.
    found.sort((a, b) => a.position - b.position || (a.key < b.key ? -1 : 1));
    return found.map(({ key }) => key);
  }

  /** `false`: the slice is over. */
  #compare(listing: Listing, endMs: number): boolean {
    const { pattern, found, waiting } = listing;
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (pattern.matches(next.key)) {
        found.push(next);
        listing.bytes += next.key.length;
      }
      const isTime = next.key.length > LONG_KEY_BYTES || waiting.length % CHECK_EVERY_KEYS === 0;
      if (isTime && waiting.length > 0 && this.#nowMs() >= endMs) return false;
    }
    return this.#nowMs() < endMs;
  }
}
