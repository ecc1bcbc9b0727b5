/**
 * Loaded scripts, as rows of the cluster's table: by the hash of their bodies, which never change.
 * Every replica has the same ones at the same place of the order. Pure.
 */
import type { ClusterSettings } from '../../cluster-settings.ts';

const SCRIPT_ROW = 'script:';
/** Counts SCRIPT FLUSH: what a node has kept of scripts before the last one counts no more. */
export const FLUSHES_ROW = 'script-flushes';
export const SCRIPTS_BYTES_SETTING = 'scripts-bytes-max';
export const SCRIPTS_BYTES_MAX = 16 * 1024 * 1024;

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

/** Whether another body of so many bytes may be stored. */
export function hasRoomForScript(settings: ClusterSettings, bytes: number): boolean {
  const { values } = settings;
  const rows = scriptRows(settings);
  const stored = rows.reduce((sum, row) => sum + (values.get(row)?.length ?? 0), 0);
  return stored + bytes <= Number(values.get(SCRIPTS_BYTES_SETTING) ?? SCRIPTS_BYTES_MAX);
}
