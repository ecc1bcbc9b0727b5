/** `holoctl holofast`: which tier of HoloFast runs, and why not a higher one. */
import Table from 'cli-table3';
import { formatEndpoint } from '../endpoint.ts';
import { escapeText } from '../escape.ts';
import { askStatus } from './ask.ts';
import { nodeOf, type Output, parseFlags } from './command-line.ts';

export async function holofast(args: readonly string[], output: Output): Promise<number> {
  const flags = parseFlags(args, ['node'], ['json']);
  const endpoint = nodeOf(flags);
  const answer = await askStatus(endpoint);
  if (typeof answer === 'string') throw new Error(`${formatEndpoint(endpoint)}: ${answer}`);
  if (answer.holofast === undefined) {
    throw new Error(
      `${formatEndpoint(endpoint)}: this node does not report HoloFast: ` +
        'it is older than this holoctl',
    );
  }
  if (flags.on.has('json')) {
    output.write(escapeText(`${JSON.stringify(answer.holofast)}\n`));
    return 0;
  }
  const { mode, tier, reason, quorums, counters } = answer.holofast;
  const table = new Table({ style: { head: [], border: [] } });
  table.push(['tier', tier], ['because', reason], ['asked for', mode], ['quorums', quorums]);
  for (const [name, count] of Object.entries(counters)) table.push([name, count]);
  output.write(`${escapeText(table.toString())}\n`);
  return 0;
}
