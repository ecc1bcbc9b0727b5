/**
 * `holoctl decommission` and `replace`: the ranges of a node move to others, or to one of them.
 * Waits until the node has none, and says why where it does not lose them.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../endpoint.ts';
import { escapeText } from '../escape.ts';
import { changed } from './ask.ts';
import { type Flags, nodeOf, type Output, parseFlags, UsageError } from './command-line.ts';
import { departureText, topologyOf } from './topology.ts';

/** Controllers without which no range moves. */
const MOVERS: ReadonlySet<string> = new Set(['ranges', 'replicas']);
/** It goes on when nobody waits any more. */
const TIMEOUT_MS = 600_000;
const AGAIN_MS = 200;
/** An obstacle may be over soon, as a node that starts. */
const STUCK_MS = 10_000;
/** The node that is asked may hear of the decision later than it is made. */
const HEARD_MS = 2_000;

export async function decommission(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node'], ['no-wait'], 1);
  const [id = ''] = flags.words;
  if (!/^\d{1,10}$/.test(id)) throw new UsageError('which one: holoctl decommission NUMBER');
  return leaves(flags, Number(id), `what=decommission&node=${id}`, output);
}

export async function replace(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node'], ['no-wait'], 2);
  const [from = '', to = ''] = flags.words;
  if (![from, to].every((word) => /^\d{1,10}$/.test(word))) {
    throw new UsageError('which ones: holoctl replace OLD NEW');
  }
  return leaves(flags, Number(from), `what=replace&from=${from}&to=${to}`, output);
}

async function leaves(flags: Flags, id: number, query: string, output: Output): Promise<number> {
  const node = nodeOf(flags);
  await changed(node, `/topology?${query}`);
  const text = flags.on.has('no-wait') ? 'ok' : await left(node, id);
  output.write(escapeText(`${text}\n`));
  return 0;
}

async function left(node: Endpoint, id: number): Promise<string> {
  const untilMs = Date.now() + TIMEOUT_MS;
  const heardMs = Date.now() + HEARD_MS;
  let stuckMs: number | undefined;
  while (Date.now() < untilMs) {
    const topology = await topologyOf(node);
    const its = topology.nodes.find((each) => each.id === id);
    if (its === undefined || its.state === 'decommissioned') {
      return `node ${id} has no data any more: stop it, then "holoctl remove-node ${id}"`;
    }
    if (its.departure === undefined) {
      if (Date.now() > heardMs) throw new Error(`node ${id} is ${its.state}`);
      await sleep(AGAIN_MS);
      continue;
    }
    const paused = topology.controllers.filter(({ domain, isPaused }) => {
      return isPaused && MOVERS.has(domain);
    });
    if (paused.length > 0 && its.departure.left > 0) {
      const names = paused.map(({ domain }) => domain).join(', ');
      throw new Error(`${departureText(id, its.departure)}; paused: ${names} (holoctl resume)`);
    }
    const isStuck = its.departure.moving.length === 0 && its.departure.stuck.length > 0;
    stuckMs = isStuck ? (stuckMs ?? Date.now()) : undefined;
    if (stuckMs !== undefined && Date.now() > stuckMs + STUCK_MS) {
      throw new Error(`not yet: ${departureText(id, its.departure)}`);
    }
    await sleep(AGAIN_MS);
  }
  throw new Error(`not within ${TIMEOUT_MS / 1_000} s; it goes on: see "holoctl topology"`);
}
