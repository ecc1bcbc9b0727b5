/**
 * Messages of pub/sub between the gateways of two nodes. Published messages travel at most
 * once; the tables of subscriptions only serve counts, so a gap in them is repaired, not awaited.
 */
import type { SubscriptionKind } from './subscriptions.ts';

/** Counted by name: subscriptions, and clients that wait for a key. */
export type CountKind = SubscriptionKind | 'waiting';

/** For the subscribers of the receiving node. */
interface Published {
  readonly type: 'Published';
  readonly kind: 'channel' | 'shard';
  readonly channel: string;
  readonly body: Uint8Array;
}

/** How many clients of the sender have subscribed to a name, or wait for it, now. */
export type SubscriptionCount = readonly [kind: CountKind, name: string, count: number];

/** Changes of the sender's table since the message before. */
interface SubscriptionsChanged {
  readonly type: 'SubscriptionsChanged';
  /** Of the sender's gateway. */
  readonly incarnation: number;
  /** Number of this message, counted from 1 in each incarnation. */
  readonly version: number;
  readonly counts: readonly SubscriptionCount[];
}

/** A page of the sender's whole table. */
interface SubscriptionsPage {
  readonly type: 'SubscriptionsPage';
  readonly incarnation: number;
  /** Of the last `SubscriptionsChanged` that the table contains. */
  readonly version: number;
  /** From 0. */
  readonly page: number;
  readonly isLast: boolean;
  readonly counts: readonly SubscriptionCount[];
}

/** Asks for the whole table. */
interface SubscriptionsWanted {
  readonly type: 'SubscriptionsWanted';
}

export type PubSubMessage =
  | Published
  | SubscriptionsChanged
  | SubscriptionsPage
  | SubscriptionsWanted;

export const COUNT_KINDS: readonly CountKind[] = ['channel', 'pattern', 'shard', 'waiting'];
/** Counts in one message. */
export const COUNTS_MAX = 1_024;

/** `undefined`: the peer has sent something that is no such message. */
export function pubSubMessageOf(message: object): PubSubMessage | undefined {
  const { type } = message as { readonly type?: unknown };
  switch (type) {
    case 'Published':
      return isPublished(message) ? message : undefined;
    case 'SubscriptionsChanged':
      return hasCounts(message) ? (message as SubscriptionsChanged) : undefined;
    case 'SubscriptionsPage': {
      const { page, isLast } = message as Partial<SubscriptionsPage>;
      const isPage = isCount(page) && typeof isLast === 'boolean';
      return isPage && hasCounts(message) ? (message as SubscriptionsPage) : undefined;
    }
    case 'SubscriptionsWanted':
      return { type };
    default:
      return undefined;
  }
}

function isPublished(message: object): message is Published {
  const { kind, channel, body } = message as Partial<Published>;
  const isKind = kind === 'channel' || kind === 'shard';
  return isKind && isByteText(channel) && body instanceof Uint8Array;
}

function hasCounts(message: object): boolean {
  const { incarnation, version, counts } = message as Partial<SubscriptionsChanged>;
  if (!isCount(incarnation) || !isCount(version) || !Array.isArray(counts)) return false;
  return counts.length <= COUNTS_MAX && counts.every(isSubscriptionCount);
}

function isSubscriptionCount(value: unknown): value is SubscriptionCount {
  if (!Array.isArray(value) || value.length !== 3) return false;
  const [kind, name, count] = value as unknown[];
  const isKind = COUNT_KINDS.includes(kind as CountKind);
  return isKind && isByteText(name) && isCount(count);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** One character per byte, as texts are everywhere in the node. */
function isByteText(value: unknown): value is string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: every byte is allowed
  return typeof value === 'string' && /^[\u0000-\u00ff]*$/.test(value);
}
