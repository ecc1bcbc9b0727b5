/**
 * The subscriptions of one peer's clients, as the peer has told them: only for counts, which may be
 * a moment old. A message that is missing shows as a gap in the versions.
 */
import { Glob, matchesGlob } from '../../../storage/commands/glob.ts';
import type { CountKind, PubSubMessage, SubscriptionCount } from './pubsub-message.ts';
import type { SubscriptionKind } from './subscriptions.ts';

interface Told {
  count: number;
  /** Of a pattern. */
  readonly glob: Glob | undefined;
}

type Counts = Extract<PubSubMessage, { readonly counts: unknown }>;

/** Names of one peer that are kept; those beyond are not counted. */
const TOLD_MAX = 1_000_000;

export class PeerSubscriptions {
  readonly #told: Readonly<Record<CountKind, Map<string, Told>>> = {
    channel: new Map(),
    pattern: new Map(),
    shard: new Map(),
    waiting: new Map(),
  };
  #incarnation = 0;
  #version = 0;
  /** The page that comes next; undefined: the table is whole. */
  #nextPage: number | undefined = 0;
  readonly #toldMax: number;

  constructor(toldMax: number = TOLD_MAX) {
    this.#toldMax = toldMax;
  }

  /** `false`: there is a gap, and the whole table is to be asked for. */
  receive(message: Counts): boolean {
    const { incarnation, version } = message;
    if (message.type === 'SubscriptionsPage') {
      if (message.page === 0) this.#restart(incarnation);
      if (incarnation !== this.#incarnation || message.page !== this.#nextPage) return false;
      this.#nextPage = message.isLast ? undefined : message.page + 1;
    } else {
      const isNext = incarnation === this.#incarnation && version === this.#version + 1;
      if (!isNext || this.#nextPage !== undefined) return false;
    }
    this.#version = version;
    for (const count of message.counts) this.#note(count);
    return true;
  }

  /** How many of the peer's clients a message reaches. */
  receivers(kind: 'channel' | 'shard', channel: string): number {
    let receivers = this.count(kind, channel);
    if (kind === 'shard') return receivers;
    for (const { count, glob } of this.#told.pattern.values()) {
      if (glob?.matches(channel) === true) receivers += count;
    }
    return receivers;
  }

  count(kind: CountKind, name: string): number {
    return this.#told[kind].get(name)?.count ?? 0;
  }

  names(kind: SubscriptionKind, glob?: string): string[] {
    const names = [...this.#told[kind].keys()];
    return glob === undefined ? names : names.filter((name) => matchesGlob(glob, name));
  }

  #restart(incarnation: number): void {
    for (const told of Object.values(this.#told)) told.clear();
    this.#incarnation = incarnation;
    this.#nextPage = 0;
  }

  #note([kind, name, count]: SubscriptionCount): void {
    const told = this.#told[kind];
    const known = told.get(name);
    if (count === 0) told.delete(name);
    else if (known !== undefined) known.count = count;
    else if (this.#size() < this.#toldMax) {
      told.set(name, { count, glob: kind === 'pattern' ? new Glob(name) : undefined });
    }
  }

  #size(): number {
    const { channel, pattern, shard, waiting } = this.#told;
    return channel.size + pattern.size + shard.size + waiting.size;
  }
}
