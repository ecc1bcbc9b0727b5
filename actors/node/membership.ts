/**
 * This node among the others: tells where it is, has the meta group record what nodes have told,
 * and keeps the cluster's table new where this node does not order its changes. Any node that has
 * the table hands it out. Decides; `node.ts` sends, and owns the links.
 */
import { type ClusterSettings, NO_SETTINGS } from '../../storage/cluster-settings.ts';
import type { NodeStarted } from '../meta/meta-command.ts';
import type { MetaState } from '../meta/meta-state.ts';
import { nodeStarted } from '../meta/nodes.ts';
import { metaViewOf, type NodePlaces } from '../meta/topology.ts';
import {
  type Announcement,
  type MembershipMessage,
  type TableAge,
  tableMessage,
  tableOf,
} from './node-messages.ts';

interface MembershipOptions {
  readonly self: number;
  /** Absent where nobody is told. */
  readonly announcement: Announcement | undefined;
  /** Of the meta group. */
  readonly members: () => Iterable<number>;
  /** This node orders the changes of the table itself. */
  readonly isMember: () => boolean;
  readonly connected: ReadonlySet<number>;
  readonly state: () => MetaState | undefined;
  readonly send: (peer: number, message: MembershipMessage) => void;
  /** A newer table, where this node does not order its changes. */
  readonly onTable: (table: ClusterSettings) => void;
  /** A peer is there since it has started. */
  readonly onPlace: (peer: number, place: NodePlaces) => void;
  readonly nowMs: () => number;
}

/** A question that is not answered by then is asked again, of whoever tells a newer version. */
const WANTED_MS = 500;
/** Pause between two announcements that the topology does not show. */
const ANNOUNCE_MS = 1_000;

export class Membership {
  readonly #options: MembershipOptions;
  /** The newest table that this node has seen. */
  #table: ClusterSettings = NO_SETTINGS;
  /** By node: what it has told last. */
  readonly #announced = new Map<number, Announcement>();
  #wantedMs = -Infinity;
  #announcedMs = -Infinity;

  constructor(options: MembershipOptions) {
    this.#options = options;
    const { self, announcement } = options;
    if (announcement !== undefined) this.#announced.set(self, announcement);
  }

  /** The link to a peer has come up. */
  peerUp(peer: number): void {
    const { announcement, send } = this.#options;
    if (announcement !== undefined) send(peer, { type: 'NodeAnnounced', ...announcement });
  }

  /** This node has this table now. */
  has(table: ClusterSettings): void {
    this.#table = table;
  }

  /** The newest table that this node has seen. */
  get table(): ClusterSettings {
    return this.#table;
  }

  get age(): TableAge {
    const { epoch, meta } = this.#options.state()?.topology ?? {};
    const view = meta === undefined ? 0 : metaViewOf(meta);
    return { version: this.#table.version, epoch: epoch ?? 0, view };
  }

  /** A peer has told how new its table is. */
  ageTold(peer: number, age: TableAge): void {
    const { nowMs, send, isMember } = this.#options;
    // A member that is away may have been replaced, and hears of nothing by its own group.
    const isBehind = isMember() ? age.view > this.age.view : isNewer(age, this.age);
    if (!isBehind) return;
    if (nowMs() < this.#wantedMs + WANTED_MS) return;
    this.#wantedMs = nowMs();
    send(peer, { type: 'TableWanted', ...this.age });
  }

  received(peer: number, message: MembershipMessage): void {
    const { send, onTable, onPlace, isMember } = this.#options;
    switch (message.type) {
      case 'NodeAnnounced': {
        const { type: _type, ...announcement } = message;
        const before = this.#announced.get(peer);
        if ((before?.incarnation ?? 0) > announcement.incarnation) return;
        this.#announced.set(peer, announcement);
        return onPlace(peer, announcement);
      }
      case 'TableWanted':
        if (isNewer(this.age, message)) send(peer, tableMessage(this.#table));
        return;
      case 'Table':
        if (isMember() && this.#wantedMs === -Infinity) return;
        this.#wantedMs = -Infinity;
        return onTable(tableOf(message));
    }
  }

  /** The command that records a node where it has told that it is. */
  get due(): NodeStarted | undefined {
    const state = this.#options.state();
    if (state === undefined) return undefined;
    for (const [id, announcement] of this.#announced) {
      const command: NodeStarted = { type: 'NodeStarted', id, ...announcement };
      if (typeof nodeStarted(state, command) !== 'string') return command;
    }
    return undefined;
  }

  /** A node that is no member of the meta group tells one until the topology shows it. */
  onTick(): void {
    const { self, members, isMember, connected, nowMs, state } = this.#options;
    if (isMember() || this.due?.id !== self || state() === undefined) return;
    if (nowMs() < this.#announcedMs + ANNOUNCE_MS) return;
    const peer = [...members()].find((member) => connected.has(member));
    if (peer === undefined) return;
    this.#announcedMs = nowMs();
    this.peerUp(peer);
  }
}

function isNewer(one: TableAge, other: TableAge): boolean {
  return one.version > other.version || one.epoch > other.epoch;
}
