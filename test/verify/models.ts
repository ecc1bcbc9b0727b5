/**
 * Sequential specifications of one key: what a command answers in a state, and which state it
 * leaves. The linearizability checker steps through them; `porcupine/models.go` says the same in
 * Go. A model is made for the operations of one key and may use what they will read: a state that
 * no read to come agrees with need not be told from another such state.
 */
import { InvalidHistoryError, type Json, type ModelName, type Operation } from './history.ts';

/** States are primitives, so that equality and hashing are the language's own. Null: no value. */
export type State = string | number | null;

export interface Model {
  readonly name: ModelName;
  readonly initial: State;
  /**
   * The state after `operation` in `state`, or undefined when it could not have answered as it did.
   * An operation without a result accepts every state.
   * @throws InvalidHistoryError when the model has no such command.
   */
  step(state: State, operation: Operation): State | undefined;
  /** True when the operation, with the result it has, changes nothing in any state. */
  isReadOnly(operation: Operation): boolean;
  /** Operations without a result and of the same class have the same effect in every state. */
  classOf(operation: Operation): string;
  describeState(state: State): string;
}

/**
 * A model of one key, for a search among `operations`.
 * @throws InvalidHistoryError for transactions: they have no state per key.
 */
export function createModel(name: ModelName, operations: readonly Operation[]): Model {
  switch (name) {
    case 'cas-register':
      return CAS_REGISTER;
    case 'kv':
      return new KvModel(operations);
    case 'redis':
      return REDIS;
    case 'counter':
      return COUNTER;
    case 'list':
      return new ListModel(operations);
    case 'list-append-txn':
      throw new InvalidHistoryError('transactions are not checked key by key');
  }
}

const sameRequest = ({ kind, args }: Operation): string => JSON.stringify([kind, args]);

const describeValue = (state: State): string => JSON.stringify(state);

/** A register with read, write and compare-and-swap, as Jepsen's etcd test uses it. */
const CAS_REGISTER: Model = {
  name: 'cas-register',
  initial: null,
  step(state, operation) {
    const { kind, args, result } = operation;
    switch (kind) {
      case 'read':
        return answers(result, state, state);
      case 'write':
        return scalarOf(args[0], operation);
      case 'cas':
        return state === scalarOf(args[0], operation)
          ? answers(result, true, scalarOf(args[1], operation))
          : answers(result, false, state);
      default:
        throw unknownCommand(operation, 'cas-register');
    }
  },
  isReadOnly: ({ kind, result }) => kind === 'read' || (kind === 'cas' && result === false),
  classOf: sameRequest,
  describeState: describeValue,
};

/**
 * A string with get, put and append; a missing key reads as the empty string. All strings that are
 * no beginning of anything read are one state, null: only a put leads out of it. Else a search
 * would try appends that nobody saw in every order.
 */
class KvModel implements Model {
  readonly name = 'kv';
  readonly initial: State;
  /** Every string read, sorted. */
  readonly #read: readonly string[];
  readonly #visible = new Map<string, boolean>();

  constructor(operations: readonly Operation[]) {
    const read = new Set<string>();
    for (const { kind, result } of operations) {
      if (kind === 'get' && typeof result === 'string') read.add(result);
    }
    this.#read = [...read].sort();
    this.initial = this.#reduce('');
  }

  step(state: State, operation: Operation): State | undefined {
    const { kind, args, result } = operation;
    switch (kind) {
      case 'get':
        if (state === null) return result === undefined ? state : undefined;
        return answers(result, state, state);
      case 'put':
        return this.#reduce(textOf(args[0], operation));
      case 'append': {
        const added = textOf(args[0], operation);
        return state === null ? state : this.#reduce(`${state}${added}`);
      }
      default:
        throw unknownCommand(operation, 'kv');
    }
  }

  isReadOnly({ kind }: Operation): boolean {
    return kind === 'get';
  }

  classOf(operation: Operation): string {
    const { kind, args } = operation;
    const isHidden = kind === 'put' && this.#reduce(textOf(args[0], operation)) === null;
    return isHidden ? 'hidden put' : sameRequest(operation);
  }

  describeState(state: State): string {
    return state === null ? 'a value that nobody read' : describeValue(state);
  }

  #reduce(value: string): State {
    let visible = this.#visible.get(value);
    if (visible === undefined) {
      visible = this.#isBeginning(value);
      this.#visible.set(value, visible);
    }
    return visible ? value : null;
  }

  #isBeginning(value: string): boolean {
    let low = 0;
    let high = this.#read.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#read[middle] ?? '') < value) low = middle + 1;
      else high = middle;
    }
    return this.#read[low]?.startsWith(value) ?? false;
  }
}

/** A Redis string key. `SET` takes NX, XX, IFEQ (Valkey 8.1) and GET behind the value. */
const REDIS: Model = {
  name: 'redis',
  initial: null,
  step(state, operation) {
    const { kind, args, result } = operation;
    switch (kind) {
      case 'GET':
        return answers(result, state, state);
      case 'SET':
        return stepSet(state, operation);
      case 'SETNX':
        return state === null
          ? answers(result, 1, textOf(args[0], operation))
          : answers(result, 0, state);
      case 'GETDEL':
        return answers(result, state, null);
      case 'DEL':
        return answers(result, state === null ? 0 : 1, null);
      case 'DELIFEQ':
        return state === textOf(args[0], operation)
          ? answers(result, 1, null)
          : answers(result, 0, state);
      case 'EXISTS':
        return answers(result, state === null ? 0 : 1, state);
      case 'STRLEN':
        return answers(result, text(state).length, state);
      case 'APPEND': {
        const next = text(state) + textOf(args[0], operation);
        return answers(result, next.length, next);
      }
      default: {
        const delta = deltaOf(operation, 'redis');
        const value = state === null ? 0 : integer(text(state));
        if (value === undefined) return answersError(result, state);
        return answers(result, value + delta, String(safe(value + delta)));
      }
    }
  },
  isReadOnly({ kind, args, result }) {
    if (kind === 'GET' || kind === 'EXISTS' || kind === 'STRLEN') return true;
    if (result === undefined) return false;
    if (kind === 'SET') return result === null && !args.includes('GET');
    if (kind === 'GETDEL') return result === null;
    if (kind === 'SETNX' || kind === 'DEL' || kind === 'DELIFEQ') return result === 0;
    return isError(result);
  },
  classOf: sameRequest,
  describeState: describeValue,
};

function stepSet(state: State, operation: Operation): State | undefined {
  const { args, result } = operation;
  const value = textOf(args[0], operation);
  let met = true;
  let old = false;
  for (let at = 1; at < args.length; at++) {
    if (args[at] === 'NX') met = state === null;
    else if (args[at] === 'XX') met = state !== null;
    else if (args[at] === 'IFEQ') met = state === textOf(args[++at], operation);
    else if (args[at] === 'GET') old = true;
    else throw new InvalidHistoryError(`${label(operation)}: unknown SET option ${args[at]}`);
  }
  const answer = old ? state : met ? 'OK' : null;
  return answers(result, answer, met ? value : state);
}

/** A Redis integer key under INCR, DECR, INCRBY, DECRBY and GET. */
const COUNTER: Model = {
  name: 'counter',
  initial: null,
  step(state, operation) {
    const { kind, result } = operation;
    if (kind === 'GET') return answers(result, state === null ? null : String(state), state);
    const next = safe((typeof state === 'number' ? state : 0) + deltaOf(operation, 'counter'));
    return answers(result, next, next);
  },
  isReadOnly: ({ kind }) => kind === 'GET',
  classOf: sameRequest,
  describeState: describeValue,
};

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
class ListModel implements Model {
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
    // What was never read can only stand behind all that was, where nobody can tell it apart.
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

/** How an operation is written for people: `process 3 [10, 25] SET "k" "v" -> "OK"`. */
export function describeOperation(operation: Operation): string {
  const { process, invokedAt, completedAt, outcome, result } = operation;
  const interval = `[${invokedAt}, ${completedAt ?? 'open'}]`;
  const answer = outcome === 'ok' ? JSON.stringify(result) : outcome;
  return `process ${process} ${interval} ${label(operation)} -> ${answer}`;
}

function label({ kind, keys, args }: Operation): string {
  return [
    kind,
    ...keys.map((key) => JSON.stringify(key)),
    ...args.map((arg) => JSON.stringify(arg)),
  ].join(' ');
}

function answers(result: Json | undefined, expected: Json, next: State): State | undefined {
  return result === undefined || result === expected ? next : undefined;
}

function answersError(result: Json | undefined, next: State): State | undefined {
  return result === undefined || isError(result) ? next : undefined;
}

function isError(result: Json): boolean {
  return typeof result === 'object' && result !== null && !Array.isArray(result);
}

function text(state: State): string {
  return state === null ? '' : String(state);
}

function textOf(arg: Json | undefined, operation: Operation): string {
  if (typeof arg === 'string') return arg;
  throw new InvalidHistoryError(`${label(operation)}: ${JSON.stringify(arg)} is not a string`);
}

function scalarOf(arg: Json | undefined, operation: Operation): State {
  if (typeof arg === 'string' || typeof arg === 'number' || arg === null) return arg;
  throw new InvalidHistoryError(`${label(operation)}: ${JSON.stringify(arg)} is not a value`);
}

function deltaOf(operation: Operation, model: ModelName): number {
  const { kind, args } = operation;
  if (kind === 'INCR') return 1;
  if (kind === 'DECR') return -1;
  if (kind !== 'INCRBY' && kind !== 'DECRBY') throw unknownCommand(operation, model);
  const amount = args[0];
  if (typeof amount !== 'number' || !Number.isSafeInteger(amount)) {
    throw new InvalidHistoryError(`${label(operation)}: the amount is not a safe integer`);
  }
  return kind === 'INCRBY' ? amount : -amount;
}

const INTEGER = /^(?:0|-?[1-9][0-9]*)$/;

function integer(digits: string): number | undefined {
  return INTEGER.test(digits) ? safe(Number(digits)) : undefined;
}

/** Past 2^53 the model would round where Redis does not, and accuse the innocent. */
function safe(value: number): number {
  if (Number.isSafeInteger(value)) return value;
  throw new InvalidHistoryError(`the models count up to 2^53, not to ${value}`);
}

function unknownCommand(operation: Operation, model: ModelName): InvalidHistoryError {
  return new InvalidHistoryError(
    `${label(operation)}: the ${model} model has no ${operation.kind}`,
  );
}
