/** Subcommands that print a page of the admin port as it is. */
import { escapeText } from '../escape.ts';
import { ask } from './ask.ts';
import { nodeOf, type Output, parseFlags } from './command-line.ts';

export async function page(path: string, args: readonly string[], output: Output): Promise<number> {
  const endpoint = nodeOf(parseFlags(args, ['node']));
  const text = await ask(endpoint, path);
  output.write(escapeText(text));
  return 0;
}
