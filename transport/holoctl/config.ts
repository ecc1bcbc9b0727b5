/** `holoctl config set`: changes a setting of a node. */
import { formatEndpoint } from '../endpoint.ts';
import { change } from './ask.ts';
import { nodeOf, type Output, parseFlags, UsageError } from './command-line.ts';

export async function config(args: readonly string[], output: Output): Promise<number> {
  const [verb, name = '', value = '', ...rest] = args;
  if (verb !== 'set' || args.length < 3) {
    throw new UsageError('config set takes NAME VALUE (see "holoctl help")');
  }
  const flags = parseFlags(rest, ['node'], ['json']);
  const endpoint = nodeOf(flags);
  const query = new URLSearchParams({ name, value });
  const { status, body } = await change(endpoint, `/config?${query}`);
  if (status !== 200) throw new Error(`${formatEndpoint(endpoint)}: ${body.trim().slice(0, 300)}`);
  output.write(flags.on.has('json') ? `${JSON.stringify({ name, value })}\n` : body);
  return 0;
}
