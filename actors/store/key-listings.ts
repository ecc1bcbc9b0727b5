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

/** Of one client: over the groups of its part. */
interface Joint {
  readonly part: Part;
  /** Groups in which it has not begun, and that have not been listed to their ends. */
  toBegin: number;
  left: number;
  readonly found: ListedKey[];
  bytes: number;
  /** One of its groups has failed, and the client was told. */
  isOver: boolean;
}

interface Listing {
  readonly joint: Joint;
  readonly view: KeysView;
  readonly pattern: Glob;
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
  /** Of parts over several groups that are not begun in all of them. */
  readonly #joints = new Map<Part, Joint>();

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
    const known = this.#joints.get(part);
    if (known === undefined && this.#listings.length >= this.#max) return 'busy';
    const view = machine.pinKeys(args, this.#changesMax);
    if (view === undefined) return undefined;
    const groups = part.groups.length;
    const counts = { toBegin: groups, left: groups };
    const joint = known ?? { part, ...counts, found: [], bytes: 0, isOver: false };
    joint.toBegin -= 1;
    if (joint.toBegin > 0) this.#joints.set(part, joint);
    else this.#joints.delete(part);
    this.#listings.push({ joint, view, pattern, waiting: [] });
    return 'begun';
  }

  /** It has begun in some group of the part, and is to begin in others. */
  awaitsGroups(part: Part): boolean {
    return this.#joints.has(part);
  }

  /** Its client has another answer. */
  forget(part: Part): void {
    const joint = this.#joints.get(part);
    if (joint !== undefined) joint.isOver = true;
    this.#joints.delete(part);
  }

  slice(): void {
    const listing = this.#listings.shift();
    if (listing === undefined) return;
    const { joint, view } = listing;
    const outcome = joint.isOver ? 'lost' : this.#advance(listing);
    if (outcome === undefined) {
      this.#listings.push(listing);
      return;
    }
    view.close();
    joint.left -= 1;
    if (joint.isOver || (outcome === 'listed' && joint.left > 0)) return;
    joint.isOver = true;
    this.#done(joint.part, outcome === 'listed' ? inOrder(joint.found) : outcome);
  }

  /** Ends all; returns their parts. */
  abandon(): Part[] {
    const open = this.#listings.filter(({ joint }) => !joint.isOver);
    const parts = [...new Set(open.map(({ joint }) => joint.part))];
    this.#joints.clear();
    for (const { view } of this.#listings) view.close();
    this.#listings = [];
    return parts;
  }

  /** One slice; `undefined`: there is more to do. */
  #advance(listing: Listing): 'listed' | 'too long' | 'lost' | undefined {
    const { view, joint } = listing;
    const endMs = this.#nowMs() + SLICE_MS;
    for (let pages = 0; pages < SLICE_PAGES; pages += 1) {
      if (listing.waiting.length === 0) {
        if (view.isLost) return 'lost';
        if (view.isDone) break;
        listing.waiting = view.next(PAGE_KEYS).reverse();
      }
      const isOver = !this.#compare(listing, endMs);
      if (joint.bytes > this.#bytesMax) return 'too long';
      if (isOver) return undefined;
    }
    return listing.waiting.length > 0 || !view.isDone ? undefined : 'listed';
  }

  /** `false`: the slice is over. */
  #compare({ joint, pattern, waiting }: Listing, endMs: number): boolean {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      if (pattern.matches(next.key)) {
        joint.found.push(next);
        joint.bytes += next.key.length;
      }
      const isTime = next.key.length > LONG_KEY_BYTES || waiting.length % CHECK_EVERY_KEYS === 0;
      if (isTime && waiting.length > 0 && this.#nowMs() >= endMs) return false;
    }
    return this.#nowMs() < endMs;
  }
}

/** Those that are gone by now were found last, and groups are listed at the same time. */
function inOrder(found: ListedKey[]): readonly string[] {
  found.sort((a, b) => a.position - b.position || (a.key < b.key ? -1 : 1));
  return found.map(({ key }) => key);
}
