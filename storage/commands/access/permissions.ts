/**
 * Permissions of a user by value, for what runs on every replica: a script carries those of its
 * user, as the node knew them that was asked, and each replica judges the commands alike. Pure.
 */
import type { Words } from '../command.ts';
import type { AclCommands } from './acl-commands.ts';
import { type Denial, denialText, type JudgedCommand, judge, sortRefusal } from './judge.ts';
import { Selector } from './selector.ts';

/** Of a user that may do everything. */
export const ALL_PERMISSIONS = '';

/** `selectors`: those of the user, the root first. */
export function permissionsText(name: string, selectors: Iterable<Selector>): string {
  return JSON.stringify([name, ...[...selectors].map((selector) => selector.describe())]);
}

export class Permissions {
  readonly name: string;
  readonly #selectors: readonly Selector[];

  /** Commands that scripts cannot call are none of `commands`: what is said of them is dropped. */
  constructor(text: string, commands: AclCommands) {
    const [name = '', ...described] = JSON.parse(text) as string[];
    this.name = name;
    this.#selectors = described.map((rules) => {
      const selector = new Selector(commands);
      for (const rule of rules.split(' ')) selector.apply(rule);
      return selector;
    });
  }

  allSelectors(): readonly Selector[] {
    return this.#selectors;
  }

  /** The error line of a command of a script that the user may not run; `denied` is told why. */
  refusal(
    command: JudgedCommand,
    args: Words,
    denied: (denial: Denial) => void,
  ): string | undefined {
    const denial = judge(this, command, args);
    if (denial === undefined) return sortRefusal(this, command, args);
    denied(denial);
    return `ERR ACL failure in script: ${denialText(this.name, denial)}`;
  }
}
