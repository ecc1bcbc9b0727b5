/**
 * Commands with subcommands (CLIENT, CONFIG): finds the one that is meant, checks its number of
 * arguments, and words the refusals as Redis does.
 */
import { arityError } from '../../../storage/command.ts';
import type { ReplyWriter } from '../encoder.ts';
import type { LocalCommand, LocalContext } from '../local-command.ts';
import { fitsArity } from '../routes.ts';

export interface Subcommand {
  /** Number of arguments with both names; negative: at least so many. */
  readonly arity: number;
  run(context: LocalContext, args: readonly string[], out: ReplyWriter): void;
}

type Described = Omit<LocalCommand, 'arity' | 'run'> & {
  /** Names in upper case. */
  readonly subcommands: Readonly<Record<string, Subcommand>>;
};

const SHOWN_CHARACTERS = 128;

/** `args[1]` names the subcommand; HELP comes for free. */
export function withSubcommands({ subcommands, ...described }: Described): LocalCommand {
  const table = new Map(Object.entries(subcommands));
  const { name } = described;
  return {
    ...described,
    arity: -2,
    run(context, args, out) {
      const word = args[1] ?? '';
      const upper = word.toUpperCase();
      const subcommand = table.get(upper);
      if (upper === 'HELP' && args.length === 2) return help(name, [...table.keys()], out);
      if (subcommand === undefined) return out.error(unknownSubcommand(name, word));
      context.client.lastCommand = `${name}|${upper}`.toLowerCase();
      if (!fitsArity(subcommand.arity, args.length)) {
        return out.error(arityError(`${name}|${upper}`));
      }
      subcommand.run(context, args, out);
    },
  };
}

export function unknownSubcommand(name: string, word: string): string {
  return `ERR unknown subcommand '${word.slice(0, SHOWN_CHARACTERS)}'. Try ${name} HELP.`;
}

function help(name: string, subcommands: readonly string[], out: ReplyWriter): void {
  const lines = [`${name} <subcommand> [<arg> ...]. Subcommands are:`, ...subcommands, 'HELP'];
  out.array(lines.length);
  for (const line of lines) out.simple(line);
}

/** A subcommand that only says that there is no such thing here. */
export function unsupported(what: string, arity: number): Subcommand {
  return { arity, run: (_context, _args, out) => out.error(`ERR ${what} is not supported`) };
}

export function replyWith(arity: number, reply: (out: ReplyWriter) => void): Subcommand {
  return { arity, run: (_context, _args, out) => reply(out) };
}
