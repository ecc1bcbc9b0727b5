/**
 * The sequential specification of a Redis list. It is made anew for every key and looks at the
 * reads
 * of the key first; `models.ts` makes it.
 */
import { InvalidHistoryError, type Json, type Operation } from './history.ts';
import {
  answers,
  label,
  type Model,
  type State,
  sameRequest,
  textOf,
  unknownCommand,
} from './model.ts';

const NO_LIST = -1;
/** Stands for an element behind everything that was read. */
const HIDDEN = '?';

/**
 * A Redis list under RPUSH (any number of values), `LRANGE 0 -1` and LLEN. A state is the number of
 * a node in a tree of lists: equal lists are one node, so that reading a list of a thousand
 * elements in a state costs one comparison instead of a thousand.
 *
 * Lists only grow, so every list must be a beginning of the longest one read, or begin with it: a
 * push that leads anywhere else does not fit. Behind the longest read only the length counts. Reads
 * are believed in the order of their answers, up to the first that contradicts those before it;
 * that one is then what cannot be placed.
 */
export class ListModel implements Model {
  readonly name = 'list';
  readonly initial = 0;
  readonly #values: string[] = [''];
  readonly #parents: number[] = [0];
  readonly #lengths: number[] = [0];
  /** Nearly every node has one child; only the others pay for a map. */
  readonly #firstChild: number[] = [0];
  readonly #moreChildren = new Map<string, number>();
  readonly #reads = new Map<Operation, number>();
  /** By node: 1 for the beginnings of the longest list read. */
  readonly #onPath: number[] = [1];
  readonly #pathValues = new Set<string>();
  #pathEnd = 0;
  /** The first list behind the path; whatever is made later by a push is one, too. */
  readonly #hidden: number;

  constructor(operations: readonly Operation[]) {
    const reads = operations.filter(
      ({ kind, result }) => kind === 'LRANGE' && result !== undefined,
    );
    for (const read of reads.toSorted((a, b) => (a.completedAt ?? 0) - (b.completedAt ?? 0))) {
      const node = this.#nodeRead(read, read.result ?? null);
      if (node === NO_LIST) break;
      if (this.#onPath[node] === 1) continue;
      if (!this.#extends(node)) break;
      for (let at = node; at !== this.#pathEnd; at = this.#parents[at] ?? 0) this.#onPath[at] = 1;
      this.#pathEnd = node;
    }
    for (let at = this.#pathEnd; at !== 0; at = this.#parents[at] ?? 0) {
      this.#pathValues.add(this.#values[at] ?? '');
    }
    this.#hidden = this.#child(this.#pathEnd, HIDDEN);
  }

  step(state: State, operation: Operation): State | undefined {
    const node = Number(state);
    const { kind, args, result } = operation;
    switch (kind) {
      case 'LRANGE':
        if (result === undefined) return node;
        return this.#nodeRead(operation, result) === node ? node : undefined;
      case 'LLEN':
        return answers(result, this.#lengths[node] ?? 0, node);
      case 'RPUSH': {
        let next = node;
        for (const value of args) {
          next = this.#push(next, textOf(value, operation));
          if (next === NO_LIST) return undefined;
        }
        return answers(result, this.#lengths[next] ?? 0, next);
      }
      default:
        throw unknownCommand(operation, 'list');
    }
  }

  isReadOnly({ kind }: Operation): boolean {
    return kind !== 'RPUSH';
  }

  classOf(operation: Operation): string {
    const [first] = operation.args;
    // Values that were never read can only follow all that were, where their order is not visible.
    const isHidden = operation.kind === 'RPUSH' && !this.#pathValues.has(String(first));
    return isHidden ? `hidden RPUSH of ${operation.args.length}` : sameRequest(operation);
  }

  describeState(state: State): string {
    const list: string[] = [];
    for (let node = Number(state); node !== 0; node = this.#parents[node] ?? 0) {
      list.push(this.#values[node] ?? '');
    }
    return JSON.stringify(list.reverse());
  }

  /** Pushes in a state that fits the path; `NO_LIST` when it would lead off it. */
  #push(node: number, value: string): number {
    if (node >= this.#hidden || node === this.#pathEnd) return this.#child(node, HIDDEN);
    const next = this.#child(node, value);
    return this.#onPath[next] === 1 ? next : NO_LIST;
  }

  /** Whether the list of `node` begins with the longest list read. */
  #extends(node: number): boolean {
    const length = this.#lengths[this.#pathEnd] ?? 0;
    let at = node;
    while ((this.#lengths[at] ?? 0) > length) at = this.#parents[at] ?? 0;
    return at === this.#pathEnd;
  }

  #nodeRead(operation: Operation, result: Json): number {
    const known = this.#reads.get(operation);
    if (known !== undefined) return known;
    if (operation.args.length !== 2 || operation.args[0] !== 0 || operation.args[1] !== -1) {
      throw new InvalidHistoryError(`${label(operation)}: only LRANGE 0 -1 can be checked`);
    }
    if (!Array.isArray(result)) return NO_LIST;
    let node = 0;
    for (const value of result) node = this.#child(node, textOf(value, operation));
    this.#reads.set(operation, node);
    return node;
  }

  #child(parent: number, value: string): number {
    const first = this.#firstChild[parent] ?? 0;
    if (first !== 0 && this.#values[first] === value) return first;
    const key = `${parent} ${value}`;
    const known = first === 0 ? undefined : this.#moreChildren.get(key);
    if (known !== undefined) return known;
    const node = this.#values.length;
    this.#values.push(value);
    this.#parents.push(parent);
    this.#lengths.push((this.#lengths[parent] ?? 0) + 1);
    this.#firstChild.push(0);
    if (first === 0) this.#firstChild[parent] = node;
    else this.#moreChildren.set(key, node);
    return node;
  }
}
