/**
 * One set of permissions of a user: commands, keys and channels. Rules and their errors are those
 * of `ACLSetSelector` of Redis 7.2 (acl.c), and so is the text that describes a selector: applied
 * to an empty one, it gives the same again. Pure.
 */
import { Glob } from '../glob.ts';
import { READS, WRITES } from '../key-access.ts';
import type { AclCommands } from './acl-commands.ts';

interface KeyPattern {
  readonly text: string;
  readonly glob: Glob;
  /** The sum of `READS` and `WRITES`. */
  access: number;
}

interface ChannelPattern {
  readonly text: string;
  readonly glob: Glob;
}

export const SYNTAX = 'Syntax error';
const UNKNOWN = 'Unknown command or category name in ACL';
const ALL_KEYS_ALREADY =
  "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have " +
  "any effect. Try 'resetkeys' to start with an empty list of patterns";
const ALL_CHANNELS_ALREADY =
  "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not " +
  "have any effect. Try 'resetchannels' to start with an empty list of channels";
const FIRST_ARG_OF_SUBCOMMAND = 'Allowing first-arg of a subcommand is not supported';
/** Patterns of one selector. */
const PATTERNS_MAX = 1_024;
const TOO_MANY = `a selector has at most ${PATTERNS_MAX} patterns`;

export class Selector {
  readonly #commands: AclCommands;
  allKeys = false;
  allChannels = false;
  /** Commands of later versions too. */
  allCommands = false;
  readonly #allowed = new Set<string>();
  readonly #firstArgs = new Map<string, string[]>();
  #keys: KeyPattern[] = [];
  #channels: ChannelPattern[] = [];
  /** Of commands and categories, in their order, without those that others have replaced. */
  #rules: string[] = [];
  #begin = '-@all';

  constructor(commands: AclCommands) {
    this.#commands = commands;
  }

  /** Applies one rule; returns why it is refused. */
  apply(rule: string): string | undefined {
    switch (rule.toLowerCase()) {
      case 'allkeys':
      case '~*':
        this.#setAllKeys(true);
        return undefined;
      case 'resetkeys':
        this.#setAllKeys(false);
        return undefined;
      case 'allchannels':
      case '&*':
        this.#setAllChannels(true);
        return undefined;
      case 'resetchannels':
        this.#setAllChannels(false);
        return undefined;
      case 'allcommands':
      case '+@all':
        this.#setAllCommands(true);
        return undefined;
      case 'nocommands':
      case '-@all':
        this.#setAllCommands(false);
        return undefined;
    }
    switch (rule[0]) {
      case '~':
      case '%':
        return this.#addKeys(rule);
      case '&':
        return this.#addChannels(rule.slice(1));
      case '+':
      case '-':
        return this.#setCommands(rule.slice(1).toLowerCase(), rule[0] === '+');
      default:
        return SYNTAX;
    }
  }

  /** `firstArg`: behind the name of the command. */
  allowsCommand(label: string, firstArg: string | undefined): boolean {
    if (this.allCommands || this.#allowed.has(label)) return true;
    if (firstArg === undefined) return false;
    return this.#firstArgs.get(label)?.includes(firstArg.toLowerCase()) ?? false;
  }

  allowsKey(key: string, access: number): boolean {
    if (this.allKeys) return true;
    return this.#keys.some(
      (pattern) => (pattern.access & access) === access && pattern.glob.matches(key),
    );
  }

  /** Whether all keys there may ever be can be read. */
  get readsAllKeys(): boolean {
    return this.allKeys || this.#keys.some(({ text, access }) => text === '*' && access & READS);
  }

  /** `isPattern`: as PSUBSCRIBE has it, which must be allowed literally. */
  allowsChannel(name: string, isPattern: boolean): boolean {
    if (this.allChannels) return true;
    return this.#channels.some(({ text, glob }) =>
      isPattern ? text === name : glob.matches(name),
    );
  }

  get keyText(): string {
    return this.allKeys ? '~*' : this.#keys.map(keyPatternText).join(' ');
  }

  get channelText(): string {
    return this.allChannels ? '&*' : this.#channels.map(({ text }) => `&${text}`).join(' ');
  }

  get commandText(): string {
    return [this.#begin, ...this.#rules].join(' ');
  }

  /** In the form of ACL LIST. */
  describe(): string {
    const channels = this.allChannels ? '&*' : `resetchannels ${this.channelText}`.trimEnd();
    return [this.keyText, channels, this.commandText].filter((part) => part !== '').join(' ');
  }

  #setAllKeys(all: boolean): void {
    this.allKeys = all;
    this.#keys = [];
  }

  #setAllChannels(all: boolean): void {
    this.allChannels = all;
    this.#channels = [];
  }

  #setAllCommands(all: boolean): void {
    this.allCommands = all;
    this.#allowed.clear();
    if (all) for (const label of this.#commands.labels) this.#allowed.add(label);
    this.#firstArgs.clear();
    this.#rules = [];
    this.#begin = all ? '+@all' : '-@all';
  }

  #addKeys(rule: string): string | undefined {
    if (this.allKeys) return ALL_KEYS_ALREADY;
    const match = /^(?:~|%([RW]{1,2})~)([\s\S]*)$/i.exec(rule);
    const letters = (match?.[1] ?? 'RW').toUpperCase();
    const text = match?.[2] ?? '';
    if (match === null || letters === 'RR' || letters === 'WW' || /\s|\0/.test(text)) return SYNTAX;
    const access = (letters.includes('R') ? READS : 0) | (letters.includes('W') ? WRITES : 0);
    const known = this.#keys.find((pattern) => pattern.text === text);
    if (known !== undefined) {
      known.access |= access;
      return undefined;
    }
    const glob = new Glob(text);
    if (this.#keys.length >= PATTERNS_MAX) return TOO_MANY;
    if (glob.problem !== undefined) return glob.problem;
    this.#keys.push({ text, glob, access });
    return undefined;
  }

  #addChannels(text: string): string | undefined {
    if (this.allChannels) return ALL_CHANNELS_ALREADY;
    if (/\s|\0/.test(text)) return SYNTAX;
    if (this.#channels.some((pattern) => pattern.text === text)) return undefined;
    const glob = new Glob(text);
    if (this.#channels.length >= PATTERNS_MAX) return TOO_MANY;
    if (glob.problem !== undefined) return glob.problem;
    this.#channels.push({ text, glob });
    return undefined;
  }

  #setCommands(name: string, allow: boolean): string | undefined {
    if (name.startsWith('@')) {
      const labels = this.#commands.ofCategory(name.slice(1));
      if (labels === undefined) return UNKNOWN;
      // A command brings its subcommands, whatever their categories.
      const all = labels.flatMap((label) => this.#commands.family(label) ?? []);
      return this.#change(name, all, allow);
    }
    const family = this.#commands.family(name);
    if (family !== undefined) return this.#change(name, family, allow);
    return this.#setFirstArg(name, allow);
  }

  #change(name: string, labels: readonly string[], allow: boolean): undefined {
    for (const label of labels) {
      this.#firstArgs.delete(label);
      if (allow) this.#allowed.add(label);
      else this.#allowed.delete(label);
    }
    if (!allow) this.allCommands = false;
    this.#record(name, allow);
  }

  /** `+select|0`: a command with this first argument alone. */
  #setFirstArg(name: string, allow: boolean): string | undefined {
    const bar = name.indexOf('|');
    const label = name.slice(0, bar);
    const argument = name.slice(bar + 1);
    const family = bar < 0 ? undefined : this.#commands.family(label);
    if (family === undefined) return UNKNOWN;
    if (!allow) return UNKNOWN;
    if (argument === '') return SYNTAX;
    if (family.length > 1) return argument.includes('|') ? FIRST_ARG_OF_SUBCOMMAND : UNKNOWN;
    if (!this.#allowed.has(label)) {
      const known = this.#firstArgs.get(label) ?? [];
      if (!known.includes(argument)) this.#firstArgs.set(label, [...known, argument]);
    }
    this.#record(name, true);
    return undefined;
  }

  /** The new rule replaces one of the same name, and those of its subcommands. */
  #record(name: string, allow: boolean): void {
    this.#rules = this.#rules.filter((rule) => {
      const old = rule.slice(1);
      return old !== name && !old.startsWith(`${name}|`);
    });
    this.#rules.push(`${allow ? '+' : '-'}${name}`);
  }
}

function keyPatternText({ text, access }: KeyPattern): string {
  // `~*` would be another rule: it takes no further patterns.
  if (access === READS + WRITES) return text === '*' ? '%RW~*' : `~${text}`;
  return access === READS ? `%R~${text}` : `%W~${text}`;
}
