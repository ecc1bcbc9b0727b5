/** The functions of the cluster's table by their names, as this node knows the table. */
import {
  functionKey,
  type Library,
  librariesOf,
} from '../../../storage/commands/script/library.ts';

type Rows = ReadonlyMap<string, string>;

export class FunctionIndex {
  readonly #rows: () => Rows;
  #known: Rows | undefined;
  readonly #byName = new Map<string, Library>();

  /** `rows`: the same object until they change. */
  constructor(rows: () => Rows) {
    this.#rows = rows;
  }

  /** The library of the function with this name, in any case. */
  find(name: string): Library | undefined {
    const rows = this.#rows();
    if (rows !== this.#known) this.#read(rows);
    return this.#byName.get(functionKey(name));
  }

  #read(rows: Rows): void {
    this.#known = rows;
    this.#byName.clear();
    for (const library of librariesOf(rows)) {
      for (const { name } of library.functions) this.#byName.set(functionKey(name), library);
    }
  }
}
