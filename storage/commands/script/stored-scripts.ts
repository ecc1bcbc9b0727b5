/**
 * Loaded scripts, as rows of the cluster's table: by the hash of their bodies, which never change.
 * Pure.
 */

const SCRIPT_ROW = 'script:';
/** Counts SCRIPT FLUSH: what a node has kept of scripts before the last one counts no more. */
export const FLUSHES_ROW = 'script-flushes';

type Rows = ReadonlyMap<string, string>;

export function scriptRow(hash: string): string {
  return SCRIPT_ROW + hash;
}

/** The rows of all of them. */
export function scriptRows(rows: Rows): string[] {
  return [...rows.keys()].filter((name) => name.startsWith(SCRIPT_ROW));
}

/** The body with this hash, in any case. */
export function storedScript(rows: Rows, hash: string): string | undefined {
  return rows.get(scriptRow(hash.toLowerCase()));
}

const CODE_ROWS = /^(?:script|function):/;

/** Bytes of all loaded scripts and libraries. */
export function storedBytesOf(rows: Rows): number {
  let bytes = 0;
  for (const [name, body] of rows) if (CODE_ROWS.test(name)) bytes += body.length;
  return bytes;
}
