/**
 * Pub/sub of one node: subscriptions of its clients, messages to and from the other nodes.
 *
 * A message goes to the node's own subscribers at once and to every peer whose link is up, whether
 * it is known to have subscribers or not: a client whose SUBSCRIBE was answered misses nothing that
 * is published afterwards. Links keep order and repeat nothing, so a subscriber gets the messages
 * of a publisher in order, each at most once. The counts of PUBLISH and PUBSUB come from what the
 * peers have told last.
 */

import type { Notification } from '../../../storage/keyspace/key-events.ts';
import { shareOf } from '../waiting/share.ts';
import { WaitingCounts } from '../waiting/waiting-counts.ts';
import { PeerSubscriptions } from './peer-subscriptions.ts';
import {
  COUNT_KINDS,
  COUNTS_MAX,
  type CountKind,
  type PubSubMessage,
  type SubscriptionCount,
} from './pubsub-message.ts';
import { type Subscriber, type SubscriptionKind, Subscriptions } from './subscriptions.ts';

/** The links to the other nodes' gateways; what cannot be sent is dropped. */
export interface PubSubPeers {
  /** The number of this node. */
  readonly self: number;
  /** Of this node's gateway: none has the number of one before it. */
  readonly incarnation: number;
  /** Peers whose links are up. */
  connected(): Iterable<number>;
  send(peer: number, message: PubSubMessage): void;
}

/** For a node without peers. */
export const NO_PEERS: PubSubPeers = {
  self: 1,
  incarnation: 1,
  connected: () => [],
  send: () => undefined,
};

/** A peer that has not told its whole table is asked again after this time. */
const ASK_AGAIN_MS = 1_000;

export class PubSub {
  readonly #peers: PubSubPeers;
  readonly #own = new Subscriptions((kind, name) => this.#changed[kind].add(name));
  readonly #waiting = new WaitingCounts();
  readonly #changed: Readonly<Record<CountKind, Set<string>>> = {
    channel: new Set(),
    pattern: new Set(),
    shard: new Set(),
    waiting: new Set(),
  };
  readonly #told = new Map<number, PeerSubscriptions>();
  /** Peers that were asked for their tables, and when (monotonic milliseconds). */
  readonly #asked = new Map<number, number>();
  #version = 0;
  #nowMs = 0;

  constructor(peers: PubSubPeers, nowMs: number) {
    this.#peers = peers;
    this.#nowMs = nowMs;
    for (const peer of peers.connected()) {
      // They may know subscriptions of a gateway before this one.
      this.#tellAll(peer);
      this.peerUp(peer);
    }
  }

  subscribe(kind: SubscriptionKind, name: string, subscriber: Subscriber): void {
    this.#own.add(kind, name, subscriber);
  }

  unsubscribe(kind: SubscriptionKind, name: string, subscriber: Subscriber): void {
    this.#own.remove(kind, name, subscriber);
  }

  unsubscribeAll(subscriber: Subscriber): void {
    this.#own.removeAll(subscriber);
  }

  namesOf(kind: SubscriptionKind, subscriber: Subscriber): readonly string[] {
    return this.#own.namesOf(kind, subscriber);
  }

  has(kind: SubscriptionKind, name: string, subscriber: Subscriber): boolean {
    return this.#own.has(kind, name, subscriber);
  }

  /** Returns how many clients get it, as far as this node knows. */
  publish(kind: 'channel' | 'shard', channel: string, payload: string): number {
    let receivers = this.#own.deliver(kind, channel, payload);
    let body: Uint8Array | undefined;
    for (const peer of this.#peers.connected()) {
      body ??= Buffer.from(payload, 'latin1');
      this.#peers.send(peer, { type: 'Published', kind, channel, body });
      receivers += this.#told.get(peer)?.receivers(kind, channel) ?? 0;
    }
    return receivers;
  }

  /** A keyspace event. Of a write, each node tells its own subscribers as it executes it. */
  notify({ channel, payload, isEverywhere, isShard }: Notification): void {
    const kind = isShard === true ? 'shard' : 'channel';
    if (isEverywhere) this.publish(kind, channel, payload);
    else this.#own.deliver('channel', channel, payload);
  }

  /** Of all nodes; names with at least one subscriber, each once. */
  names(kind: SubscriptionKind, glob?: string): string[] {
    const names = new Set(this.#own.names(kind, glob));
    for (const told of this.#told.values()) {
      for (const name of told.names(kind, glob)) names.add(name);
    }
    return [...names];
  }

  /** Of all nodes. */
  subscribers(kind: SubscriptionKind, name: string): number {
    let count = this.#own.subscribers(kind, name);
    for (const told of this.#told.values()) count += told.count(kind, name);
    return count;
  }

  /** So many clients of this node wait for the key now. */
  waitersChanged(name: string, count: number): void {
    if (this.#waiting.set(name, count)) this.#changed.waiting.add(name);
  }

  /** How many of the elements that came to a key at this time are for clients of this node. */
  share(name: string, added: number, atUs: number): number {
    const { self } = this.#peers;
    const counts: [node: number, waiting: number][] = [[self, this.#waiting.told(name)]];
    for (const [peer, told] of this.#told) counts.push([peer, told.count('waiting', name)]);
    return shareOf(self, counts, added, atUs);
  }

  peerUp(peer: number): void {
    this.#told.set(peer, new PeerSubscriptions());
    this.#ask(peer);
  }

  peerDown(peer: number): void {
    this.#told.delete(peer);
    this.#asked.delete(peer);
  }

  receive(peer: number, message: PubSubMessage): void {
    switch (message.type) {
      case 'Published': {
        const payload = Buffer.from(message.body).toString('latin1');
        this.#own.deliver(message.kind, message.channel, payload);
        return;
      }
      case 'SubscriptionsWanted':
        return this.#tellAll(peer);
      case 'SubscriptionsChanged':
      case 'SubscriptionsPage': {
        const told = this.#told.get(peer);
        if (told === undefined) return;
        if (!told.receive(message)) this.#askOnce(peer);
        else if (message.type === 'SubscriptionsPage') this.#asked.delete(peer);
      }
    }
  }

  /** Tells the peers what has changed; to be called as a turn ends. */
  announce(): void {
    const { channel, pattern, shard, waiting } = this.#changed;
    // Nearly every turn.
    if (channel.size + pattern.size + shard.size + waiting.size === 0) return;
    const counts: SubscriptionCount[] = [];
    for (const kind of COUNT_KINDS) {
      for (const name of this.#changed[kind]) counts.push([kind, name, this.#count(kind, name)]);
      this.#changed[kind].clear();
    }
    const { incarnation } = this.#peers;
    for (let at = 0; at < counts.length; at += COUNTS_MAX) {
      this.#version += 1;
      const version = this.#version;
      const some = counts.slice(at, at + COUNTS_MAX);
      for (const peer of this.#peers.connected()) {
        const type = 'SubscriptionsChanged';
        this.#peers.send(peer, { type, incarnation, version, counts: some });
      }
    }
  }

  onTick(nowMs: number): void {
    this.#nowMs = nowMs;
    for (const name of this.#waiting.onTick()) this.#changed.waiting.add(name);
    for (const [peer, askedMs] of this.#asked) {
      if (nowMs - askedMs >= ASK_AGAIN_MS) this.#ask(peer);
    }
  }

  #count(kind: CountKind, name: string): number {
    return kind === 'waiting' ? this.#waiting.told(name) : this.#own.subscribers(kind, name);
  }

  #askOnce(peer: number): void {
    if (!this.#asked.has(peer)) this.#ask(peer);
  }

  #ask(peer: number): void {
    this.#asked.set(peer, this.#nowMs);
    this.#peers.send(peer, { type: 'SubscriptionsWanted' });
  }

  #tellAll(peer: number): void {
    // Changes since the last message are in the pages, and told once more: they are the same.
    const counts = COUNT_KINDS.flatMap((kind) => {
      const names = kind === 'waiting' ? this.#waiting.names() : this.#own.names(kind);
      return names.map((name): SubscriptionCount => [kind, name, this.#count(kind, name)]);
    });
    const pages = Math.max(1, Math.ceil(counts.length / COUNTS_MAX));
    for (let page = 0; page < pages; page += 1) {
      this.#peers.send(peer, {
        type: 'SubscriptionsPage',
        incarnation: this.#peers.incarnation,
        version: this.#version,
        page,
        isLast: page === pages - 1,
        counts: counts.slice(page * COUNTS_MAX, (page + 1) * COUNTS_MAX),
      });
    }
  }
}
