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
  /** Those that order the changes of the table. */
  readonly members: ReadonlySet<number>;
  readonly leaseMs: number;
  /** The peers have told that this node has read the table. */
  readonly onKnown: () => void;
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number;
}

/** The answer of a peer: the version that it had after it was asked. */
interface Confirmed {
  readonly version: number;
  readonly askedMs: number;
}

export class SettingsWatch {
  readonly #options: WatchOptions;
  #own: ClusterSettings = NO_SETTINGS;
  #readVersion = Infinity;
  /** By peer: the version that it has told last. */
  readonly #told = new Map<number, number>();
  readonly #confirmed = new Map<number, Confirmed>();
  #hadLease = false;
  /** Since when a majority, and all that are connected, have this version. */
  #held = { version: 0, sinceMs: 0 };

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

  told(peer: number, version: number): void {
    this.#told.set(peer, version);
  }

  /** The same in answer to a question that was asked then. */
  answered(peer: number, version: number, askedMs: number): void {
    if (version === TABLE_UNKNOWN) return;
    this.told(peer, version);
    this.#confirmed.set(peer, { version, askedMs });
    this.#hadLease ||= this.hasLease;
    const { members, self } = this.#options;
    if (!members.has(self) && this.#readVersion === Infinity) this.#readElsewhere();
  }

  /** Each change before this node began is known to one of any majority. */
  #readElsewhere(): void {
    const { members, onKnown } = this.#options;
    const told = [...this.#confirmed].filter(([peer]) => members.has(peer));
    if (told.length <= members.size / 2) return;
    this.read(Math.max(...told.map(([, { version }]) => version)));
    if (this.known !== undefined) onKnown();
  }

  /** Whether this node has a lease on its table. */
  get hasLease(): boolean {
    const { members, self, leaseMs, nowMs } = this.#options;
    if (this.known === undefined) return false;
    const sinceMs = nowMs() - leaseMs;
    let count = members.has(self) ? 1 : 0;
    for (const [peer, { version, askedMs }] of this.#confirmed) {
      if (!members.has(peer)) continue;
      if (askedMs > sinceMs && version <= this.#own.version) count += 1;
    }
    return count > members.size / 2;
  }

  /** Whether it has, or has had one: a node that has just begun could not serve the first user. */
  get hadLease(): boolean {
    return this.#hadLease || this.hasLease;
  }

  /** Whether no node acts by a version before this one. */
  isHeld(version: number): boolean {
    const { connected, nodes, members, self, leaseMs, nowMs } = this.#options;
    if (this.#own.version < version) return false;
    const has = (peer: number): boolean => (this.#told.get(peer) ?? 0) >= version;
    const all = [...connected].every(has);
    if (!all || connected.size + 1 >= nodes()) return all;
    const have = [...members].filter((member) => member === self || has(member)).length;
    if (have <= members.size / 2) return false;
    if (this.#held.version < version) this.#held = { version, sinceMs: nowMs() };
    return nowMs() - this.#held.sinceMs >= leaseMs * (1 + DRIFT);
  }
}
