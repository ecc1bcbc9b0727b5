/** Subcommands that print a page of the admin port as it is. */
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { escapeText } from '../escape.ts';
import { NO_ADMIN_PORT } from '../http/http-get.ts';
import { ask } from './ask.ts';
import { nodeOf, type Output, parseFlags } from './command-line.ts';

export async function page(path: string, args: readonly string[], output: Output): Promise<number> {
  const endpoint = nodeOf(parseFlags(args, ['node']));
  const text = await ask(endpoint, path);
  output.write(escapeText(path === '/actors' ? indented(text, endpoint) : text));
  return 0;
}

function indented(json: string, endpoint: Endpoint): string {
  try {
    return `${JSON.stringify(JSON.parse(json), null, 2)}\n`;
  } catch {
    throw new Error(`${formatEndpoint(endpoint)}: ${NO_ADMIN_PORT}`);
  }
}
