/**
 * The settings of CONFIG GET and CONFIG SET. Their owners register them; values are text on the
 * wire and typed behind `get` and `set`. A name of Redis is used where the meaning is the same. The
 * registry holds no value of its own.
 */
import { printable } from '../../storage/commands/command.ts';
import { matchesGlob } from '../../storage/commands/glob.ts';

/** Settings of one node; registering more is a programming error. */
const SETTINGS_MAX = 1024;

/** The value to keep, or why the text is refused. */
export type Judged = { readonly kept: string } | { readonly reason: string };

interface ClusterSetting {
  /** Its name in the cluster's table, whatever other names it has. */
  readonly name: string;
  judge(value: string): Judged;
}

/** Names and values for the cluster's table. */
export type ClusterChanges = readonly (readonly [name: string, value: string])[];

export interface Setting {
  /** In lower case, `like-this`. */
  readonly name: string;
  /** Of the cluster: changed by a transaction, the same on all nodes. Otherwise of this node. */
  readonly ofCluster?: ClusterSetting;
  get(): string;
  /**
   * Returns a function that sets the value, or the reason for a refusal. Changes nothing itself.
   * Absent: the setting cannot be changed.
   */
  readonly prepare?: (value: string) => string | (() => void);
  /** Clients may not change it. */
  readonly isGuarded?: boolean;
}

export class SettingsRegistry {
  readonly #settings = new Map<string, Setting>();

  /** Throws when the name is taken. */
  register(...settings: readonly Setting[]): void {
    for (const setting of settings) {
      const name = setting.name.toLowerCase();
      if (this.#settings.has(name)) throw new Error(`the setting ${name} already exists`);
      if (this.#settings.size === SETTINGS_MAX) throw new Error('too many settings');
      this.#settings.set(name, setting);
    }
  }

  find(name: string): Setting | undefined {
    return this.#settings.get(name.toLowerCase());
  }

  /** Settings whose names match any of the globs, each once, in the order of registration. */
  matching(globs: readonly string[]): Setting[] {
    const patterns = globs.map((glob) => glob.toLowerCase());
    return [...this.#settings.values()].filter((setting) =>
      patterns.some((pattern) => matchesGlob(pattern, setting.name)),
    );
  }

  /**
   * Sets all or none; the first refused one determines the error. Returns Redis' error line without
   * `ERR `, or the changes to be made where they are of the cluster.
   */
  setAll(
    pairs: readonly (readonly [name: string, value: string])[],
    by: 'client' | 'operator',
  ): string | ClusterChanges | undefined {
    const found: { setting: Setting; value: string }[] = [];
    for (const [name, value] of pairs) {
      const setting = this.find(name);
      if (setting === undefined) {
        return `Unknown option or number of arguments for CONFIG SET - '${printable(name)}'`;
      }
      if (setting.prepare === undefined && setting.ofCluster === undefined) {
        return failure(setting.name, "can't set immutable config");
      }
      if (found.some((other) => other.setting === setting)) {
        return failure(setting.name, 'duplicate parameter');
      }
      found.push({ setting, value });
    }
    if (found.some(({ setting }) => setting.ofCluster !== undefined)) return clusterChanges(found);
    const changes: (() => void)[] = [];
    for (const { setting, value } of found) {
      const change = setting.prepare?.(value);
      if (typeof change === 'string') return failure(setting.name, change);
      if (change === undefined) continue;
      if (setting.isGuarded === true && by === 'client') {
        if (value === setting.get()) continue;
        return failure(setting.name, `protected: holoctl config set ${setting.name} VALUE`);
      }
      changes.push(change);
    }
    for (const change of changes) change();
    return undefined;
  }
}

const NOT_AN_INTEGER = "argument couldn't be parsed into an integer";
const NO_MEMORY_VALUE = 'argument must be a memory value';
export const YES_OR_NO = "argument must be 'yes' or 'no'";

/** Those of the cluster are changed in one transaction, which those of a node have no part in. */
function clusterChanges(
  found: readonly { readonly setting: Setting; readonly value: string }[],
): string | ClusterChanges {
  const changes: [string, string][] = [];
  for (const { setting, value } of found) {
    if (setting.ofCluster === undefined) {
      return failure(setting.name, 'it is a setting of this node, and others are of the cluster');
    }
    const judged = setting.ofCluster.judge(value);
    if ('reason' in judged) return failure(setting.name, judged.reason);
    changes.push([setting.ofCluster.name, judged.kept]);
  }
  return changes;
}

function failure(name: string, reason: string): string {
  return `CONFIG SET failed (possibly related to argument '${name}') - ${reason}`;
}

/** A setting that cannot be changed. */
export function fixedSetting(name: string, value: string): Setting {
  return { name, get: () => value };
}

interface IntegerSetting {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  get(): number;
  readonly set?: (value: number) => void;
}

export function integerSetting({ name, min, max, get, set }: IntegerSetting): Setting {
  return rangedSetting({ name, min, max, get, set, parse: parsePlain, unreadable: NOT_AN_INTEGER });
}

/** A number of bytes; accepts `10mb`, `64k` and so on like redis.conf. */
export function bytesSetting({ name, min, max, get, set }: IntegerSetting): Setting {
  return rangedSetting({
    name,
    min,
    max,
    get,
    set,
    parse: parseBytes,
    unreadable: NO_MEMORY_VALUE,
  });
}

interface RangedSetting {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly unreadable: string;
  get(): number;
  parse(text: string): number | undefined;
  readonly set: ((value: number) => void) | undefined;
}

function rangedSetting({ name, min, max, unreadable, get, parse, set }: RangedSetting): Setting {
  const read = (): string => String(get());
  if (set === undefined) return { name, get: read };
  return {
    name,
    get: read,
    prepare: (text) => {
      const value = parse(text);
      if (value === undefined) return unreadable;
      return value < min || value > max
        ? `argument must be between ${min} and ${max} inclusive`
        : () => set(value);
    },
  };
}

function parsePlain(text: string): number | undefined {
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(value) ? value : undefined;
}

const UNITS = new Map([
  ['', 1],
  ['b', 1],
  ['k', 1000],
  ['kb', 1024],
  ['m', 1000 ** 2],
  ['mb', 1024 ** 2],
  ['g', 1000 ** 3],
  ['gb', 1024 ** 3],
]);

/** `10mb`, `64k` and so on, as in redis.conf. */
export function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,16})([a-z]*)$/.exec(text.toLowerCase());
  const unit = UNITS.get(match?.[2] ?? '?');
  const value = match === null || unit === undefined ? undefined : Number(match[1]) * unit;
  return Number.isSafeInteger(value) ? value : undefined;
}
