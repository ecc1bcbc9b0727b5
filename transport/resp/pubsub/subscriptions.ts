/**
 * The subscriptions of one node's clients, and the delivery of messages to them. A message is
 * rendered once per protocol, however many clients receive it. Knows nothing of other nodes.
 */
import { Glob, matchesGlob } from '../../../storage/commands/glob.ts';
import { ReplyWriter } from '../codec/encoder.ts';
import type { ClientState } from '../connection/client-state.ts';

export type SubscriptionKind = 'channel' | 'pattern' | 'shard';

/** A connection as its subscriptions see it. */
export interface Subscriber {
  readonly client: ClientState;
  /** See `Connection.push`. May end the subscriber. */
  push(bytes: Uint8Array): void;
}

/** A channel or pattern with subscribers. */
class Topic {
  readonly subscribers = new Set<Subscriber>();
  /** Of a pattern. */
  readonly glob: Glob | undefined;

  constructor(glob: Glob | undefined) {
    this.glob = glob;
  }
}

type Names = Readonly<Record<SubscriptionKind, Set<string>>>;

/** Memory of one subscription beside its name. */
const SUBSCRIPTION_BYTES = 128;

export class Subscriptions {
  readonly #topics: Readonly<Record<SubscriptionKind, Map<string, Topic>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
  };
  readonly #names = new Map<Subscriber, Names>();
  readonly #writer = new ReplyWriter(2);
  readonly #changed: (kind: SubscriptionKind, name: string) => void;

  /** `changed` is told each name whose number of subscribers has changed. */
  constructor(changed: (kind: SubscriptionKind, name: string) => void) {
    this.#changed = changed;
  }

  /** `false`: the client has this subscription already. */
  add(kind: SubscriptionKind, name: string, subscriber: Subscriber): boolean {
    const names = this.#names.get(subscriber) ?? {
      channel: new Set(),
      pattern: new Set(),
      shard: new Set(),
    };
    if (names[kind].has(name)) return false;
    this.#names.set(subscriber, names);
    names[kind].add(name);
    const topics = this.#topics[kind];
    let topic = topics.get(name);
    if (topic === undefined) {
      topic = new Topic(kind === 'pattern' ? new Glob(name) : undefined);
      topics.set(name, topic);
    }
    topic.subscribers.add(subscriber);
    this.#count(kind, name, subscriber, 1);
    return true;
  }

  /** `false`: the client has no such subscription. */
  remove(kind: SubscriptionKind, name: string, subscriber: Subscriber): boolean {
    const names = this.#names.get(subscriber);
    if (names?.[kind].delete(name) !== true) return false;
    const topics = this.#topics[kind];
    const topic = topics.get(name);
    topic?.subscribers.delete(subscriber);
    if (topic?.subscribers.size === 0) topics.delete(name);
    this.#count(kind, name, subscriber, -1);
    if (names.channel.size + names.pattern.size + names.shard.size === 0) {
      this.#names.delete(subscriber);
    }
    return true;
  }

  removeAll(subscriber: Subscriber): void {
    for (const kind of ['channel', 'pattern', 'shard'] as const) {
      for (const name of this.namesOf(kind, subscriber)) this.remove(kind, name, subscriber);
    }
  }

  /** In the order in which the client has subscribed. */
  namesOf(kind: SubscriptionKind, subscriber: Subscriber): readonly string[] {
    return [...(this.#names.get(subscriber)?.[kind] ?? [])];
  }

  has(kind: SubscriptionKind, name: string, subscriber: Subscriber): boolean {
    return this.#names.get(subscriber)?.[kind].has(name) === true;
  }

  /** Names with subscribers; `glob`: only those that match it. */
  names(kind: SubscriptionKind, glob?: string): string[] {
    const names = [...this.#topics[kind].keys()];
    return glob === undefined ? names : names.filter((name) => matchesGlob(glob, name));
  }

  subscribers(kind: SubscriptionKind, name: string): number {
    return this.#topics[kind].get(name)?.subscribers.size ?? 0;
  }

  /** Returns the number of deliveries: a client may get a message by several subscriptions. */
  deliver(kind: 'channel' | 'shard', channel: string, payload: string): number {
    let deliveries = 0;
    const topic = this.#topics[kind].get(channel);
    if (topic !== undefined) {
      const words = [kind === 'shard' ? 'smessage' : 'message', channel, payload];
      deliveries += this.#pushTo(topic, words);
    }
    if (kind === 'shard') return deliveries;
    for (const [pattern, matching] of this.#topics.pattern) {
      if (matching.glob?.matches(channel) !== true) continue;
      deliveries += this.#pushTo(matching, ['pmessage', pattern, channel, payload]);
    }
    return deliveries;
  }

  #pushTo({ subscribers }: Topic, words: readonly string[]): number {
    const rendered: (Uint8Array | undefined)[] = [];
    let deliveries = 0;
    for (const subscriber of subscribers) {
      const { protocol } = subscriber.client;
      rendered[protocol] ??= this.#render(protocol, words);
      subscriber.push(rendered[protocol]);
      deliveries += 1;
    }
    return deliveries;
  }

  #render(protocol: 2 | 3, words: readonly string[]): Uint8Array {
    const writer = this.#writer;
    writer.protocol = protocol;
    writer.push(words.length);
    for (const word of words) writer.bulk(word);
    return writer.take();
  }

  #count(kind: SubscriptionKind, name: string, { client }: Subscriber, by: 1 | -1): void {
    client.subscriptions[kind] += by;
    client.subscriptions.bytes += by * (name.length + SUBSCRIPTION_BYTES);
    this.#changed(kind, name);
  }
}
