/**
 * Which version of the cluster's table (settings and users) this node and its peers have, so that a
 * change is answered when no node acts by the table before it. The stores tell this node's version,
 * the links the others'.
 *
 * A peer that is not connected cannot be asked. It has a lease on its table: a majority must have
 * told it, in answer to questions of the last `leaseMs`, that they know no later one. Two
 * majorities have a node in common: `leaseMs` after a majority has the change, no lease on the
 * table before it is left. Without a lease a node serves no users (`hasLease`).
 *
 * A node that has begun again may have forgotten the change until it has read the table. Until then
 * its answers are no part of a lease, and it has none itself. A node that is no member of the meta
 * group has read the table when it has what a majority of the members know after it began.
 *
 * Two majorities of different members need not have a node in common. So from `closing` on, until
 * the topology has the next generation of the meta group, a lease needs a majority of both, and the
 * group ends no earlier than leases are left of those who did not know that (`mayEnd`). A node
 * takes no answer from one that knows of a later generation than itself.
 */
import { type ClusterSettings, NO_SETTINGS } from '../../storage/cluster-settings.ts';

/** Of an answer: the sender does not know the table yet. */
export const TABLE_UNKNOWN = -1;
/** Two clocks may run apart by so much: what waits for a lease waits longer by it. */
const DRIFT = 0.01;

interface WatchOptions {
  /** Peers whose links are up, always as they are now. */
  readonly connected: ReadonlySet<number>;
  readonly self: number;
  /** Nodes of the cluster, this one included. */
  readonly nodes: () => number;
  readonly orderers: () => Orderers;
  readonly leaseMs: number;
  /** The peers have told that this node has read the table. */
  readonly onKnown: () => void;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

/** Those that order the changes of the table, as far as this node knows. */
export interface Orderers {
  /** See `metaViewOf`. */
  readonly view: number;
  /** The members of the meta group; while it is closing, also those of the next generation. */
  readonly members: readonly ReadonlySet<number>[];
  /** This node is one of them, and executes the changes. */
  readonly isMember: boolean;
}

/** The table of a peer, as it has told. */
interface Told {
  readonly version: number;
  readonly view: number;
}

/** The answer of a peer: what it had after it was asked. */
interface Confirmed extends Told {
  readonly askedMs: number;
}

const NOTHING: Confirmed = { version: 0, view: 0, askedMs: -Infinity };

export class SettingsWatch {
  readonly #options: WatchOptions;
  #own: ClusterSettings = NO_SETTINGS;
  #readVersion = Infinity;
  /** By peer: what it has told last. */
  readonly #told = new Map<number, Told>();
  readonly #confirmed = new Map<number, Confirmed>();
  #hadLease = false;
  /** Since when a majority, and all that are connected, have this version. */
  #held = { version: 0, view: 0, sinceMs: 0 };
  /** The same of a generation of the meta group that is to come. */
  #seen = { view: 0, sinceMs: 0 };

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  get version(): number {
    return this.#own.version;
  }

  get own(): ClusterSettings {
    return this.#own;
  }

  get values(): ReadonlyMap<string, string> {
    return this.#own.values;
  }

  /** The highest generation of the meta group that this node knows of. */
  get view(): number {
    return this.#options.orderers().view;
  }

  /** The answer to peers that ask for a lease. */
  get confirmed(): number {
    return this.known?.version ?? TABLE_UNKNOWN;
  }

  /** The table; undefined until it is known to be as new as when this node began. */
  get known(): ClusterSettings | undefined {
    return this.#own.version >= this.#readVersion ? this.#own : undefined;
  }

  /**
   * `false`: it is no later version. An executor that begins again comes back step by step to the
   * one that it had.
   */
  changed(settings: ClusterSettings): boolean {
    if (settings.version <= this.#own.version) return false;
    this.#own = settings;
    return true;
  }

  /** All changes that were made before this node began are in this version, and in later ones. */
  read(version: number): void {
    this.#readVersion = Math.min(this.#readVersion, version);
  }

  told(peer: number, version: number, view: number): void {
    this.#told.set(peer, { version, view });
  }

  /** The same in answer to a question that was asked then. */
  answered(peer: number, answer: Confirmed): void {
    const { version, view } = answer;
    if (version === TABLE_UNKNOWN) return;
    this.told(peer, version, view);
    this.#confirmed.set(peer, answer);
    this.#hadLease ||= this.hasLease;
    const { isMember } = this.#options.orderers();
    if (!isMember && this.#readVersion === Infinity) this.#readElsewhere();
  }

  /** Each change before this node began is known to one of any majority. */
  #readElsewhere(): void {
    const { orderers, onKnown } = this.#options;
    const { members, view: own } = orderers();
    const versions: number[] = [];
    for (const group of members) {
      const told = [...this.#confirmed].filter(
        ([peer, { view }]) => group.has(peer) && view <= own,
      );
      if (told.length <= group.size / 2) return;
      for (const [, { version }] of told) versions.push(version);
    }
    this.read(Math.max(...versions));
    if (this.known !== undefined) onKnown();
  }

  /** Whether this node has a lease on its table. */
  get hasLease(): boolean {
    const { orderers, leaseMs, nowMs } = this.#options;
    if (this.known === undefined) return false;
    const sinceMs = nowMs() - leaseMs;
    const { view: own } = orderers();
    return this.#isMajority((peer) => {
      const { version, view, askedMs } = this.#confirmed.get(peer) ?? NOTHING;
      return askedMs > sinceMs && version <= this.#own.version && view <= own;
    });
  }

  /** Of the members, and of those to come: this node is one that has what the others must have. */
  #isMajority(has: (peer: number) => boolean): boolean {
    const { orderers, self } = this.#options;
    const { members, isMember } = orderers();
    return members.every((group) => {
      let count = 0;
      for (const member of group) if (member === self ? isMember : has(member)) count += 1;
      return count > group.size / 2;
    });
  }

  /** Whether it has, or has had one: a node that has just begun could not serve the first user. */
  get hadLease(): boolean {
    return this.#hadLease || this.hasLease;
  }

  /** Whether no node acts by a version before this one. */
  isHeld(version: number): boolean {
    const { connected, nodes, orderers, nowMs } = this.#options;
    if (this.#own.version < version) return false;
    const has = (peer: number): boolean => (this.#told.get(peer)?.version ?? 0) >= version;
    const all = [...connected].every(has);
    if (!all || connected.size + 1 >= nodes()) return all;
    if (!this.#isMajority(has)) return false;
    const { view } = orderers();
    const isOther = this.#held.version < version || this.#held.view !== view;
    if (isOther) this.#held = { version, view, sinceMs: nowMs() };
    return this.#isOver(this.#held.sinceMs);
  }

  /**
   * Of the meta group, which is closing: whether no node has a lease that knows nothing of the
   * next generation.
   */
  get mayEnd(): boolean {
    const { view } = this.#options.orderers();
    if (!this.#isMajority((peer) => (this.#told.get(peer)?.view ?? 0) >= view)) return false;
    if (this.#seen.view !== view) this.#seen = { view, sinceMs: this.#options.nowMs() };
    return this.#isOver(this.#seen.sinceMs);
  }

  #isOver(sinceMs: number): boolean {
    const { leaseMs, nowMs } = this.#options;
    return nowMs() - sinceMs >= leaseMs * (1 + DRIFT);
  }
}
