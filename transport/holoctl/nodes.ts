/**
 * `holoctl add-node`, `drain`, `recommission`, `remove-node` and `raise-behaviour`: nodes that come
 * and go, and the level at which commands behave.
 */
import { formatEndpoint } from '../endpoint.ts';
import { escapeText } from '../escape.ts';
import type { TopologyAction } from '../http/topology-report.ts';
import { changed } from './ask.ts';
import { nodeOf, type Output, parseFlags, UsageError } from './command-line.ts';
import { topologyOf } from './topology.ts';

/** A node joins by itself: the command that starts it, with the peer ports of this cluster. */
export async function addNode(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node']);
  const { nodes } = await topologyOf(nodeOf(flags));
  const seeds = nodes.filter(({ alive }) => alive).map(formatEndpoint);
  const lines = [
    'start this on the new machine, with addresses and a directory of its own:',
    `  holostore node --join ${seeds.join(',')} --data-dir DIR \\`,
    '    --listen-redis HOST:PORT --listen-peer HOST:PORT --listen-admin HOST:PORT',
  ];
  output.write(escapeText(`${lines.join('\n')}\n`));
  return 0;
}

/** `holoctl drain N` and its like: the number is that of a node, or a level. */
export async function changeNode(
  what: Extract<TopologyAction, 'drain' | 'recommission' | 'remove-node' | 'raise-behaviour'>,
  args: readonly string[],
  output: Output,
): Promise<number> {
  const flags = parseFlags(args, ['node'], [], 1);
  const [number = ''] = flags.words;
  if (!/^\d{1,10}$/.test(number)) throw new UsageError(`which one: holoctl ${what} NUMBER`);
  const node = nodeOf(flags);
  await changed(node, `/topology?what=${what}&node=${number}`);
  output.write('ok\n');
  return 0;
}
