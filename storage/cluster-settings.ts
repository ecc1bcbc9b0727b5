/**
 * The cluster table: users, and settings that reach the state. They are rows of a database that no
 * client can select, in the meta group, whose transactions change them. A transaction over keys
 * names the settings with which it runs (`body-settings.ts`). Pure.
 */
import { type Timestamp, ZERO } from '../actors/accord/primitives/timestamp.ts';
import { type BodySettings, STANDARD_SETTINGS } from './body-settings.ts';

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

/** The row that holds the executeAt of the last transaction that has changed a row. */
export const CHANGED_ROW = 'changed-at';

/** As the row holds it. */
export function encodeChangedAt({ hlc, flags, node, store }: Timestamp): string {
  return [hlc, flags, node, store].join(' ');
}

/**
 * All transactions of the table conflict, so it is what those up to this one have made of it, and
 * no later one.
 */
export function changedAtOf({ values }: ClusterSettings): Timestamp {
  const row = values.get(CHANGED_ROW);
  if (row === undefined) return ZERO;
  const [hlc = 0, flags = 0, node = 0, store = 0] = row.split(' ').map(Number);
  return { hlc, flags, node, store };
}

/** The new value of a row; `undefined`: it is removed. */
export type RowChange = readonly [name: string, value: string | undefined];

export function settingsOf(
  rows: Iterable<readonly [name: string, value: string]>,
): ClusterSettings {
  const values = new Map(rows);
  const version = Number(values.get(VERSION_ROW) ?? 0);
  values.delete(VERSION_ROW);
  return { version, values };
}

/** The settings behind a change of some rows. */
export function changedSettings(
  before: ClusterSettings,
  changes: readonly RowChange[],
): ClusterSettings {
  const values = new Map(before.values);
  let { version } = before;
  for (const [name, value] of changes) {
    if (name === VERSION_ROW) version = Number(value ?? 0);
    else if (value === undefined) values.delete(name);
    else values.set(name, value);
  }
  return { version, values };
}

/** As `STANDARD_SETTINGS`, but for what has been changed. */
export function bodySettingsOf({ values }: ClusterSettings): BodySettings {
  const all = Object.entries(STANDARD_SETTINGS).map(([field, standard]) => {
    const value = values.get(settingName(field));
    return [field, value === undefined ? standard : Number(value)];
  });
  return Object.fromEntries(all) as BodySettings;
}

/** `hashMaxListpackEntries` is `hash-max-listpack-entries`. */
function settingName(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
