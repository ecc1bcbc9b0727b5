/**
 * Trace events as a ShiViz log (bestchai.bitbucket.io/shiviz): a space-time diagram of which
 * message caused what, over all actors of all nodes. A pure function. Vector clocks are not
 * recorded but derived here from the messages whose two ends the trace holds; so each host
 * counts 1, 2, 3 ... without a gap, which ShiViz demands, wherever the ring was cut.
 */
import { causalOrder, pairMessages } from './message-pairs.ts';
import { OUTSIDE, type TraceEvent } from './trace-event.ts';

/** The first line of the log: how ShiViz reads the others. The second, empty one ends it. */
export const SHIVIZ_PATTERN = '(?<host>\\S+) (?<clock>\\{.*\\}) (?<ts>\\d+) (?<event>.*)';

type VectorClock = Map<string, number>;

/** Turns are left out: they are not part of the order of cause and effect. */
export function* shivizLines(events: readonly TraceEvent[], errorUs = 0): Generator<string> {
  const clocks = new Map<string, VectorClock>();
  const sent = new Map<string | TraceEvent, VectorClock>();
  const pairs = pairMessages(events, errorUs);
  const paired = new Set<TraceEvent>(pairs.values());
  yield `${SHIVIZ_PATTERN}\n\n`;
  for (const event of causalOrder(events, pairs)) {
    if (event.kind === 'turn') continue;
    const host = hostOf(event);
    const clock = clocks.get(host) ?? new Map<string, number>();
    clocks.set(host, clock);
    if (event.kind === 'recv') merge(clock, sent.get(messageKey(event)));
    const cause = event.kind === 'in' ? pairs.get(event) : undefined;
    if (cause !== undefined) merge(clock, sent.get(cause));
    clock.set(host, (clock.get(host) ?? 0) + 1);
    if (event.kind === 'send') sent.set(messageKey(event), new Map(clock));
    if (paired.has(event)) sent.set(event, new Map(clock));
    const ts = Math.max(0, Math.floor(event.t));
    yield `${host} ${JSON.stringify(Object.fromEntries(clock))} ${ts} ${textOf(event)}\n`;
  }
}

function merge(clock: VectorClock, other: VectorClock | undefined): void {
  if (other === undefined) return;
  for (const [host, count] of other) clock.set(host, Math.max(clock.get(host) ?? 0, count));
}

function messageKey(event: { readonly node: number; readonly serial: number }): string {
  return `${event.node} ${event.serial}`;
}

/** One host per actor; `outside` of every node is one of its own. */
function hostOf(event: TraceEvent): string {
  const actor = event.kind === 'send' ? event.from : event.kind === 'recv' ? event.to : undefined;
  const path = actor ?? ('actor' in event ? event.actor : OUTSIDE);
  return `n${event.node}/${path.replaceAll(/\s/g, '_')}`;
}

function textOf(event: TraceEvent): string {
  return wordsOf(event).replaceAll(/\s+/g, ' ').trim();
}

function wordsOf(event: TraceEvent): string {
  switch (event.kind) {
    case 'send':
      return `send ${event.msg} to ${event.to}${txnOf(event)}`;
    case 'recv':
      return `recv ${event.msg} from ${event.from}${txnOf(event)}`;
    case 'out':
      return `out ${event.msg} to n${event.peer}${txnOf(event)}`;
    case 'in':
      return `in ${event.msg} from n${event.peer}${txnOf(event)}`;
    case 'step':
      return `${event.step}${event.on === undefined ? '' : ` on=${event.on}`}${txnOf(event)}`;
    case 'turn':
      return `turn ${event.messages}`;
    case 'crash':
    case 'restart':
      return `${event.kind} ${event.text}`;
    case 'dead-letter':
      return `dead-letter ${event.msg} ${event.reason}`;
    case 'txn':
      return `${event.step} txn=${event.txn}`;
  }
}

function txnOf(event: { readonly txn?: string }): string {
  return event.txn === undefined ? '' : ` txn=${event.txn}`;
}
