/** `holoctl top`: rates, latencies, the busiest actors and the hottest keys of the nodes, live. */
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { escapeBytes, escapeText } from '../escape.ts';
import type { PhaseReport } from '../http/latency-report.ts';
import type { NodeStatus } from '../http/node-status.ts';
import { type ActorPlace, actorsBelow } from './actors.ts';
import { askJson, askStatus } from './ask.ts';
import { countOf, nodesOf, type Output, parseFlags } from './command-line.ts';

const LOOKS_APART_MS = 1_000;
/** Busiest actors and hottest keys of all nodes. */
const LISTED_MAX = 8;
const CLEAR = '\u001b[H\u001b[2J';

interface Look {
  readonly node: Endpoint;
  readonly atMs: number;
  readonly status: NodeStatus | string;
  readonly phases: readonly PhaseReport[];
  readonly actors: readonly ActorPlace[];
  readonly keys: readonly { readonly key: string; readonly perSecond: number }[];
}

/** Ends after `--count` pictures, or when it is interrupted. */
export async function top(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes', 'count']);
  const nodes = nodesOf(flags);
  let left = flags.values.has('count') ? countOf(flags, 1) : Number.POSITIVE_INFINITY;
  let before = await Promise.all(nodes.map(look));
  for (; left > 0; left -= 1) {
    await sleep(LOOKS_APART_MS);
    const now = await Promise.all(nodes.map(look));
    if (left === Number.POSITIVE_INFINITY) output.write(CLEAR);
    output.write(escapeText(picture(before, now)));
    before = now;
  }
  return before.every(({ status }) => typeof status !== 'string') ? 0 : 1;
}

async function look(node: Endpoint): Promise<Look> {
  const atMs = performance.now();
  const status = await askStatus(node);
  const nothing = { node, atMs, status, phases: [], actors: [], keys: [] };
  if (typeof status === 'string') return nothing;
  const paths = ['/latency', '/actors', `/hotkeys?count=${LISTED_MAX}`];
  const [phases, actors, keys] = await Promise.all(paths.map((path) => askJson(node, path)));
  return {
    ...nothing,
    phases: phases as PhaseReport[],
    actors: actorsBelow((actors ?? {}) as ActorPlace),
    keys: keys as Look['keys'],
  };
}

function picture(before: readonly Look[], now: readonly Look[]): string {
  const nodes = tableOf([
    ...['node', 'ready', 'clients', 'commands/s', 'applied/s', 'keys'],
    ...['read p50', 'read p99', 'write p50', 'write p99 ms'],
  ]);
  const busy: [place: string, actor: string, share: number, depth: number][] = [];
  const hot: [place: string, key: string, perSecond: number][] = [];
  for (const [index, each] of now.entries()) {
    const earlier = before[index] ?? each;
    const seconds = Math.max(0.001, (each.atMs - earlier.atMs) / 1_000);
    const place = formatEndpoint(each.node);
    nodes.push(nodeRow(place, each, earlier, seconds));
    const known = new Map(earlier.actors.map(({ path, busyMs = 0 }) => [path, busyMs]));
    for (const { path = '', busyMs, depth = 0 } of each.actors) {
      if (busyMs === undefined) continue;
      const spentMs = Math.max(0, busyMs - (known.get(path) ?? busyMs));
      busy.push([place, path, spentMs / (seconds * 10), depth]);
    }
    for (const { key, perSecond } of each.keys) hot.push([place, escapeBytes(key), perSecond]);
  }
  const actors = tableOf(['node', 'busiest actors', 'busy', 'depth']);
  for (const [place, path, share, depth] of busy.sort((a, b) => b[2] - a[2]).slice(0, LISTED_MAX)) {
    actors.push([place, path, `${share.toFixed(1)} %`, depth]);
  }
  const keys = tableOf(['node', 'hottest keys', 'commands/s']);
  for (const [place, key, perSecond] of hot.sort((a, b) => b[2] - a[2]).slice(0, LISTED_MAX)) {
    keys.push([place, key, perSecond.toFixed(1)]);
  }
  return `${nodes.toString()}\n${actors.toString()}\n${keys.toString()}\n`;
}

function nodeRow(place: string, now: Look, before: Look, seconds: number): (string | number)[] {
  const { status, phases } = now;
  if (typeof status === 'string') return [place, `no: ${status}`, ...Array(8).fill('')];
  const earlier = typeof before.status === 'string' ? status : before.status;
  const rate = (field: 'commandsTotal' | 'appliedSequence'): string =>
    (Math.max(0, status[field] - earlier[field]) / seconds).toFixed(0);
  const ms = (phase: string, quantile: 'p50Us' | 'p99Us'): string =>
    ((phases.find((each) => each.phase === phase)?.[quantile] ?? 0) / 1_000).toFixed(2);
  return [
    ...[place, status.notReady === undefined ? 'yes' : `no: ${status.notReady}`, status.clients],
    ...[rate('commandsTotal'), rate('appliedSequence'), status.keys],
    ...[ms('read', 'p50Us'), ms('read', 'p99Us'), ms('write', 'p50Us'), ms('write', 'p99Us')],
  ];
}

function tableOf(head: string[]) {
  return new Table({ head, style: { head: [], border: [] } });
}
