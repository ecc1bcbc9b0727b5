/**
 * Users as rows of the cluster's table: `user:NAME` and the rules that make it. Reads the rows, and
 * plans changes of them. Pure but for hashes.
 */
import type { AclCommands } from '../../../storage/commands/access/acl-commands.ts';
import {
  DEFAULT_USER,
  NAME_BYTES_MAX,
  OPEN_RULES,
  type Refused,
  refusalLine,
  User,
} from './user.ts';

const ROW = 'user:';
const USERS_MAX = 1_000;
const FILE_BYTES_MAX = 8 * 1024 * 1024;

/** Rows of the table and their values; an empty one removes the row. */
export type UserRows = readonly (readonly [row: string, rules: string])[];

export class UserTable {
  readonly #commands: AclCommands;
  /** Rules of the default user where the table has none. */
  readonly #standard: string;
  /** Names of users that the table has. */
  readonly #rows = new Set<string>();
  #users = new Map<string, User>();
  /** By name: the rules that the table has. */
  #rules = new Map<string, string>();

  /**
   * `passwordHash`: of the default user, unless the table says otherwise; empty: none is needed.
   */
  constructor(commands: AclCommands, passwordHash: string) {
    this.#commands = commands;
    this.#standard = passwordHash === '' ? OPEN_RULES : `on #${passwordHash} ~* &* +@all`;
    this.read(new Map());
  }

  /** Takes the rows of the table. Users that have not changed stay the same objects. */
  read(values: ReadonlyMap<string, string>): void {
    const rules = new Map([[DEFAULT_USER, this.#standard]]);
    this.#rows.clear();
    for (const [row, value] of values) {
      if (!row.startsWith(ROW)) continue;
      const name = row.slice(ROW.length);
      rules.set(name, value);
      this.#rows.add(name);
    }
    const users = new Map<string, User>();
    for (const [name, text] of rules) {
      const known = this.#rules.get(name) === text ? this.#users.get(name) : undefined;
      users.set(name, known ?? this.#made(name, text));
    }
    this.#users = users;
    this.#rules = rules;
  }

  find(name: string): User | undefined {
    return this.#users.get(name);
  }

  get defaultUser(): User {
    return this.#users.get(DEFAULT_USER) as User;
  }

  /** Whether the table has any. */
  get hasRows(): boolean {
    return this.#rows.size > 0;
  }

  isOfTable({ name }: User): boolean {
    return this.#rows.has(name);
  }

  /** By name. */
  all(): readonly User[] {
    return [...this.#users.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** The rows after ACL SETUSER, or its error line. */
  planSet(name: string, rules: readonly string[]): UserRows | string {
    if (/[\s\0]/.test(name)) return "ERR Usernames can't contain spaces or null characters";
    if (name === '' || name.length > NAME_BYTES_MAX) {
      return `ERR the name of a user has 1 to ${NAME_BYTES_MAX} bytes`;
    }
    const known = this.#users.get(name);
    if (known === undefined && this.#users.size >= USERS_MAX) {
      return `ERR there are at most ${USERS_MAX} users`;
    }
    const changed = (known ?? User.create(name, this.#commands)).with(rules);
    return changed instanceof User ? [[ROW + name, changed.describe()]] : refusalLine(changed);
  }

  /** The rows after ACL DELUSER, and how many users that removes; or its error line. */
  planRemoval(names: readonly string[]): { rows: UserRows; count: number } | string {
    if (names.includes(DEFAULT_USER)) return "ERR The 'default' user cannot be removed";
    const known = [...new Set(names)].filter((name) => this.#users.has(name));
    return { rows: known.map((name) => [ROW + name, '']), count: known.length };
  }

  /**
   * The rows after ACL LOAD of this text: all users are those of the file. Or why it is refused.
   */
  planLoad(text: string): UserRows | string {
    if (text.length > FILE_BYTES_MAX) return `it is longer than ${FILE_BYTES_MAX} bytes`;
    const rows = new Map<string, string>();
    for (const [index, line] of text.split('\n').entries()) {
      const words = line.trim().split(/\s+/);
      if (words[0] === '' || words[0]?.startsWith('#') === true) continue;
      const read = this.#readLine(words, rows);
      if (typeof read === 'string') return `line ${index + 1}: ${read}`;
      rows.set(ROW + read.name, read.describe());
    }
    if (rows.size > USERS_MAX) return `there are at most ${USERS_MAX} users`;
    const removed = [...this.#users.keys()].map((name) => ROW + name);
    const gone = removed.filter((row) => !rows.has(row));
    return [...rows, ...gone.map((row) => [row, ''] as const)];
  }

  #readLine(words: readonly string[], before: ReadonlyMap<string, string>): User | string {
    const [keyword, name = '', ...rules] = words;
    if (keyword !== 'user' || name === '') return "should start with 'user NAME'";
    if (before.has(ROW + name)) return `Duplicate user '${name}'`;
    if (name.length > NAME_BYTES_MAX) return 'the name is too long';
    const user = User.create(name, this.#commands).with(rules);
    return user instanceof User ? user : textOf(user);
  }

  /** In the form of the file. */
  describe(): string {
    return this.all()
      .map((user) => `user ${user.name} ${user.describe()}\n`)
      .join('');
  }

  /** Rules that this version does not understand allow nothing. */
  #made(name: string, text: string): User {
    const user = User.create(name, this.#commands);
    const made = user.with(text.split(' '));
    return made instanceof User ? made : user;
  }
}

function textOf(refused: Refused): string {
  return refusalLine(refused).replace(/^ERR /, '');
}
