/**
 * Permissions at the Redis port of one node: the users of the cluster's table, logins and their
 * back-off, and the log of denials. One per gateway; it follows the table by `refresh`.
 */

import type { AclCommand } from '../../storage/commands/access/acl-commands.ts';
import { AclCommands } from '../../storage/commands/access/acl-commands.ts';
import {
  type Denial,
  type JudgedCommand,
  judge,
  sortRefusal,
} from '../../storage/commands/access/judge.ts';
import type { Words } from '../../storage/commands/command.ts';
import { AclLog } from './acl/acl-log.ts';
import type { User } from './acl/user.ts';
import { UserTable } from './acl/user-table.ts';
import { FailureBackoff } from './failure-backoff.ts';
import { hashOf, isSameHash } from './passwords.ts';

export const NOAUTH = 'NOAUTH Authentication required.';
const NO_LEASE =
  'NOQUORUM refused, nothing was done: this node cannot tell whether the users have changed ' +
  '(--acl-lease-ms)';
export const WRONG_PASS = 'WRONGPASS invalid username-password pair or user is disabled.';

/** Of the cluster's table, as this node has it. */
interface TableView {
  readonly values: ReadonlyMap<string, string>;
}

interface AccessOptions {
  readonly commands: Iterable<AclCommand>;
  /** SHA-256 of `--requirepass`; empty: there is none. */
  readonly passwordHash: string;
  readonly table: () => TableView['values'];
  /** Whether the table is in force: no later one can be, elsewhere. */
  readonly hasLease: () => boolean;
}

export class AccessControl {
  readonly commands: AclCommands;
  readonly users: UserTable;
  readonly log = new AclLog();
  readonly #options: AccessOptions;
  readonly #backoff = new FailureBackoff();
  /** None before the first `refresh`: the table belongs to a node that may not be built yet. */
  #values: TableView['values'] = new Map();
  /** As of the last `refresh`; users of the table are served only with one. */
  #hasLease = true;
  /** Counts the changes of users that this node has seen. */
  version = 0;

  constructor(options: AccessOptions) {
    this.#options = options;
    this.commands = new AclCommands(options.commands);
    this.users = new UserTable(this.commands, options.passwordHash);
  }

  /** Takes the table as it is now; `true`: it has changed. Before anything is judged. */
  refresh(): boolean {
    const values = this.#options.table();
    const isNew = values !== this.#values;
    if (isNew) {
      this.#values = values;
      this.users.read(values);
      this.version += 1;
    }
    // Behind the users: the first ones of the table need a lease at once.
    this.#hasLease = !this.users.hasRows || this.#options.hasLease();
    return isNew;
  }

  /** The user of a new connection; `undefined`: it must log in. */
  initialUser(): User | undefined {
    const user = this.users.defaultUser;
    return user.isOn && user.needsNoPassword ? user : undefined;
  }

  /** The user that a verified certificate stands for. */
  certifiedUser(name: string | undefined): User | undefined {
    const user = name === undefined ? undefined : this.users.find(name);
    return user?.isOn === true ? user : undefined;
  }

  /** Whether whoever connects may do what the default user may. */
  get isOpen(): boolean {
    return this.initialUser() !== undefined;
  }

  /** The user, or milliseconds until `WRONG_PASS` is to be answered. */
  login(name: string, password: string, address: string, nowMs: number): User | number {
    const user = this.users.find(name);
    // An unknown user takes as long as a wrong password.
    const hash = hashOf(password);
    let isRight = user?.needsNoPassword ?? false;
    for (const known of user?.passwords ?? []) {
      if (isSameHash(known, hash)) isRight = true;
    }
    if (user === undefined || !user.isOn || !isRight) return this.#backoff.failed(address, nowMs);
    this.#backoff.succeeded(address);
    return user;
  }

  /** The error line of any command of this user, while the node has no lease. */
  leaseRefusal(user: User): string | undefined {
    return this.#hasLease || !this.users.isOfTable(user) ? undefined : NO_LEASE;
  }

  /** Why the user may not run this; an error line where it is none of commands, keys, channels. */
  denial(user: User, command: JudgedCommand, args: Words): Denial | string | undefined {
    if (user.isUnlimited) return undefined;
    return judge(user, command, args) ?? sortRefusal(user, command, args);
  }
}

/** The denial with its key or channel, for ACL DRYRUN. */
export function verboseDenial({ name }: User, { kind, object }: Denial): string {
  const what =
    kind === 'command' ? `run the '${object}' command` : `access the '${object}' ${kind}`;
  return `User ${name} has no permissions to ${what}`;
}
