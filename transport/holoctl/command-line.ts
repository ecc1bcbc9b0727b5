/**
 * Common to the subcommands of `holoctl`: where their output goes, their flags, and the addresses
 * of nodes. Wrong usage is a `UsageError`, exit code 2.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { type Endpoint, parseEndpoint } from '../endpoint.ts';

const DEFAULT_TARGET = '127.0.0.1:15080';

/** From the environment: addresses. Some subcommands ask all of them, others the first. */
const { HOLO_ADMIN } = process.env;

export const WITHOUT_ADDRESS = `HOLO_ADMIN from the environment, or ${DEFAULT_TARGET}`;

export class UsageError extends Error {}

export interface Output {
  readonly write: (text: string) => void;
  readonly writeError: (line: string) => void;
}

export interface Flags {
  readonly values: ReadonlyMap<string, string>;
  /** Flags without a value that were given. */
  readonly on: ReadonlySet<string>;
  readonly words: readonly string[];
}

/** `names` take a value, `switches` none; words are allowed up to `wordsMax`. */
export function parseFlags(
  args: readonly string[],
  names: readonly string[],
  switches: readonly string[] = [],
  wordsMax = 0,
): Flags {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const name of names) options[name] = { type: 'string' };
  for (const name of switches) options[name] = { type: 'boolean' };
  try {
    const allowPositionals = wordsMax > 0;
    const parsed = parseArgs({ args: [...args], options, strict: true, allowPositionals });
    const entries = Object.entries(parsed.values);
    if (parsed.positionals.length > wordsMax) {
      throw new Error(`unexpected argument '${parsed.positionals[wordsMax]}'`);
    }
    return {
      values: new Map(
        entries.flatMap(([name, value]) => (typeof value === 'string' ? [[name, value]] : [])),
      ),
      on: new Set(entries.flatMap(([name, value]) => (value === true ? [name] : []))),
      words: parsed.positionals,
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const line = (reason.split(/\.\s|\n/)[0] ?? reason).replace(/^./, (c) => c.toLowerCase());
    throw new UsageError(`${line} (see "holoctl help")`);
  }
}

/** The node that `--node` names. */
export function nodeOf({ values }: Flags): Endpoint {
  return target(values.get('node') ?? HOLO_ADMIN?.split(',')[0] ?? DEFAULT_TARGET);
}

/** The nodes that `--nodes` names, or the one of `--node`. */
export function nodesOf({ values }: Flags): Endpoint[] {
  const text = values.get('nodes') ?? values.get('node') ?? HOLO_ADMIN ?? DEFAULT_TARGET;
  return text.split(',').map((each) => target(each.trim()));
}

/** The value of `--count`, or this. */
export function countOf({ values }: Flags, otherwise: number): number {
  const count = Number(values.get('count') ?? otherwise);
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new UsageError('--count must be a whole number above 0');
  }
  return count;
}

function target(text: string): Endpoint {
  const endpoint = parseEndpoint(text);
  if (endpoint === undefined) {
    throw new UsageError(
      `an admin port is written HOST:PORT, not "${text}" (--node, --nodes or HOLO_ADMIN)`,
    );
  }
  return endpoint;
}
