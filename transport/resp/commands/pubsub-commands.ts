/**
 * Pub/sub. https://redis.io/docs/latest/develop/interact/pubsub: SUBSCRIBE and its like answer each
 * name by a push of its own, which RESP2 clients see as an array.
 */
import { SYNTAX_ERROR } from '../../../storage/commands/command.ts';
import { Glob } from '../../../storage/commands/glob.ts';
import { KEY_BYTES_MAX } from '../../../storage/limits.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { SubscriptionKind } from '../pubsub/subscriptions.ts';
import type { LocalCommand, LocalContext } from '../routes.ts';
import { type Subcommand, withSubcommands } from './subcommands.ts';

const NAME_TOO_LONG = `ERR channel exceeds maximum allowed size (${KEY_BYTES_MAX} bytes)`;

/** All commands before it have had their effects: a receiver may rely on it. */
const PUBSUB = {
  categories: ['@pubsub', '@slow'],
  group: 'pubsub',
  afterAll: true,
  afterBlock: true,
} as const;
const SUBSCRIBING = { ...PUBSUB, flags: ['pubsub', 'noscript', 'loading', 'stale'] } as const;
const PUBLISHING = {
  ...PUBSUB,
  flags: ['pubsub', 'loading', 'stale', 'fast'],
  categories: ['@pubsub', '@fast'],
  channels: { from: 1, isPattern: false, one: true },
  arity: 3,
} as const;

function subscribing(kind: SubscriptionKind, word: string): LocalCommand['run'] {
  return (context, [, ...names], out) => {
    const refusal = refusalOf(context, kind, names);
    if (refusal !== undefined) return out.error(refusal);
    for (const name of names) {
      context.pubsub.subscribe(kind, name, context);
      answer(context, kind, word, name, out);
    }
  };
}

function refusalOf(
  context: LocalContext,
  kind: SubscriptionKind,
  names: readonly string[],
): string | undefined {
  const { channel, pattern, shard } = context.client.subscriptions;
  const { subscriptionsMax } = context.limits;
  const added = new Set(names.filter((name) => !context.pubsub.has(kind, name, context)));
  if (channel + pattern + shard + added.size > subscriptionsMax) {
    return `ERR a client has at most ${subscriptionsMax} subscriptions (subscriptions-max)`;
  }
  if (names.some((name) => name.length > KEY_BYTES_MAX)) return NAME_TOO_LONG;
  if (kind !== 'pattern') return undefined;
  for (const name of names) {
    const { problem } = new Glob(name);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Without names: from all of the kind. */
function unsubscribing(kind: SubscriptionKind, word: string): LocalCommand['run'] {
  return (context, [, ...named], out) => {
    const names = named.length > 0 ? named : context.pubsub.namesOf(kind, context);
    for (const name of names) {
      context.pubsub.unsubscribe(kind, name, context);
      answer(context, kind, word, name, out);
    }
    if (names.length === 0) answer(context, kind, word, undefined, out);
  };
}

/** The count is that of channels and patterns together, or of shard channels. */
function answer(
  { client }: LocalContext,
  kind: SubscriptionKind,
  word: string,
  name: string | undefined,
  out: ReplyWriter,
): void {
  const { channel, pattern, shard } = client.subscriptions;
  out.push(3);
  out.bulk(word);
  if (name === undefined) out.nil();
  else out.bulk(name);
  out.integer(kind === 'shard' ? shard : channel + pattern);
}

function publishing(kind: 'channel' | 'shard'): LocalCommand['run'] {
  return (context, args, out) => {
    const [, channel = '', payload = ''] = args;
    if (channel.length > KEY_BYTES_MAX) return out.error(NAME_TOO_LONG);
    out.integer(context.pubsub.publish(kind, channel, payload));
  };
}

function channels(kind: SubscriptionKind): Subcommand {
  return {
    arity: -2,
    run(context, args, out) {
      if (args.length > 3) return out.error(SYNTAX_ERROR);
      const names = context.pubsub.names(kind, args[2]);
      out.array(names.length);
      for (const name of names) out.bulk(name);
    },
  };
}

function numberOfSubscribers(kind: SubscriptionKind): Subcommand {
  return {
    arity: -2,
    run(context, args, out) {
      const names = args.slice(2);
      out.array(2 * names.length);
      for (const name of names) {
        out.bulk(name);
        out.integer(context.pubsub.subscribers(kind, name));
      }
    },
  };
}

const PUBSUB_COMMAND: LocalCommand = withSubcommands({
  ...PUBSUB,
  name: 'PUBSUB',
  flags: ['pubsub', 'loading', 'stale'],
  summary: 'A container for Pub/Sub commands.',
  since: '2.8.0',
  complexity: 'Depends on subcommand.',
  subcommands: {
    CHANNELS: channels('channel'),
    NUMPAT: {
      arity: 2,
      run: (context, _args, out) => out.integer(context.pubsub.names('pattern').length),
    },
    NUMSUB: numberOfSubscribers('channel'),
    SHARDCHANNELS: channels('shard'),
    SHARDNUMSUB: numberOfSubscribers('shard'),
  },
  help: [
    'CHANNELS [<pattern>]',
    "    Return the currently active channels matching a <pattern> (default: '*').",
    'NUMPAT',
    '    Return number of subscriptions to patterns.',
    'NUMSUB [<channel> ...]',
    '    Return the number of subscribers for the specified channels, excluding',
    '    pattern subscriptions(default: no channels).',
    'SHARDCHANNELS [<pattern>]',
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    'SHARDNUMSUB [<shardchannel> ...]',
    '    Return the number of subscribers for the specified shard level channel(s)',
  ],
});

export const PUBSUB_COMMANDS: readonly LocalCommand[] = [
  {
    ...SUBSCRIBING,
    name: 'SUBSCRIBE',
    channels: { from: 1, isPattern: false, one: false },
    arity: -2,
    summary: 'Listens for messages published to channels.',
    since: '2.0.0',
    complexity: 'O(N) where N is the number of channels to subscribe to.',
    run: subscribing('channel', 'subscribe'),
  },
  {
    ...SUBSCRIBING,
    name: 'PSUBSCRIBE',
    channels: { from: 1, isPattern: true, one: false },
    arity: -2,
    summary: 'Listens for messages published to channels that match one or more patterns.',
    since: '2.0.0',
    complexity: 'O(N) where N is the number of patterns to subscribe to.',
    run: subscribing('pattern', 'psubscribe'),
  },
  {
    ...SUBSCRIBING,
    name: 'SSUBSCRIBE',
    channels: { from: 1, isPattern: false, one: false },
    arity: -2,
    summary: 'Listens for messages published to shard channels.',
    since: '7.0.0',
    complexity: 'O(N) where N is the number of shard channels to subscribe to.',
    run: subscribing('shard', 'ssubscribe'),
  },
  {
    ...SUBSCRIBING,
    name: 'UNSUBSCRIBE',
    arity: -1,
    summary: 'Stops listening to messages posted to channels.',
    since: '2.0.0',
    complexity: 'O(N) where N is the number of channels to unsubscribe.',
    run: unsubscribing('channel', 'unsubscribe'),
  },
  {
    ...SUBSCRIBING,
    name: 'PUNSUBSCRIBE',
    arity: -1,
    summary: 'Stops listening to messages published to channels that match one or more patterns.',
    since: '2.0.0',
    complexity: 'O(N) where N is the number of patterns to unsubscribe.',
    run: unsubscribing('pattern', 'punsubscribe'),
  },
  {
    ...SUBSCRIBING,
    name: 'SUNSUBSCRIBE',
    arity: -1,
    summary: 'Stops listening to messages posted to shard channels.',
    since: '7.0.0',
    complexity: 'O(N) where N is the number of shard channels to unsubscribe.',
    run: unsubscribing('shard', 'sunsubscribe'),
  },
  {
    ...PUBLISHING,
    name: 'PUBLISH',
    summary: 'Posts a message to a channel.',
    since: '2.0.0',
    complexity: 'O(N+M): clients of the channel, and patterns.',
    run: publishing('channel'),
  },
  {
    ...PUBLISHING,
    name: 'SPUBLISH',
    summary: 'Posts a message to a shard channel.',
    since: '7.0.0',
    complexity: 'O(N) where N is the number of clients of the shard channel.',
    run: publishing('shard'),
  },
  PUBSUB_COMMAND,
];
