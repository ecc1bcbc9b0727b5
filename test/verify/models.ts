/**
 * Sequential specifications of one key: what a command answers in a state, and which state it
 * leaves. The linearizability checker steps through them; `porcupine/models.go` says the same in
 * Go. A model is made for the operations of one key and may use what they will read: a state that
 * no read to come agrees with need not be told from another such state.
 */
import { CollectionsModel } from './collections-model.ts';
import { InvalidHistoryError, type Json, type ModelName, type Operation } from './history.ts';
import { ListModel } from './list-model.ts';
import {
  answers,
  label,
  type Model,
  type State,
  sameRequest,
  textOf,
  unknownCommand,
} from './model.ts';

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
    case 'collections':
      return new CollectionsModel();
    case 'list-append-txn':
      throw new InvalidHistoryError('transactions are not checked key by key');
  }
}

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
 * would try appends that no read saw in every order.
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
  for (let at = 1; at < args.length; at += 1) {
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

function answersError(result: Json | undefined, next: State): State | undefined {
  return result === undefined || isError(result) ? next : undefined;
}

function isError(result: Json): boolean {
  return typeof result === 'object' && result !== null && !Array.isArray(result);
}

function text(state: State): string {
  return state === null ? '' : String(state);
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
