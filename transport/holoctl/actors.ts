/** `holoctl actors`: the tree of a node's actors, with what waits, how fast, and what failed. */
import { setTimeout as sleep } from 'node:timers/promises';
import Table from 'cli-table3';
import type { Endpoint } from '../endpoint.ts';
import { escapeLine, escapeText } from '../escape.ts';
import { askJson } from './ask.ts';
import { nodeOf, type Output, parseFlags } from './command-line.ts';

/** Rates are those between two looks. */
const LOOKS_APART_MS = 1_000;

/** An actor, or a supervisor with children; as the admin port has it. */
export interface ActorPlace {
  readonly path?: string;
  readonly state?: string;
  readonly depth?: number;
  readonly mailboxMax?: number;
  readonly restarts?: number;
  readonly processed?: number;
  readonly busyMs?: number;
  readonly lastCrash?: { readonly error: string };
  readonly children?: readonly ActorPlace[];
}

export async function actors(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node'], ['json']);
  const node = nodeOf(flags);
  if (flags.on.has('json')) {
    output.write(escapeText(`${JSON.stringify(await askJson(node, '/actors'), null, 2)}\n`));
    return 0;
  }
  const before = new Map(flatten(await look(node), '').map(({ place }) => [place.path, place]));
  const startMs = performance.now();
  await sleep(LOOKS_APART_MS);
  const after = flatten(await look(node), '');
  const seconds = (performance.now() - startMs) / 1_000;
  const head = ['actor', 'state', 'depth', 'messages/s', 'busy', 'restarts', 'last error'];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const { name, place } of after) {
    table.push(row(name, place, before.get(place.path) ?? place, seconds));
  }
  output.write(escapeText(`${table.toString()}\n`));
  return 0;
}

async function look(node: Endpoint): Promise<ActorPlace> {
  return ((await askJson(node, '/actors')) ?? {}) as ActorPlace;
}

function row(name: string, now: ActorPlace, before: ActorPlace, seconds: number): string[] {
  const { state = '?', depth, mailboxMax, processed, busyMs = 0, restarts = 0, lastCrash } = now;
  const error = escapeLine(lastCrash?.error ?? '');
  if (processed === undefined) return [name, state, '', '', '', String(restarts), error];
  const perSecond = Math.max(0, processed - (before.processed ?? 0)) / seconds;
  const busy = Math.max(0, busyMs - (before.busyMs ?? 0)) / (seconds * 10);
  return [
    ...[name, state, `${depth}/${mailboxMax}`, perSecond.toFixed(0), `${busy.toFixed(1)} %`],
    ...[String(restarts), error],
  ];
}

/** Itself and all below it. */
export function actorsBelow(place: ActorPlace): ActorPlace[] {
  return flatten(place, '').map((each) => each.place);
}

/** In the order of the tree, with the lines that show it. */
function flatten(
  place: ActorPlace,
  indent: string,
  mark = '',
): { name: string; place: ActorPlace }[] {
  const children = Array.isArray(place.children) ? (place.children as readonly ActorPlace[]) : [];
  const name = `${indent}${mark}${(place.path ?? '?').split('/').at(-1) || '/'}`;
  const below = mark === '' ? indent : `${indent}${mark === '└─ ' ? '   ' : '│  '}`;
  const rest = children.flatMap((child, index) =>
    flatten(child, below, index === children.length - 1 ? '└─ ' : '├─ '),
  );
  return [{ name, place }, ...rest];
}
