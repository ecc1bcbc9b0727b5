/**
 * Loaded scripts, as rows beside the keys of their group: by the hash of their bodies, which never
 * change. Every replica has the same ones at the same place of the order. Pure.
 */
import type { ClusterSettings } from '../../cluster-settings.ts';

const SCRIPT_ROW = 'script:';
/** Counts SCRIPT FLUSH: what a node has kept of scripts before the last one counts no more. */
export const FLUSHES_ROW = 'script-flushes';

export function scriptRow(hash: string): string {
  return SCRIPT_ROW + hash;
}

/** The rows of all of them. */
export function scriptRows({ values }: ClusterSettings): string[] {
  return [...values.keys()].filter((name) => name.startsWith(SCRIPT_ROW));
}

/** The body with this hash, in any case. */
export function storedScript({ values }: ClusterSettings, hash: string): string | undefined {
  return values.get(scriptRow(hash.toLowerCase()));
}

/** Bytes of all stored bodies. */
export function storedBytesOf({ values }: ClusterSettings): number {
  let bytes = 0;
  for (const [name, body] of values) if (name.startsWith(SCRIPT_ROW)) bytes += body.length;
  return bytes;
}
