/** `holoctl top`: rates, latencies, the busiest ranges and actors, and the hottest keys, live. */
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { escapeBytes, escapeText } from '../escape.ts';
import type { PhaseReport } from '../http/latency-report.ts';
import type { NodeStatus } from '../http/node-status.ts';
import { isTopologyReport, type RangeReport } from '../http/topology-report.ts';
import { type ActorPlace, actorsBelow } from './actors.ts';
import { askJson, askStatus } from './ask.ts';
import { countOf, nodesOf, type Output, parseFlags } from './command-line.ts';

const LOOKS_APART_MS = 1_000;
/** Busiest ranges and actors, and hottest keys, of all nodes. */
const LISTED_MAX = 8;
const CLEAR = '\u001b[H\u001b[2J';

interface Look {
  readonly node: Endpoint;
  readonly atMs: number;
  readonly status: NodeStatus | string;
  readonly phases: readonly PhaseReport[];
  readonly actors: readonly ActorPlace[];
  readonly keys: readonly { readonly key: string; readonly perSecond: number }[];
  readonly ranges: readonly RangeReport[];
}

/** Ends after `--count` pictures, or when it is interrupted. JSON: a line per picture. */
export async function top(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes', 'count'], ['json']);
  const isJson = flags.on.has('json');
  const nodes = nodesOf(flags);
  let left = flags.values.has('count') ? countOf(flags, 1) : Number.POSITIVE_INFINITY;
  let before = await Promise.all(nodes.map(look));
  for (; left > 0; left -= 1) {
    await sleep(LOOKS_APART_MS);
    const now = await Promise.all(nodes.map(look));
    if (left === Number.POSITIVE_INFINITY && !isJson) output.write(CLEAR);
    output.write(
      escapeText(isJson ? `${JSON.stringify(jsonOf(before, now))}\n` : picture(before, now)),
    );
    before = now;
  }
  return before.every(({ status }) => typeof status !== 'string') ? 0 : 1;
}

async function look(node: Endpoint): Promise<Look> {
  const atMs = performance.now();
  const status = await askStatus(node);
  const nothing = { node, atMs, status, phases: [], actors: [], keys: [], ranges: [] };
  if (typeof status === 'string') return nothing;
  const paths = ['/latency', '/actors', `/hotkeys?count=${LISTED_MAX}`, '/topology'];
  const [phases, actors, keys, topology] = await Promise.all(
    paths.map((path) => askJson(node, path)),
  );
  return {
    ...nothing,
    phases: phases as PhaseReport[],
    actors: actorsBelow((actors ?? {}) as ActorPlace),
    keys: keys as Look['keys'],
    ranges: isTopologyReport(topology) ? topology.ranges : [],
  };
}

/** Of one node, between two looks. */
interface Rates {
  readonly node: string;
  readonly error?: string;
  readonly notReady?: string | undefined;
  readonly clients: number;
  readonly keys: number;
  readonly commandsPerSecond: number;
  readonly appliedPerSecond: number;
  readonly phases: readonly PhaseReport[];
  /** The busiest first: percent of the time. */
  readonly actors: readonly {
    readonly path: string;
    readonly busy: number;
    readonly depth: number;
  }[];
  readonly hotKeys: Look['keys'];
  /** Those that the node is a member of, the busiest first. */
  readonly ranges: readonly RangeRates[];
}

interface RangeRates {
  readonly range: string;
  /** First and last. */
  readonly slots: string;
  readonly keys: number;
  readonly appliedPerSecond: number;
}

function jsonOf(before: readonly Look[], now: readonly Look[]): readonly Rates[] {
  return now.map((each, index) => ratesOf(each, before[index] ?? each));
}

function ratesOf(now: Look, before: Look): Rates {
  const seconds = Math.max(0.001, (now.atMs - before.atMs) / 1_000);
  const { status, phases, keys: hotKeys } = now;
  const known = new Map(before.actors.map(({ path, busyMs = 0 }) => [path, busyMs]));
  const actors = now.actors.flatMap(({ path = '', busyMs, depth = 0 }) => {
    if (busyMs === undefined) return [];
    const spentMs = Math.max(0, busyMs - (known.get(path) ?? busyMs));
    return [{ path, busy: spentMs / (seconds * 10), depth }];
  });
  const common = {
    ...{ node: formatEndpoint(now.node), phases, hotKeys },
    actors: actors.sort((a, b) => b.busy - a.busy).slice(0, LISTED_MAX),
    ranges: rangesOf(now, before, seconds),
  };
  if (typeof status === 'string') {
    const none = { clients: 0, keys: 0, commandsPerSecond: 0, appliedPerSecond: 0 };
    return { ...common, ...none, error: status };
  }
  const earlier = typeof before.status === 'string' ? status : before.status;
  const rate = (field: 'commandsTotal' | 'appliedSequence'): number =>
    Math.max(0, status[field] - earlier[field]) / seconds;
  return {
    ...common,
    ...{ notReady: status.notReady, clients: status.clients, keys: status.keys },
    commandsPerSecond: rate('commandsTotal'),
    appliedPerSecond: rate('appliedSequence'),
  };
}

function rangesOf(now: Look, before: Look, seconds: number): RangeRates[] {
  const nameOf = ({ range, generation }: RangeReport): string => `${range}.${generation}`;
  const known = new Map(before.ranges.map((each) => [nameOf(each), each.appliedSequence ?? 0]));
  const rates = now.ranges.flatMap((each) => {
    const { appliedSequence, keys = 0, from, to } = each;
    if (appliedSequence === undefined) return [];
    const name = nameOf(each);
    const applied = Math.max(0, appliedSequence - (known.get(name) ?? appliedSequence));
    const slots = `${from}-${to - 1}`;
    return [{ range: name, slots, keys, appliedPerSecond: applied / seconds }];
  });
  return rates.sort((a, b) => b.appliedPerSecond - a.appliedPerSecond).slice(0, LISTED_MAX);
}

function picture(before: readonly Look[], now: readonly Look[]): string {
  const all = jsonOf(before, now);
  const nodes = tableOf([
    ...['node', 'ready', 'clients', 'commands/s', 'applied/s', 'keys'],
    ...['read p50', 'read p99', 'write p50', 'write p99 ms'],
  ]);
  for (const rates of all) nodes.push(nodeRow(rates));
  const actors = tableOf(['node', 'busiest actors', 'busy', 'depth']);
  const busy = all.flatMap(({ node, actors: each }) => each.map((actor) => ({ node, ...actor })));
  for (const each of busy.sort((a, b) => b.busy - a.busy).slice(0, LISTED_MAX)) {
    actors.push([each.node, each.path, `${each.busy.toFixed(1)} %`, each.depth]);
  }
  const keys = tableOf(['node', 'hottest keys', 'commands/s']);
  const hot = all.flatMap(({ node, hotKeys }) => hotKeys.map((key) => ({ node, ...key })));
  for (const each of hot.sort((a, b) => b.perSecond - a.perSecond).slice(0, LISTED_MAX)) {
    keys.push([each.node, escapeBytes(each.key), each.perSecond.toFixed(1)]);
  }
  const ranges = tableOf(['node', 'busiest ranges', 'slots', 'keys', 'applied/s']);
  const busiest = all.flatMap(({ node, ranges: each }) =>
    each.map((range) => ({ node, ...range })),
  );
  busiest.sort((a, b) => b.appliedPerSecond - a.appliedPerSecond);
  for (const { node, range, slots, keys: held, appliedPerSecond } of busiest.slice(0, LISTED_MAX)) {
    ranges.push([node, range, slots, held, appliedPerSecond.toFixed(0)]);
  }
  const tables = [nodes, ranges, actors, keys];
  return tables.map((table) => `${table.toString()}\n`).join('');
}

function nodeRow(rates: Rates): (string | number)[] {
  const { node, error, notReady, clients, keys, phases } = rates;
  if (error !== undefined) return [node, `no: ${error}`, ...Array(8).fill('')];
  const ms = (phase: string, quantile: 'p50Us' | 'p99Us'): string =>
    ((phases.find((each) => each.phase === phase)?.[quantile] ?? 0) / 1_000).toFixed(2);
  return [
    ...[node, notReady === undefined ? 'yes' : `no: ${notReady}`, clients],
    ...[rates.commandsPerSecond.toFixed(0), rates.appliedPerSecond.toFixed(0), keys],
    ...[ms('read', 'p50Us'), ms('read', 'p99Us'), ms('write', 'p50Us'), ms('write', 'p99Us')],
  ];
}

function tableOf(head: string[]) {
  return new Table({ head, style: { head: [], border: [] } });
}
