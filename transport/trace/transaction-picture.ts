/**
 * One transaction as text: a line per fact in the order of cause and effect, a lane per node. What
 * `holoctl trace TXNID` prints.
 */
import { causalOrder, type MessagePairs, pairMessages } from './message-pairs.ts';
import type { EndEvent, StepEvent, TraceEvent } from './trace-event.ts';

type Ours = EndEvent | StepEvent;

interface PictureOptions {
  /** How far the clocks of two nodes may differ after their alignment. */
  readonly errorUs: number;
}

/** Messages to a replica that lead to records which a reply waits for. */
const LOGGED = new Set([
  'Coordinate',
  'PreAccept',
  'Accept',
  'AcceptInvalidate',
  'Commit',
  'BeginRecovery',
]);
const ENDS = new Set(['fast', 'slow', 'recovered', 'invalidated']);
/** Messages inside a node that only pass on what other lines say. */
const INSIDE = new Set(['Coordinate', 'Execute', 'Executed']);
const RULE_MS = 10;

/** Empty when the trace holds nothing of the transaction. */
export function drawTransaction(
  events: readonly TraceEvent[],
  txn: string,
  { errorUs }: PictureOptions,
): string {
  const story = storyOf(events, txn, errorUs);
  if (story === undefined) return '';
  const { nodes, startUs, rows } = story;
  const lines = [story.title, accuracy(nodes, errorUs), ''];
  lines.push(`${'ms'.padStart(RULE_MS)}   ${nodes.map((node) => `${node}`.padEnd(4)).join('')}`);
  for (const row of rows) {
    const ms = ((row.t - startUs) / 1_000).toFixed(3).padStart(RULE_MS);
    lines.push(`${ms}   ${lanes(nodes, row)} ${row.text}`);
  }
  return `${lines.join('\n')}\n`;
}

/** One transaction as facts in the order of cause and effect; undefined: nothing of it is known. */
export function storyOf(
  events: readonly TraceEvent[],
  txn: string,
  errorUs: number,
): TransactionStory | undefined {
  const { own, log } = partsOf(events, txn);
  if (own.length === 0) return undefined;
  const withLog = [...own, ...logTurns(log, own)];
  const pairs = pairMessages(withLog, errorUs);
  const ordered = causalOrder(withLog, pairs) as Ours[];
  const startUs = ordered[0]?.t ?? 0;
  return {
    title: title(txn, ordered, startUs),
    nodes: [...new Set(ordered.map(({ node }) => node))].sort((a, b) => a - b),
    startUs,
    rows: [...rowsOf(ordered, pairs, txn)],
  };
}

/** By node and actor: the turns of the log. */
type LogTurns = Map<string, EndEvent[]>;

/** A trace is long, and one transaction of it short: it is looked through once. */
function partsOf(events: readonly TraceEvent[], txn: string): { own: Ours[]; log: LogTurns } {
  const own: Ours[] = [];
  const log: LogTurns = new Map();
  for (const event of events) {
    if (event.kind !== 'in' && event.kind !== 'out' && event.kind !== 'step') continue;
    if (event.txn === txn) own.push(event);
    if (event.kind === 'step' || (event.msg !== 'Append' && event.msg !== 'Durable')) continue;
    const place = placeOf(event);
    const known = log.get(place);
    if (known === undefined) log.set(place, [event]);
    else known.push(event);
  }
  return { own, log };
}

function placeOf({ node, actor }: Ours): string {
  return `${node} ${actor}`;
}

/** The turns of the log that the replies of this transaction waited for: append, and on disk. */
function logTurns(log: LogTurns, own: readonly Ours[]): EndEvent[] {
  const found = new Set<EndEvent>();
  for (const event of own) {
    if (event.kind !== 'in' || !LOGGED.has(event.msg)) continue;
    const later = (log.get(placeOf(event)) ?? []).filter(({ seq }) => seq > event.seq);
    const append = later.find(({ msg }) => msg === 'Append');
    if (append === undefined) continue;
    found.add(append);
    const durable = later.find(({ msg, value }) => msg === 'Durable' && value === append.value);
    if (durable !== undefined) found.add(durable);
  }
  return [...found];
}

function title(txn: string, events: readonly Ours[], startUs: number): string {
  const step = (name: string) => events.find((e) => e.kind === 'step' && e.step === name);
  const begin = step('begin') as StepEvent | undefined;
  const end = events.find((e) => e.kind === 'step' && ENDS.has(e.step)) as StepEvent | undefined;
  const answered = step('answered') as StepEvent | undefined;
  const words = [`transaction ${txn}`];
  words.push(new Date(startUs / 1_000).toISOString());
  if (begin?.count !== undefined) words.push(commandsText(begin.count));
  words.push(end === undefined ? 'not decided in this trace' : end.step);
  if (answered !== undefined) words.push(`answered after ${answered.value.toFixed(2)} ms`);
  return words.join(' · ');
}

function accuracy(nodes: readonly number[], errorUs: number): string {
  if (nodes.length === 1) return `as node ${nodes[0]} has seen it`;
  return `times of different nodes are accurate to ± ${(errorUs / 1_000).toFixed(3)} ms`;
}

export interface TransactionStory {
  readonly title: string;
  readonly nodes: readonly number[];
  readonly startUs: number;
  readonly rows: readonly Row[];
}

interface Row {
  readonly t: number;
  readonly node: number;
  /** The node at the other end of what has arrived, and when it was sent. */
  readonly from?: number;
  readonly sentT?: number | undefined;
  readonly text: string;
}

function* rowsOf(events: readonly Ours[], pairs: MessagePairs, txn: string): Generator<Row> {
  const appended = new Map<string, number>();
  const received = new Set<EndEvent>(pairs.values());
  for (const event of events) {
    const { t, node } = event;
    if (event.kind === 'step') {
      yield { t, node, text: `node ${node}: ${stepText(event)}` };
      continue;
    }
    if (event.msg === 'Append') {
      appended.set(`${node} ${event.value}`, t);
      yield { t, node, text: `node ${node}: log: records are appended` };
    } else if (event.msg === 'Durable') {
      const since = appended.get(`${node} ${event.value}`) ?? t;
      const took = ((t - since) / 1_000).toFixed(3);
      yield { t, node, text: `node ${node}: log: on disk after ${took} ms` };
    } else if (event.kind === 'in') {
      if (INSIDE.has(event.msg)) continue;
      const sent = pairs.get(event);
      const took = sent === undefined ? '' : `, on its way ${((t - sent.t) / 1_000).toFixed(3)} ms`;
      const text = `node ${node}: ${messageText(event, txn)} from node ${event.peer}${took}`;
      const origin = event.peer === node ? {} : { from: event.peer, sentT: sent?.t };
      yield { t, node, ...origin, text };
    } else if (!received.has(event) && !INSIDE.has(event.msg)) {
      const text = `node ${node}: ${messageText(event, txn)} to node ${event.peer}, not seen there`;
      yield { t, node, text };
    }
  }
}

function stepText({ step, value, count, on }: StepEvent): string {
  switch (step) {
    case 'begin':
      return `begins, ${commandsText(count ?? 0)}; the first has waited ${value.toFixed(3)} ms`;
    case 'dep':
      return `depends on ${on ?? '?'}`;
    case 'waits':
      return `waits for ${on ?? '?'}`;
    case 'executed':
      return `executed, as number ${value}`;
    case 'answered':
      return `answered after ${value.toFixed(3)} ms`;
    case 'fast':
    case 'slow':
      return `decided on the ${step} path`;
    case 'recover':
      return 'recover: nothing has moved, its outcome must be found out';
    default:
      return step;
  }
}

function commandsText(count: number): string {
  return count === 1 ? '1 command' : `${count} commands`;
}

function messageText({ msg, value }: EndEvent, txn: string): string {
  const t0 = Number(txn.slice(txn.indexOf('/') + 1).split('.')[0]);
  const late = value - t0;
  const time = late === 0 ? 't0' : `t0 + ${late} us`;
  switch (msg) {
    case 'PreAcceptOk':
      return `PreAcceptOk: vote ${time}`;
    case 'Accept':
    case 'Commit':
    case 'Stable':
      return `${msg}: executes at ${time}`;
    default:
      return msg;
  }
}

function lanes(nodes: readonly number[], { node, from }: Row): string {
  const to = nodes.indexOf(node);
  const start = from === undefined ? to : nodes.indexOf(from);
  const [low, high] = start < 0 ? [to, to] : [Math.min(to, start), Math.max(to, start)];
  return nodes
    .map((_, lane) => {
      const isOn = lane >= low && lane < high;
      if (lane === to) return isOn ? '◀───' : low < to ? '▶   ' : '●   ';
      return isOn ? (lane === start ? '●───' : '────') : lane === start ? '●   ' : '│   ';
    })
    .join('');
}
