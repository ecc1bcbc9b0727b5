/** XACK and XPENDING: entries that were delivered to consumers and not yet acknowledged. */
import type { Arguments } from '../../arguments.ts';
import type { Keyspace } from '../../keyspace/keyspace.ts';
import { forEachInSteps, type Steps } from '../../steps.ts';
import type { ConsumerGroup, Pending } from '../../types/stream/consumer-groups.ts';
import { formatId, type StreamId } from '../../types/stream/stream-id.ts';
import type { TextTree } from '../../types/text-tree.ts';
import { type Command, command, ONE_KEY, SYNTAX_ERROR } from '../command.ts';
import { integerAt } from '../integer-arguments.ts';
import type { ReplySink } from '../reply.ts';
import { certainNowMs, findGroup, noGroup } from './group-values.ts';
import { boundAt, idsFrom } from './ids.ts';
import { beginStream, endStream } from './values.ts';

const xack = command({
  group: 'stream',
  keys: ONE_KEY,
  flags: 'write fast',
  name: 'XACK',
  arity: -4,
  summary: 'Acknowledge entries that were delivered to a consumer of a group',
  since: '5.0.0',
  complexity: 'O(log(N)) for each entry.',
  *run(keyspace, args, out) {
    const at = findGroup(keyspace, args, 1, 2);
    if (at === undefined) return out.integer(0);
    const ids = idsFrom(args, 3);
    if (typeof ids === 'string') return out.error(ids);
    const { stream, group } = at;
    beginStream(keyspace, at, 0);
    let acknowledged = 0;
    yield* forEachInSteps(ids.value, keyspace.stepElements, (id) => {
      if (stream.groups.forget(group, id)) acknowledged += 1;
    });
    if (acknowledged > 0) endStream(keyspace, args, 1, at, stream);
    out.integer(acknowledged);
  },
});

/** The arguments behind the group. */
interface PendingRange {
  readonly minIdleMs: number;
  readonly first: StreamId;
  readonly last: StreamId;
  readonly count: number;
  /** The index of the name of a consumer. */
  readonly consumer: number | undefined;
}

/** `[IDLE ms] first last count [consumer]`; or the error line. */
function parseRange(args: Arguments): PendingRange | string {
  if (args.count < 6 || args.count > 9) return SYNTAX_ERROR;
  const hasIdle = args.is(3, 'IDLE');
  const minIdleMs = hasIdle ? integerAt(args, 4) : 0;
  if (typeof minIdleMs === 'string') return minIdleMs;
  if (hasIdle && args.count < 8) return SYNTAX_ERROR;
  const at = hasIdle ? 5 : 3;
  const count = integerAt(args, at + 2);
  if (typeof count === 'string') return count;
  const first = boundAt(args, at, 'first');
  if (typeof first === 'string') return first;
  const last = boundAt(args, at + 1, 'last');
  if (typeof last === 'string') return last;
  const consumer = at + 3 < args.count ? at + 3 : undefined;
  return { minIdleMs, first: first.value, last: last.value, count: Math.max(0, count), consumer };
}

function* answerSummary(group: ConsumerGroup, each: number, out: ReplySink): Steps {
  const { pending, consumers } = group;
  out.array(4);
  out.integer(pending.size);
  const [first, last] = [pending.first, pending.last];
  if (first === undefined || last === undefined) {
    out.nil();
    out.nil();
    return out.nilArray();
  }
  out.bulk(formatId(first));
  out.bulk(formatId(last));
  const busy = [...consumers.values()].filter((consumer) => consumer.pending.size > 0);
  out.array(busy.length);
  yield* forEachInSteps(busy, each, (consumer) => {
    out.array(2);
    out.bulk(consumer.name);
    out.bulk(String(consumer.pending.size));
  });
}

type Entry = readonly [id: StreamId, pending: Pending];

/** Those of a range that are idle for long enough. */
function* pendingIn(
  tree: TextTree<Pending>,
  { minIdleMs, first, last, count }: PendingRange,
  nowMs: number,
  each: number,
): Steps<readonly Entry[]> {
  const found: Entry[] = [];
  let left = each;
  for (const entry of tree.from(first)) {
    if (found.length >= count || entry[0] > last) break;
    if (left === 0) {
      yield;
      left = each;
    }
    left -= 1;
    const isIdle = minIdleMs <= 0 || nowMs - entry[1].deliveredMs >= minIdleMs;
    if (isIdle) found.push(entry);
  }
  return found;
}

/** https://redis.io/docs/latest/commands/xpending */
function* tellPending(keyspace: Keyspace, args: Arguments, out: ReplySink): Steps {
  const range = args.count === 3 ? undefined : parseRange(args);
  if (typeof range === 'string') return out.error(range);
  const at = findGroup(keyspace, args, 1, 2);
  if (at === undefined) return out.error(noGroup(args, 1, 2));
  const { group } = at;
  const each = keyspace.stepElements;
  if (range === undefined) return yield* answerSummary(group, each, out);
  const { consumer } = range;
  const of = consumer === undefined ? group : group.consumers.get(args.text(consumer));
  const nowMs = certainNowMs(keyspace);
  const found = of === undefined ? [] : yield* pendingIn(of.pending, range, nowMs, each);
  out.array(found.length);
  yield* forEachInSteps(found, each, ([id, pending]) => {
    out.array(4);
    out.bulk(formatId(id));
    out.bulk(pending.consumer.name);
    out.integer(Math.max(0, nowMs - pending.deliveredMs));
    out.integer(pending.deliveries);
  });
}

export const STREAM_PENDING_COMMANDS: readonly Command[] = [
  xack,
  command({
    group: 'stream',
    keys: ONE_KEY,
    flags: 'readonly',
    name: 'XPENDING',
    arity: -3,
    summary: 'Get the entries of a group that are not acknowledged',
    since: '5.0.0',
    complexity: 'O(log(N)+M) where M is the number of entries looked at.',
    run: tellPending,
  }),
];
