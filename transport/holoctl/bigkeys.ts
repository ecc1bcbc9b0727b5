/** `holoctl bigkeys`: the largest keys of each type, as a node's store has them. */
import Table from 'cli-table3';
import { formatEndpoint } from '../endpoint.ts';
import { escapeBytes, escapeText } from '../escape.ts';
import { humanBytes } from '../human-bytes.ts';
import { askJson } from './ask.ts';
import { countOf, nodesOf, type Output, parseFlags } from './command-line.ts';

const COUNT_DEFAULT = 3;
const TIMEOUT_MS = 60_000;

/** As the admin port has it. */
interface Answer {
  readonly largest?: readonly {
    readonly type: string;
    readonly database: number;
    readonly key: string;
    readonly bytes: number;
  }[];
  readonly types?: readonly {
    readonly type: string;
    readonly keys: number;
    readonly bytes: number;
  }[];
  readonly looked?: number;
  readonly keys?: number;
}

export async function bigkeys(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes', 'count'], ['json']);
  const nodes = nodesOf(flags);
  const path = `/bigkeys?count=${countOf(flags, COUNT_DEFAULT)}`;
  const answers = await Promise.all(
    nodes.map(async (node) => {
      const answer = (await askJson(node, path, TIMEOUT_MS)) as Answer;
      return { admin: formatEndpoint(node), ...answer };
    }),
  );
  if (flags.on.has('json')) {
    output.write(escapeText(`${JSON.stringify(answers)}\n`));
    return 0;
  }
  for (const { admin, ...answer } of answers) output.write(escapeText(picture(admin, answer)));
  return 0;
}

function picture(admin: string, { largest = [], types = [], looked, keys }: Answer): string {
  const table = new Table({
    head: ['type', 'database', 'key', 'bytes'],
    style: { head: [], border: [] },
  });
  for (const { type, database, key, bytes } of largest) {
    table.push([type, Number(database), escapeBytes(String(key)), Number(bytes)]);
  }
  const sums = types.map((each) => {
    const mean = (Number(each.bytes) / Math.max(1, Number(each.keys))).toFixed(1);
    return `${each.type}: ${each.keys} keys, ${humanBytes(Number(each.bytes))}, ${mean} each`;
  });
  const head = `${admin}: looked at ${looked} of ${keys} keys, those of the fullest slots first`;
  return `${head}\n${table.toString()}\n${sums.map((line) => `${line}\n`).join('')}`;
}
