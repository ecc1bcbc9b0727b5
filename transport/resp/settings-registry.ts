/**
 * The settings that CONFIG GET and CONFIG SET know. Others register theirs; values are texts on
 * the wire and typed behind `get` and `set`. Names are those of Redis where the meaning is the
 * same. The registry holds no value of its own.
 */
import { matchesGlob } from '../../storage/glob.ts';

/** Settings of one node; registering more is a programming error. */
const SETTINGS_MAX = 1024;

export interface Setting {
  /** In lower case, `like-this`. */
  readonly name: string;
  get(): string;
  /** Takes the value over and returns nothing, or the reason why not. Absent: cannot be changed. */
  readonly set?: (value: string) => string | undefined;
}

export class SettingsRegistry {
  readonly #settings = new Map<string, Setting>();

  /** Throws when the name is taken. */
  register(...settings: readonly Setting[]): void {
    for (const setting of settings) {
      const name = setting.name.toLowerCase();
      if (this.#settings.has(name)) throw new Error(`the setting ${name} exists already`);
      if (this.#settings.size === SETTINGS_MAX) throw new Error('too many settings');
      this.#settings.set(name, setting);
    }
  }

  find(name: string): Setting | undefined {
    return this.#settings.get(name.toLowerCase());
  }

  /** Those whose names match any of the globs, each once, in the order of registration. */
  matching(globs: readonly string[]): Setting[] {
    const patterns = globs.map((glob) => glob.toLowerCase());
    return [...this.#settings.values()].filter((setting) =>
      patterns.some((pattern) => matchesGlob(pattern, setting.name)),
    );
  }

  /**
   * Sets all or none: values are tried in order, and after a refusal the earlier ones are put back.
   * Returns the error line without `ERR `, as Redis words it.
   */
  setAll(pairs: readonly (readonly [name: string, value: string])[]): string | undefined {
    const found: { setting: Setting; value: string; before: string }[] = [];
    for (const [name, value] of pairs) {
      const setting = this.find(name);
      if (setting === undefined) {
        return `Unknown option or number of arguments for CONFIG SET - '${name}'`;
      }
      if (setting.set === undefined) return failure(setting.name, "can't set immutable config");
      if (found.some((other) => other.setting === setting)) {
        return failure(setting.name, 'duplicate parameter');
      }
      found.push({ setting, value, before: setting.get() });
    }
    for (const [index, { setting, value }] of found.entries()) {
      const reason = setting.set?.(value);
      if (reason === undefined) continue;
      for (const earlier of found.slice(0, index)) earlier.setting.set?.(earlier.before);
      return failure(setting.name, reason);
    }
    return undefined;
  }
}

function failure(name: string, reason: string): string {
  return `CONFIG SET failed (possibly related to argument '${name}') - ${reason}`;
}

/** A value that is always the same. */
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
  return rangedSetting({ name, min, max, get, set, parse: parsePlain, what: 'an integer' });
}

/** A number of bytes; takes `10mb`, `64k` and so on as redis.conf does. */
export function bytesSetting({ name, min, max, get, set }: IntegerSetting): Setting {
  return rangedSetting({ name, min, max, get, set, parse: parseBytes, what: 'a memory value' });
}

export function booleanSetting(
  name: string,
  get: () => boolean,
  set?: (value: boolean) => void,
): Setting {
  const read = (): string => (get() ? 'yes' : 'no');
  if (set === undefined) return { name, get: read };
  return {
    name,
    get: read,
    set: (value) => {
      const text = value.toLowerCase();
      if (text !== 'yes' && text !== 'no') return "argument must be 'yes' or 'no'";
      set(text === 'yes');
      return undefined;
    },
  };
}

export function choiceSetting(
  name: string,
  choices: readonly string[],
  get: () => string,
  set: (value: string) => void,
): Setting {
  return {
    name,
    get,
    set: (value) => {
      const text = value.toLowerCase();
      if (!choices.includes(text)) {
        return `argument(s) must be one of the following: ${choices.join(', ')}`;
      }
      set(text);
      return undefined;
    },
  };
}

interface RangedSetting {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly what: string;
  get(): number;
  parse(text: string): number | undefined;
  readonly set: ((value: number) => void) | undefined;
}

function rangedSetting({ name, min, max, what, get, parse, set }: RangedSetting): Setting {
  const read = (): string => String(get());
  if (set === undefined) return { name, get: read };
  return {
    name,
    get: read,
    set: (text) => {
      const value = parse(text);
      if (value === undefined) return `argument couldn't be parsed into ${what}`;
      if (value < min || value > max) {
        return `argument must be between ${min} and ${max} inclusive`;
      }
      set(value);
      return undefined;
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

function parseBytes(text: string): number | undefined {
  const match = /^(\d{1,16})([a-z]*)$/.exec(text.toLowerCase());
  const unit = UNITS.get(match?.[2] ?? '?');
  const value = match === null || unit === undefined ? undefined : Number(match[1]) * unit;
  return Number.isSafeInteger(value) ? value : undefined;
}
