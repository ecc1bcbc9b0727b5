/**
 * A library of functions, as FUNCTION LOAD takes it: what its first line says, the functions that
 * its code registers, and how the cluster's table has it. Pure.
 */

export interface LibraryFunction {
  readonly name: string;
  readonly description: string | null;
  readonly flags: readonly string[];
}

export interface Library {
  readonly name: string;
  readonly functions: readonly LibraryFunction[];
  /** With its first line. */
  readonly code: string;
}

const ENGINE = 'lua';
/** As FUNCTION LIST shows it. */
export const ENGINE_SHOWN = 'LUA';
const NAME_BYTES_MAX = 1_024;
const NAMES =
  'ERR Library names can only contain letters, numbers, or underscores(_) and must be at least ' +
  'one character long';
const NAME_TOO_LONG = `ERR the name of a library has at most ${NAME_BYTES_MAX} bytes`;
const MISSING = 'ERR Missing library metadata';
const INVALID = 'ERR Invalid library metadata';
/** By this flag a function does not write. */
const NO_WRITES = 'no-writes';

/** The name that the first line gives; or the error line, as `{ problem }`. */
export function libraryName(code: string): { name: string } | { problem: string } {
  if (!code.startsWith('#!')) return { problem: MISSING };
  const end = code.indexOf('\n');
  const words = end === -1 ? undefined : wordsOf(code.slice(0, end));
  if (words === undefined) return { problem: INVALID };
  const [begin = '', ...options] = words;
  const engine = begin.slice('#!'.length);
  let name: string | undefined;
  for (const option of options) {
    if (!option.toLowerCase().startsWith('name=')) {
      return { problem: `ERR Invalid metadata value given: ${option}` };
    }
    if (name !== undefined) {
      return { problem: 'ERR Invalid metadata value, name argument was given multiple times' };
    }
    name = option.slice('name='.length);
  }
  if (name === undefined) return { problem: 'ERR Library name was not given' };
  if (!/^\w+$/.test(name)) return { problem: NAMES };
  if (name.length > NAME_BYTES_MAX) return { problem: NAME_TOO_LONG };
  if (engine.toLowerCase() !== ENGINE) return { problem: `ERR Engine '${engine}' not found` };
  return { name };
}

/** Divided at blanks; a word may stand in quotes. `undefined`: a quote is not closed. */
function wordsOf(line: string): string[] | undefined {
  const isWhole = /^(?:\s|"[^"]*"|'[^']*'|[^\s"'])*$/.test(line);
  const words = isWhole ? line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) : undefined;
  return words?.map((word) => word.replace(/["']/g, ''));
}

/** Without its first line, but with the break behind it: lines keep their numbers. */
export function sourceOf({ code }: Pick<Library, 'code'>): string {
  return code.slice(code.indexOf('\n'));
}

export function writesNothing({ flags }: LibraryFunction): boolean {
  return flags.includes(NO_WRITES);
}

const LIBRARY_ROW = 'function:';

export function libraryRow(name: string): string {
  return LIBRARY_ROW + name;
}

/** The value of its row: what it registers, and its code behind the first line. */
export function rowOf({ functions, code }: Library): string {
  return `${JSON.stringify(functions)}\n${code}`;
}

function libraryOf(name: string, row: string): Library {
  const end = row.indexOf('\n');
  return {
    name,
    functions: JSON.parse(row.slice(0, end)) as LibraryFunction[],
    code: row.slice(end + 1),
  };
}

/** Of a table, by name. */
export function librariesOf(values: ReadonlyMap<string, string>): Library[] {
  const found: Library[] = [];
  for (const [row, value] of values) {
    if (row.startsWith(LIBRARY_ROW)) found.push(libraryOf(row.slice(LIBRARY_ROW.length), value));
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Names of functions have no case. */
export function functionKey(name: string): string {
  return name.toLowerCase();
}
