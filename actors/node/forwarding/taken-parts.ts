/**
 * Parts that nodes which are no members have handed to this one: each runs as if a client of this
 * node had sent it, under a name of its own, and its answer goes back. Relays what stores tell
 * about keys to the nodes that are no members. A peer whose link is lost loses its parts here; it
 * is told which, as soon as it can be. Pure; `forwarding-actor.ts` performs.
 */
import type {
  Part,
  PartAnswer,
  ReplyFlow,
  StoreNews,
  UnitId,
} from '../../../transport/resp/connection/part.ts';
import type { GroupId } from '../../accord/topology/group-id.ts';
import type { ForwardingCounts } from './forwarding-counts.ts';
import {
  DROPPED_IDS_MAX,
  type Forward,
  type ForwardingMessage,
  type ForwardReplies,
  type ToEntry,
  type ToMember,
} from './forwarding-message.ts';

interface TakenPartsOptions {
  readonly isMember: (group: GroupId, node: number) => boolean;
  /** All slots are of these groups. */
  readonly areIn: (groups: readonly GroupId[], slots: readonly number[]) => boolean;
  /** Of all peers together: parts that wait for an answer, and their bytes; more are refused. */
  readonly partsMax: number;
  readonly bytesMax: number;
  /** To a store of this node; `false`: no group of the part is here, or too much waits. */
  readonly submit: (part: Part) => boolean;
  readonly flow: (message: ReplyFlow) => void;
  /** Some peer's clients keep what they read, or none's. */
  readonly tracks: (isOn: boolean) => void;
  /** `false`: it has not left, and will not. */
  readonly send: (peer: number, message: ToEntry) => boolean;
  readonly counts: ForwardingCounts;
}

/** Ids of each peer that are known to have come. */
const SEEN_IDS_MAX = 16_384;

interface Taken {
  readonly unit: UnitId;
  readonly peer: number;
  /** As the peer knows it. */
  readonly id: number;
  readonly bytes: number;
  isWaiting: boolean;
}

/** A unit that runs for a peer, in the eyes of the stores. No client has such a number. */
export function isTaken({ connection }: UnitId): boolean {
  return connection < 0;
}

export class TakenParts {
  readonly #options: TakenPartsOptions;
  /** By the number of the connection that it has here. */
  readonly #taken = new Map<number, Taken>();
  readonly #ofPeer = new Map<number, Map<number, Taken>>();
  /** By peer: parts that it does not know to be lost. */
  readonly #dropped = new Map<number, number[]>();
  /** By peer, the ids of late: a frame may come again. */
  readonly #seen = new Map<number, Set<number>>();
  readonly #up = new Set<number>();
  /** Peers that were not told of some keys. */
  readonly #missed = new Set<number>();
  readonly #tracking = new Set<number>();
  #last = 0;
  #bytes = 0;

  constructor(options: TakenPartsOptions) {
    this.#options = options;
  }

  /** Nodes come while this one runs. */
  #meet(peer: number): void {
    if (this.#ofPeer.has(peer)) return;
    this.#ofPeer.set(peer, new Map());
    this.#seen.set(peer, new Set());
  }

  get size(): number {
    return this.#taken.size;
  }

  // ---- from the peers ---------------------------------------------------------------------

  received(peer: number, message: ToMember): void {
    this.#meet(peer);
    switch (message.type) {
      case 'Forward':
        return this.#take(peer, message);
      case 'ForwardCredit': {
        const taken = this.#ofPeer.get(peer)?.get(message.id);
        if (taken === undefined) return;
        const { upTo } = message;
        return this.#options.flow({ type: 'ReplyCredit', unit: taken.unit, part: 0, upTo });
      }
      case 'ForwardOver': {
        const taken = this.#ofPeer.get(peer)?.get(message.id);
        if (taken !== undefined) this.#end(taken);
        return;
      }
      case 'TracksWrites':
        return this.#track(peer, message.isOn);
    }
  }

  #take(peer: number, message: Forward): void {
    const { partsMax, bytesMax, areIn, submit, counts } = this.#options;
    const { type, id, leftMs, body, ...rest } = message;
    if (!this.#isNew(peer, id)) return;
    const parts = this.#ofPeer.get(peer);
    const bytes = body.length;
    // One alone may be as large as any.
    const isFull = this.#taken.size >= partsMax || this.#bytes + bytes > bytesMax;
    const isRefused = (isFull && this.#taken.size > 0) || !areIn(rest.groups, rest.participants);
    if (parts === undefined || isRefused) return this.#refuse(peer, id);
    this.#last -= 1;
    const unit = { connection: this.#last, sequence: 1 };
    const taken = { unit, peer, id, bytes, isWaiting: false };
    this.#taken.set(unit.connection, taken);
    parts.set(id, taken);
    this.#bytes += bytes;
    counts.taken += 1;
    // The peer has seen to it that the keys of other groups are noted.
    if (submit({ unit, part: 0, bytes: body, leftMs, isNoted: true, ...rest })) return;
    this.#forget(taken);
    this.#refuse(peer, id);
  }

  /** Twice a write must not run. */
  #isNew(peer: number, id: number): boolean {
    const seen = this.#seen.get(peer);
    if (seen === undefined || seen.has(id)) return false;
    seen.add(id);
    const [oldest] = seen;
    if (seen.size > SEEN_IDS_MAX && oldest !== undefined) seen.delete(oldest);
    return true;
  }

  #refuse(peer: number, id: number): void {
    if (!this.#options.send(peer, { type: 'ForwardRefused', id })) this.#drop(peer, id);
  }

  #track(peer: number, isOn: boolean): void {
    if (isOn) this.#tracking.add(peer);
    else this.#tracking.delete(peer);
    this.#options.tracks(this.#tracking.size > 0);
  }

  // ---- from the stores --------------------------------------------------------------------

  answered(answer: PartAnswer): void {
    const taken = this.#taken.get(answer.unit.connection);
    if (taken === undefined) return this.#late(answer);
    const { peer, id } = taken;
    const isOver = answer.type !== 'PartReplies' || (answer.last && answer.waiting === undefined);
    if (isOver) this.#forget(taken);
    else taken.isWaiting = answer.waiting !== undefined;
    if (this.#options.send(peer, messageOf(id, answer))) return;
    if (!isOver) this.#end(taken);
    this.#drop(peer, id);
  }

  /** Its peer is gone. */
  #late(answer: PartAnswer): void {
    if (answer.type !== 'PartReplies') return;
    const { unit, part } = answer;
    if (answer.waiting !== undefined) this.#options.flow({ type: 'StopWaiting', unit });
    else if (!answer.last) this.#options.flow({ type: 'RepliesAbandoned', unit, part });
  }

  /** To the nodes that are no members of the group, which hear of it from nobody else. */
  relay(news: Exclude<StoreNews, PartAnswer>): void {
    for (const peer of this.#up) {
      const message = this.#relayed(news, peer);
      if (message === undefined || this.#options.send(peer, message)) continue;
      // Each event is told at most once.
      if (news.type !== 'KeysChanged') this.#missed.add(peer);
    }
  }

  #relayed(news: Exclude<StoreNews, PartAnswer>, peer: number): ToEntry | undefined {
    if (news.type === 'ScriptsLogged' || news.type === 'ScriptsDenied') return undefined;
    if (news.type === 'WaitsLost') return news;
    if (this.#options.isMember(news.group, peer)) return undefined;
    switch (news.type) {
      case 'KeysReady':
        return news;
      case 'KeysChanged': {
        // The others go to all nodes anyway.
        const events = news.events.filter(({ isEverywhere }) => !isEverywhere);
        return events.length > 0 ? { ...news, events } : undefined;
      }
      case 'KeysWritten': {
        if (!this.#tracking.has(peer)) return undefined;
        const { type, group, keys, by = 0 } = news;
        const writer = this.#taken.get(by);
        return { type, group, keys, by: writer?.peer === peer ? writer.id : 0 };
      }
    }
  }

  // ---- links ------------------------------------------------------------------------------

  /** These have not left. */
  notSent(peer: number, messages: readonly ForwardingMessage[]): void {
    for (const message of messages) {
      if (message.type === 'ForwardsDropped') {
        for (const id of message.ids) this.#drop(peer, id);
      } else if ('id' in message) {
        const taken = this.#ofPeer.get(peer)?.get(message.id);
        if (taken !== undefined) this.#end(taken);
        this.#drop(peer, message.id);
      } else if (message.type !== 'KeysChanged') {
        this.#missed.add(peer);
      }
    }
  }

  peerUp(peer: number): void {
    this.#meet(peer);
    this.#up.add(peer);
    this.#missed.add(peer);
    this.#tellDropped(peer);
    this.#tellMissed(peer);
  }

  peerDown(peer: number): void {
    this.#up.delete(peer);
    this.#track(peer, false);
    for (const taken of [...(this.#ofPeer.get(peer)?.values() ?? [])]) {
      this.#end(taken);
      this.#drop(peer, taken.id);
    }
  }

  onTick(): void {
    for (const peer of this.#up) {
      this.#tellDropped(peer);
      this.#tellMissed(peer);
    }
  }

  /** It takes all for changed. */
  #tellMissed(peer: number): void {
    if (!this.#missed.delete(peer)) return;
    if (!this.#options.send(peer, { type: 'WaitsLost' })) this.#missed.add(peer);
  }

  /** This actor ends; what the stores still answer finds nobody. */
  dropAll(): void {
    for (const taken of [...this.#taken.values()]) {
      this.#end(taken);
      this.#drop(taken.peer, taken.id);
    }
    for (const peer of this.#up) this.#tellDropped(peer);
    this.#options.tracks(false);
  }

  #tellDropped(peer: number): void {
    const dropped = this.#dropped.get(peer) ?? [];
    this.#dropped.delete(peer);
    for (let at = 0; at < dropped.length; at += DROPPED_IDS_MAX) {
      const ids = dropped.slice(at, at + DROPPED_IDS_MAX);
      if (this.#options.send(peer, { type: 'ForwardsDropped', ids })) continue;
      for (const id of dropped.slice(at)) this.#drop(peer, id);
      return;
    }
  }

  /** The peer is to be told that no answer follows. */
  #drop(peer: number, id: number): void {
    const dropped = this.#dropped.get(peer) ?? [];
    this.#dropped.set(peer, dropped);
    // Of more, its own deadlines tell it.
    if (dropped.length < this.#options.partsMax) dropped.push(id);
  }

  #end(taken: Taken): void {
    const { unit, isWaiting } = taken;
    this.#forget(taken);
    this.#options.flow(
      isWaiting ? { type: 'StopWaiting', unit } : { type: 'RepliesAbandoned', unit, part: 0 },
    );
  }

  #forget({ unit, peer, id, bytes }: Taken): void {
    if (!this.#taken.delete(unit.connection)) return;
    this.#ofPeer.get(peer)?.delete(id);
    this.#bytes -= bytes;
  }
}

function messageOf(id: number, answer: PartAnswer): ToEntry {
  switch (answer.type) {
    case 'PartReplies':
      return repliesOf(id, answer);
    case 'PartFailed':
      return { type: 'ForwardFailed', id, line: answer.line };
    case 'RepliesLost':
      return { type: 'ForwardLost', id };
  }
}

function repliesOf(
  id: number,
  answer: Extract<PartAnswer, { readonly type: 'PartReplies' }>,
): ForwardReplies {
  const { from, replies: body, ends, errors, codes, answered, last, waiting } = answer;
  return {
    ...{ type: 'ForwardReplies', id, from, body, ends, errors, answered, last },
    ...(codes === undefined ? {} : { codes }),
    ...(waiting === undefined ? {} : { waiting }),
  };
}
