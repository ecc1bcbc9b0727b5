/** LCS: the longest common subsequence of two strings. */
import type { Arguments } from '../arguments.ts';
import type { Keyspace } from '../keyspace/keyspace.ts';
import { VALUE_BYTES_MAX } from '../limits.ts';
import { parseInteger } from '../types/integers.ts';
import { textOf } from '../types/string.ts';
import { type Command, command, NOT_AN_INTEGER, SYNTAX_ERROR, TWO_KEYS } from './command.ts';
import type { ReplySink } from './reply.ts';

const CELL_BYTES = 4;
const TOO_MUCH_MEMORY =
  'ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len';

interface LcsOptions {
  indexes: boolean;
  length: boolean;
  withMatchLength: boolean;
  matchLengthMin: number;
}

function parseOptions(args: Arguments): LcsOptions | string {
  const options = { indexes: false, length: false, withMatchLength: false, matchLengthMin: 0 };
  for (let i = 3; i < args.count; i += 1) {
    if (args.is(i, 'IDX')) {
      options.indexes = true;
    } else if (args.is(i, 'LEN')) {
      options.length = true;
    } else if (args.is(i, 'WITHMATCHLEN')) {
      options.withMatchLength = true;
    } else if (args.is(i, 'MINMATCHLEN') && i + 1 < args.count) {
      const length = parseInteger(args.text(i + 1));
      if (length === undefined) return NOT_AN_INTEGER;
      options.matchLengthMin = Number(length);
      i += 1;
    } else {
      return SYNTAX_ERROR;
    }
  }
  if (options.indexes && options.length) {
    return 'ERR If you want both the length and indexes, please just use IDX.';
  }
  return options;
}

/** The string under a key; null: a value of another type. */
function stringAt(keyspace: Keyspace, args: Arguments, i: number): string | null {
  const entry = keyspace.find(args, i)?.entry;
  if (entry === undefined) return '';
  return textOf(entry.type, entry.value) ?? null;
}

/** Lengths of the longest common subsequences of all beginnings of the two strings. */
class Table {
  readonly #lengths: Uint32Array;
  readonly #width: number;

  constructor(a: string, b: string) {
    this.#width = b.length + 1;
    const width = this.#width;
    const lengths = new Uint32Array((a.length + 1) * width);
    for (let i = 1; i <= a.length; i += 1) {
      const code = a.charCodeAt(i - 1);
      for (let j = 1; j <= b.length; j += 1) {
        const at = i * width + j;
        lengths[at] =
          code === b.charCodeAt(j - 1)
            ? (lengths[at - width - 1] as number) + 1
            : Math.max(lengths[at - width] as number, lengths[at - 1] as number);
      }
    }
    this.#lengths = lengths;
  }

  at(i: number, j: number): number {
    return this.#lengths[i * this.#width + j] as number;
  }
}

/** A common part: where it begins in each string, and its length. */
interface Match {
  readonly inA: number;
  readonly inB: number;
  readonly length: number;
}

/** The common parts of one longest common subsequence, the last one first, as Redis finds them. */
function matchesOf(a: string, b: string, table: Table): Match[] {
  const matches: Match[] = [];
  let i = a.length;
  let j = b.length;
  while (i > 0 && j > 0) {
    let length = 0;
    while (i > 0 && j > 0 && a.charCodeAt(i - 1) === b.charCodeAt(j - 1)) {
      length += 1;
      i -= 1;
      j -= 1;
    }
    if (length > 0) matches.push({ inA: i, inB: j, length });
    else if (table.at(i - 1, j) > table.at(i, j - 1)) i -= 1;
    else j -= 1;
  }
  return matches;
}

function answerIndexes(
  matches: readonly Match[],
  length: number,
  options: LcsOptions,
  out: ReplySink,
): void {
  const { withMatchLength } = options;
  const shown = matches.filter((match) => match.length >= options.matchLengthMin);
  out.map(2);
  out.bulk('matches');
  out.array(shown.length);
  for (const match of shown) {
    out.array(withMatchLength ? 3 : 2);
    for (const start of [match.inA, match.inB]) {
      out.array(2);
      out.integer(start);
      out.integer(start + match.length - 1);
    }
    if (withMatchLength) out.integer(match.length);
  }
  out.bulk('len');
  out.integer(length);
}

export const LCS: Command = command({
  group: 'string',
  keys: TWO_KEYS,
  flags: 'readonly',
  name: 'LCS',
  arity: -3,
  summary: 'Find longest common substring',
  since: '7.0.0',
  complexity: 'O(N*M) where N and M are the lengths of the two strings.',
  run(keyspace, args, out) {
    const a = stringAt(keyspace, args, 1);
    const b = stringAt(keyspace, args, 2);
    if (a === null || b === null) {
      return out.error('ERR The specified keys must contain string values');
    }
    const options = parseOptions(args);
    if (typeof options === 'string') return out.error(options);
    if ((a.length + 1) * (b.length + 1) * CELL_BYTES > VALUE_BYTES_MAX) {
      return out.error(TOO_MUCH_MEMORY);
    }
    const table = new Table(a, b);
    const length = table.at(a.length, b.length);
    if (options.length) return out.integer(length);
    const matches = matchesOf(a, b, table);
    if (options.indexes) return answerIndexes(matches, length, options, out);
    const parts = matches.map((match) => a.slice(match.inA, match.inA + match.length));
    out.bulk(parts.reverse().join(''));
  },
});
