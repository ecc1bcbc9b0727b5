/**
 * The cluster table: settings that reach the state, so that every replica needs the same ones at
 * the same place of the order. They are rows of a database that no client can select, and change by
 * a transaction over the whole store: what is ordered behind it runs with the new values
 * everywhere. Pure.
 */
import { THRESHOLDS, type Thresholds } from './types/thresholds.ts';

export interface ClusterSettings {
  /** Counts the changes. */
  readonly version: number;
  /** Those that have been changed, by name. */
  readonly values: ReadonlyMap<string, string>;
}

export const NO_SETTINGS: ClusterSettings = { version: 0, values: new Map() };

/** Which keyspace events are told, as `eventFlagsOf` writes it. */
export const EVENTS_SETTING = 'notify-keyspace-events';

/** The row that holds the version. */
export const VERSION_ROW = 'version';

export function settingsOf(
  rows: Iterable<readonly [name: string, value: string]>,
): ClusterSettings {
  const values = new Map(rows);
  const version = Number(values.get(VERSION_ROW) ?? 0);
  values.delete(VERSION_ROW);
  return { version, values };
}

/** As `THRESHOLDS`, but for what has been changed. */
export function thresholdsOf({ values }: ClusterSettings): Thresholds {
  const all = Object.entries(THRESHOLDS).map(([field, standard]) => {
    const value = values.get(settingName(field));
    return [field, value === undefined ? standard : Number(value)];
  });
  return Object.fromEntries(all) as Thresholds;
}

/** `hashMaxListpackEntries` is `hash-max-listpack-entries`. */
function settingName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
