/** `holoctl trace tail`: slow, recovered and sampled transactions of all nodes as they end. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../endpoint.ts';
import { escapeText } from '../escape.ts';
import { ask } from './ask.ts';
import { nodesOf, type Output, parseFlags, UsageError } from './command-line.ts';

const LOOK_EVERY_MS = 500;

interface Line {
  readonly number: number;
  readonly txn: string;
  readonly atUs: number;
  readonly tookMs: number;
  readonly commands: number;
  readonly why: string;
}

/**
 * Without `--slow` all that the nodes take for slow (`--trace-slow-ms`). Ends after `--count` lines,
 * or when it is interrupted.
 */
export async function tail(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes', 'slow', 'count'], ['json']);
  const slowMs = milliseconds(flags.values.get('slow') ?? '0ms');
  let left = Number(flags.values.get('count') ?? Infinity);
  if (!(left > 0)) throw new UsageError('--count must be a number above 0');
  const places = nodesOf(flags).map((endpoint) => ({ endpoint, after: 0 }));
  while (left > 0) {
    const found = await Promise.all(places.map((place) => linesAfter(place.endpoint, place.after)));
    for (const [index, lines] of found.entries()) {
      const place = places[index];
      if (place !== undefined) place.after = lines.at(-1)?.number ?? place.after;
    }
    const shown = found.flat().filter(({ tookMs, why }) => why !== 'slow' || tookMs >= slowMs);
    for (const line of shown.toSorted((a, b) => a.atUs - b.atUs).slice(0, left)) {
      const text = flags.on.has('json') ? `${JSON.stringify(line)}\n` : textOf(line);
      output.write(escapeText(text));
      left -= 1;
    }
    if (left > 0) await sleep(LOOK_EVERY_MS);
  }
  return 0;
}

async function linesAfter(endpoint: Endpoint, after: number): Promise<readonly Line[]> {
  const value: unknown = JSON.parse(await ask(endpoint, `/trace/slow?after=${after}`));
  return Array.isArray(value) ? value : [];
}

function textOf({ atUs, tookMs, why, commands, txn }: Line): string {
  const time = new Date(atUs / 1_000).toISOString();
  return `${time} ${tookMs.toFixed(2).padStart(9)} ms  ${why.padEnd(9)} ${commands} commands  ${txn}\n`;
}

function milliseconds(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(text);
  if (match === null) throw new UsageError(`--slow is written 10ms or 2s, not "${text}"`);
  return Number(match[1]) * (match[2] === 's' ? 1_000 : 1);
}
