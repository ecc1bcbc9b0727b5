/**
 * Tables of settings: flags with environment twins, defaults, checks and help lines, by
 * util.parseArgs. Pure; `config.ts` and the cluster command have the tables.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';

/** A setting that is missing, unknown or wrong; `message` is one line for people. */
export class ConfigError extends Error {
  readonly code = 'HOLO_CONFIG';

  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

export interface Setting<T> {
  /** Shown behind the flag in the help text; a switch has none. */
  readonly value?: string;
  readonly help: string;
  /** As it would be written on the command line; without one the flag must be given. */
  readonly standard?: string;
  /** Identifies or locates a node: differs between the nodes of a cluster. */
  readonly identity?: true;
  /** Throws a `ConfigError` that says what would be right: `must be ...`. */
  readonly parse: (text: string) => T;
}

export const KIB = 1024;
export const MIB = 1024 * KIB;
export const GIB = 1024 * MIB;
const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, kb: KIB, mb: MIB, gb: GIB };

/** `--node-id` for `nodeId`. */
export function flagOf(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** `HOLO_NODE_ID` for `nodeId`. */
export function environmentOf(name: string): string {
  return `HOLO_${flagOf(name).slice(2).replaceAll('-', '_').toUpperCase()}`;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The flags of any table as text, by setting name; switches are `true` or `false`.
 *
 * @throws ConfigError on unknown flags, missing values and words without a flag.
 */
export function parseFlags(
  args: readonly string[],
  settings: Readonly<Record<string, Setting<unknown>>>,
  command: string,
): Map<string, string> {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const [name, setting] of Object.entries(settings)) {
    options[flagOf(name).slice(2)] = { type: setting.value === undefined ? 'boolean' : 'string' };
  }
  let values: Record<string, unknown>;
  try {
    ({ values } = parseArgs({ args: [...args], options, strict: true, allowPositionals: false }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const line = (reason.split(/\.\s|\n/)[0] ?? reason).replace(/^./, (c) => c.toLowerCase());
    throw new ConfigError(`${line} (see "holostore help ${command}")`);
  }
  const given = new Map<string, string>();
  for (const name of Object.keys(settings)) {
    const value = values[flagOf(name).slice(2)];
    if (value !== undefined) {
      given.set(name, String(value));
    }
  }
  return given;
}

/** The value of one setting from flag, environment or default. */
export function settingValue<T>(
  name: string,
  setting: Setting<T>,
  given: ReadonlyMap<string, string>,
  environment: Environment,
): T {
  const flag = given.get(name);
  const twin = environmentOf(name);
  const source = flag === undefined && environment[twin] !== undefined ? twin : flagOf(name);
  const text = flag ?? environment[twin] ?? setting.standard;
  if (text === undefined) {
    throw new ConfigError(`${flagOf(name)} is missing (or ${twin} in the environment)`);
  }
  try {
    return setting.parse(text);
  } catch (error) {
    if (error instanceof ConfigError) {
      throw new ConfigError(`${source} ${error.message}, not "${text}"`);
    }
    throw error;
  }
}

/** The lines of the help text about a table of settings. */
export function helpLines(settings: Readonly<Record<string, Setting<unknown>>>): string[] {
  const heads = Object.entries(settings).map(([name, setting]) =>
    setting.value === undefined ? flagOf(name) : `${flagOf(name)} ${setting.value}`,
  );
  const width = Math.max(...heads.map((head) => head.length)) + 2;
  return Object.values(settings).map((setting, index) => {
    const standard =
      setting.value !== undefined && setting.standard ? ` [${setting.standard}]` : '';
    return `  ${(heads[index] ?? '').padEnd(width)}${setting.help}${standard}`;
  });
}

export function someText(text: string): string {
  if (text === '') {
    throw new ConfigError('must not be empty');
  }
  return text;
}

export function integer(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) {
      throw new ConfigError(`must be a whole number from ${min} to ${max}`);
    }
    return value;
  };
}

export function size(min: number, max: number): (text: string) => number {
  return (text) => {
    const match = /^(\d{1,15})([a-z]{0,2})$/.exec(text.toLowerCase());
    const value = Number(match?.[1]) * (UNITS[match?.[2] ?? ''] ?? Number.NaN);
    if (!(value >= min && value <= max)) {
      const range = `from ${formatSize(min)} to ${formatSize(max)}`;
      throw new ConfigError(`must be a size such as 64mb (b, kb, mb or gb), ${range}`);
    }
    return value;
  };
}

/** In the largest unit that gives a whole number. */
export function formatSize(bytes: number): string {
  if (bytes % GIB === 0) {
    return `${bytes / GIB}gb`;
  }
  if (bytes % MIB === 0) {
    return `${bytes / MIB}mb`;
  }
  return bytes % KIB === 0 ? `${bytes / KIB}kb` : `${bytes}b`;
}

export function oneOf<const T extends string>(names: readonly T[]): (text: string) => T {
  return (text) => {
    const name = names.find((each) => each === text);
    if (name === undefined) {
      throw new ConfigError(`must be one of ${names.join(', ')}`);
    }
    return name;
  };
}

/** As in redis.conf; a switch is `onOff`. */
export function yesOrNo(text: string): boolean {
  if (text !== 'yes' && text !== 'no') throw new ConfigError('must be yes or no');
  return text === 'yes';
}

export function onOff(text: string): boolean {
  if (text === 'true' || text === '1') {
    return true;
  }
  if (text === 'false' || text === '0' || text === '') {
    return false;
  }
  throw new ConfigError('must be true or false');
}
