/** Subcommands that show a list of each node: as JSON, or as one table. */
import Table from 'cli-table3';
import { formatEndpoint } from '../endpoint.ts';
import { escapeText } from '../escape.ts';
import { askJson } from './ask.ts';
import { countOf, nodesOf, type Output, parseFlags } from './command-line.ts';

const COUNT_DEFAULT = 10;

interface List<T> {
  readonly path: string;
  /** Of the columns behind the node's. */
  readonly head: readonly string[];
  cells(entry: T): (string | number)[];
}

export async function list<T>(
  args: readonly string[],
  output: Output,
  { path, head, cells }: List<T>,
): Promise<number> {
  const flags = parseFlags(args, ['node', 'nodes', 'count'], ['json']);
  const nodes = nodesOf(flags);
  const asked = `${path}?count=${countOf(flags, COUNT_DEFAULT)}`;
  const answers = await Promise.all(
    nodes.map(async (node) => {
      const value = await askJson(node, asked);
      return { admin: formatEndpoint(node), entries: Array.isArray(value) ? (value as T[]) : [] };
    }),
  );
  if (flags.on.has('json')) {
    output.write(escapeText(`${JSON.stringify(answers)}\n`));
    return 0;
  }
  const table = new Table({ head: ['node', ...head], style: { head: [], border: [] } });
  for (const { admin, entries } of answers) {
    for (const entry of entries) table.push([admin, ...cells(entry)]);
  }
  output.write(escapeText(`${table.toString()}\n`));
  return 0;
}
