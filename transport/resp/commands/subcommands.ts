/**
 * Commands with subcommands (CLIENT, CONFIG): each subcommand is a command of its own, which
 * `routes.ts` finds, checks and counts by both names.
 */
import { arityError } from '../../../storage/commands/command.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import type { LocalCommand, LocalContext } from '../routes.ts';

export interface Subcommand {
  /** Number of arguments including both names; negative: a minimum. */
  readonly arity: number;
  /** See `LocalCommand`. */
  readonly afterAll?: boolean;
  /** See `LocalCommand`. */
  readonly isSecret?: boolean;
  /** Those of the container by default. */
  readonly categories?: readonly string[];
  run(context: LocalContext, args: readonly string[], out: ReplyWriter): void;
}

type Described = Omit<LocalCommand, 'arity' | 'run' | 'subcommands'> & {
  /** Names in upper case. */
  readonly subcommands: Readonly<Record<string, Subcommand>>;
  /** Of HELP, beside `@slow`. */
  readonly helpCategory?: string;
  /** The lines of HELP between its first line and the one about HELP. */
  readonly help?: readonly string[];
};

const SLOW = ['@slow'];

/** `args[1]` names the subcommand; HELP is added. */
export function withSubcommands(all: Described): LocalCommand {
  const { subcommands, help, helpCategory, ...described } = all;
  const { name } = described;
  const helped: Record<string, Subcommand> = {
    ...subcommands,
    HELP: {
      arity: 2,
      categories: helpCategory === undefined ? SLOW : [helpCategory, ...SLOW],
      run: (_context, _args, out) => writeHelp(name, help ?? Object.keys(subcommands), out),
    },
  };
  return {
    ...described,
    // Permissions are about its subcommands.
    categories: SLOW,
    arity: -2,
    subcommands: Object.entries(helped).map(([word, subcommand]) => ({
      ...described,
      ...subcommand,
      name: `${name}|${word}`,
    })),
    // Never called: without a subcommand the arity check fails.
    run: (_context, _args, out) => out.error(arityError(name)),
  };
}

function writeHelp(name: string, lines: readonly string[], out: ReplyWriter): void {
  const first = `${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`;
  const all = [first, ...lines, 'HELP', '    Prints this help.'];
  out.array(all.length);
  for (const line of all) out.simple(line);
}

/** A subcommand that answers that the feature does not exist here. */
export function unsupported(what: string, arity: number): Subcommand {
  return { arity, run: (_context, _args, out) => out.error(`ERR ${what} is not supported`) };
}

export function replyWith(arity: number, reply: (out: ReplyWriter) => void): Subcommand {
  return { arity, run: (_context, _args, out) => reply(out) };
}
