/** `holoctl logs`: the last lines of the nodes' logs, by time; `--follow`: and those that come. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Endpoint } from '../endpoint.ts';
import { escapeLine, escapeText } from '../escape.ts';
import { askJson } from './ask.ts';
import { nodesOf, type Output, parseFlags, UsageError } from './command-line.ts';

const LOOK_EVERY_MS = 500;

/** As pino numbers them. */
const LEVELS: Readonly<Record<string, number>> = {
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
};

interface Line {
  readonly level: number;
  readonly time: number;
  readonly node: number;
  readonly msg: string;
}

/** With `--follow` it ends when it is interrupted. */
export async function logs(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes', 'level'], ['follow', 'json']);
  const wanted = flags.values.get('level') ?? 'debug';
  const level = LEVELS[wanted];
  if (level === undefined) {
    throw new UsageError(`--level must be one of ${Object.keys(LEVELS).join(', ')}`);
  }
  const places = nodesOf(flags).map((endpoint) => ({ endpoint, after: 0 }));
  for (;;) {
    const found = await Promise.all(places.map((place) => newLines(place)));
    const lines = found.flat().filter((line) => line.level >= level);
    for (const line of lines.toSorted((a, b) => a.time - b.time)) {
      output.write(escapeText(flags.on.has('json') ? `${JSON.stringify(line)}\n` : textOf(line)));
    }
    if (!flags.on.has('follow')) return 0;
    await sleep(LOOK_EVERY_MS);
  }
}

async function newLines(place: { readonly endpoint: Endpoint; after: number }): Promise<Line[]> {
  const value = (await askJson(place.endpoint, `/logs?after=${place.after}`)) as {
    readonly added?: number;
    readonly lines?: readonly string[];
  };
  place.after = Number(value.added ?? 0);
  return (value.lines ?? []).map((line) => JSON.parse(line) as Line);
}

function textOf({ level, time, node, msg }: Line): string {
  const name = Object.keys(LEVELS).find((each) => LEVELS[each] === level) ?? String(level);
  const at = new Date(Number(time)).toISOString();
  return `${at} node ${node} ${name.padEnd(5)} ${escapeLine(String(msg))}\n`;
}
