/** The commands that permissions are about, by name and category. Pure. */

export interface AclCommand {
  /** In lower case; a subcommand as `client|list`. */
  readonly label: string;
  /** With the leading `@`. */
  readonly categories: readonly string[];
}

export class AclCommands {
  /** Each command with its subcommands. */
  readonly #families = new Map<string, string[]>();
  readonly #categories = new Map<string, string[]>();

  constructor(commands: Iterable<AclCommand>) {
    for (const { label, categories } of commands) {
      const [container = ''] = label.split('|');
      this.#add(this.#families, label, label);
      if (container !== label) this.#add(this.#families, container, label);
      for (const category of categories) this.#add(this.#categories, category.slice(1), label);
    }
  }

  /** The command and its subcommands; `undefined`: there is none of that name. */
  family(label: string): readonly string[] | undefined {
    return this.#families.get(label);
  }

  ofCategory(category: string): readonly string[] | undefined {
    return this.#categories.get(category);
  }

  get categories(): Iterable<string> {
    return this.#categories.keys();
  }

  get labels(): Iterable<string> {
    return this.#families.keys();
  }

  #add(map: Map<string, string[]>, key: string, label: string): void {
    const known = map.get(key);
    if (known === undefined) map.set(key, [label]);
    else if (!known.includes(label)) known.push(label);
  }
}
