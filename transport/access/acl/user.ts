/**
 * A user: whether it may log in, its passwords as hashes, and its selectors. Rules are those of ACL
 * SETUSER in Redis 7.2. A user never changes: rules give another one. Pure but for the hash.
 */

import type { AclCommands } from '../../../storage/commands/access/acl-commands.ts';
import { ALL_PERMISSIONS, permissionsText } from '../../../storage/commands/access/permissions.ts';
import { Selector, SYNTAX } from '../../../storage/commands/access/selector.ts';
import { hashOf } from '../passwords.ts';

export const DEFAULT_USER = 'default';
/** Rules of a user without any restriction. */
export const OPEN_RULES = 'on nopass ~* &* +@all';
export const NAME_BYTES_MAX = 256;
/** Bytes of a user's description. */
const RULES_BYTES_MAX = 64 * 1024;
const SELECTORS_MAX = 64;
const PASSWORDS_MAX = 64;

const NO_SUCH_PASSWORD = 'The password you are trying to remove from the user does not exist';
const BAD_HASH =
  'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters';

/** A rule that is refused; `rule` is as it was given. */
export interface Refused {
  readonly rule: string;
  readonly reason: string;
}

export class User {
  readonly name: string;
  isOn = false;
  needsNoPassword = false;
  /** SHA-256, 64 hexadecimal digits each. */
  passwords: readonly string[] = [];
  #root: Selector;
  #selectors: Selector[] = [];
  #permissions: string | undefined;
  readonly #commands: AclCommands;

  private constructor(name: string, commands: AclCommands) {
    this.name = name;
    this.#commands = commands;
    this.#root = new Selector(commands);
  }

  /** Without any permission, and off. */
  static create(name: string, commands: AclCommands): User {
    return new User(name, commands);
  }

  /** This user with further rules, all or none. */
  with(rules: readonly string[]): User | Refused {
    const user = new User(this.name, this.#commands);
    const before = user.#applyAll(this.describe().split(' '));
    // Its own description is never refused, unless a later version has fewer commands.
    if (before !== undefined) return before;
    const refused = user.#applyAll(rules);
    if (refused !== undefined) return refused;
    if (user.describe().length > RULES_BYTES_MAX) {
      return {
        rule: rules.at(-1) ?? '',
        reason: `a user is described by ${RULES_BYTES_MAX} bytes`,
      };
    }
    return user;
  }

  get root(): Selector {
    return this.#root;
  }

  /** Beside the root. */
  get selectors(): readonly Selector[] {
    return this.#selectors;
  }

  *allSelectors(): Generator<Selector> {
    yield this.#root;
    yield* this.#selectors;
  }

  /** By value, without its passwords, for what runs on every replica. */
  get permissions(): string {
    this.#permissions ??= this.isUnlimited
      ? ALL_PERMISSIONS
      : permissionsText(this.name, this.allSelectors());
    return this.#permissions;
  }

  /** Nothing that this user does need be looked at. */
  get isUnlimited(): boolean {
    const { allCommands, allKeys, allChannels } = this.#root;
    return allCommands && allKeys && allChannels;
  }

  get flags(): readonly string[] {
    return [this.isOn ? 'on' : 'off', ...(this.needsNoPassword ? ['nopass'] : [])];
  }

  /** The rules that make this user, as ACL LIST shows them. */
  describe(): string {
    const hashes = this.passwords.map((hash) => `#${hash}`);
    const others = this.#selectors.map((selector) => `(${selector.describe()})`);
    return [...this.flags, ...hashes, this.#root.describe(), ...others].join(' ');
  }

  #applyAll(words: readonly string[]): Refused | undefined {
    const rules = mergeSelectors(words);
    if (!Array.isArray(rules)) return rules;
    for (const rule of rules) {
      const reason = this.#apply(rule);
      if (reason !== undefined) return { rule, reason };
    }
    return undefined;
  }

  #apply(rule: string): string | undefined {
    switch (rule.toLowerCase()) {
      case 'on':
        this.isOn = true;
        return undefined;
      case 'off':
        this.isOn = false;
        return undefined;
      case 'nopass':
        this.needsNoPassword = true;
        this.passwords = [];
        return undefined;
      case 'resetpass':
        this.needsNoPassword = false;
        this.passwords = [];
        return undefined;
      case 'sanitize-payload':
      case 'skip-sanitize-payload':
        // There is no RESTORE.
        return undefined;
      case 'clearselectors':
        this.#selectors = [];
        return undefined;
      case 'reset':
        this.#reset();
        return undefined;
    }
    if (/^[<>#!]/.test(rule)) return this.#applyPassword(rule);
    return rule.startsWith('(') ? this.#addSelector(rule) : this.#root.apply(rule);
  }

  #reset(): void {
    this.isOn = false;
    this.needsNoPassword = false;
    this.passwords = [];
    this.#root = new Selector(this.#commands);
    this.#selectors = [];
  }

  #applyPassword(rule: string): string | undefined {
    const isHash = rule[0] === '#' || rule[0] === '!';
    const told = rule.slice(1);
    if (isHash && !/^[0-9a-f]{64}$/.test(told)) return BAD_HASH;
    const hash = isHash ? told : hashOf(told);
    const isKnown = this.passwords.includes(hash);
    if (rule[0] === '<' || rule[0] === '!') {
      if (!isKnown) return NO_SUCH_PASSWORD;
      this.passwords = this.passwords.filter((each) => each !== hash);
      return undefined;
    }
    if (!isKnown && this.passwords.length >= PASSWORDS_MAX) {
      return `a user has at most ${PASSWORDS_MAX} passwords`;
    }
    if (!isKnown) this.passwords = [...this.passwords, hash];
    this.needsNoPassword = false;
    return undefined;
  }

  #addSelector(rule: string): string | undefined {
    if (this.#selectors.length >= SELECTORS_MAX) {
      return `a user has at most ${SELECTORS_MAX} selectors`;
    }
    const selector = new Selector(this.#commands);
    for (const word of rule.slice(1, -1).split(/\s+/)) {
      const reason = word === '' ? undefined : selector.apply(word);
      if (reason !== undefined) return reason;
    }
    this.#selectors.push(selector);
    return undefined;
  }
}

/** Puts the words of each `(...)` into one rule. */
function mergeSelectors(words: readonly string[]): string[] | Refused {
  const rules: string[] = [];
  let open: string[] | undefined;
  for (const word of words) {
    if (open === undefined && !word.startsWith('(')) {
      if (word !== '') rules.push(word);
      continue;
    }
    open = [...(open ?? []), word];
    if (!word.endsWith(')')) continue;
    rules.push(open.join(' '));
    open = undefined;
  }
  if (open === undefined) return rules;
  return { rule: open[0] ?? '', reason: UNMATCHED };
}

/** Not an error of one rule: it has a line of its own. */
const UNMATCHED = 'unmatched parenthesis';

/** Redis' line for a refused rule of ACL SETUSER. */
export function refusalLine({ rule, reason }: Refused): string {
  if (reason === UNMATCHED) {
    return `ERR Unmatched parenthesis in acl selector starting at '${rule}'.`;
  }
  return `ERR Error in ACL SETUSER modifier '${rule}': ${reason || SYNTAX}`;
}
