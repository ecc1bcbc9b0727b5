/**
 * The history of a run: what clients asked, when, and what they were told. The simulator, the
 * checker of real processes and Porcupine all read this one form. The recorder never drops an
 * operation: one without an answer stays open for ever, a refused one is kept and marked. This file
 * never touches a clock or a disk; `history-file.ts` does the latter.
 */

/** A value that JSON can carry. Byte strings are latin1 text: one char is one byte. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly error: string };

/**
 * - `ok`: answered; an error reply that a command gives by its own rules (`WRONGTYPE`) is an
 *   answer.
 * - `refused`: definitely did not happen, and never will.
 * - `unknown`: may have happened at any time after its invocation, may yet happen, or never will.
 */
export type Outcome = 'ok' | 'refused' | 'unknown';

/** One operation of one client. Times are in one unit of one clock, microseconds by convention. */
export interface Operation {
  /** Position in the history, from 0. */
  readonly id: number;
  readonly process: number;
  readonly invokedAt: number;
  /** Undefined while the operation is open: it may take effect at any later time, or never. */
  readonly completedAt: number | undefined;
  /** The command, in the words of the history's model: `GET`, `cas`, `txn`. */
  readonly kind: string;
  readonly keys: readonly string[];
  readonly args: readonly Json[];
  /** Undefined unless `outcome` is `ok`. */
  readonly result: Json | undefined;
  readonly outcome: Outcome;
}

/** The sequential specifications that a history can be checked against. */
export const MODEL_NAMES = [
  'cas-register',
  'kv',
  'redis',
  'counter',
  'list',
  'collections',
  'list-append-txn',
] as const;

export type ModelName = (typeof MODEL_NAMES)[number];

export interface History {
  readonly model: ModelName;
  readonly operations: readonly Operation[];
}

/** A history that cannot be checked because of how it was made, not because of what it shows. */
export class InvalidHistoryError extends Error {
  override readonly name = 'InvalidHistoryError';
}

export interface RecorderOptions {
  /** `invoke` throws a RangeError beyond this many operations. */
  readonly operationsMax?: number;
}

const OPERATIONS_MAX = 4_000_000;

interface Draft {
  process: number;
  invokedAt: number;
  completedAt: number | undefined;
  kind: string;
  keys: readonly string[];
  args: readonly Json[];
  result: Json | undefined;
  outcome: Outcome;
}

/**
 * Records one run. All clients of the run share one recorder, so the order of the calls *is* the
 * real-time order: equal clock readings are told apart by pushing the later one up by one unit.
 * Without that, everything within one tick of a coarse clock would count as concurrent, and
 * violations would go unseen.
 */
export class HistoryRecorder {
  readonly model: ModelName;
  readonly #now: () => number;
  readonly #operationsMax: number;
  readonly #drafts: Draft[] = [];
  readonly #settled: boolean[] = [];
  #last = Number.NEGATIVE_INFINITY;

  /** `now` reads a clock that never goes backwards, in microseconds. */
  constructor(model: ModelName, now: () => number, options: RecorderOptions = {}) {
    this.model = model;
    this.#now = now;
    this.#operationsMax = options.operationsMax ?? OPERATIONS_MAX;
  }

  /** Call it before the request leaves. Returns the operation's id. */
  invoke(process: number, kind: string, keys: readonly string[], args: readonly Json[]): number {
    if (this.#drafts.length >= this.#operationsMax) {
      throw new RangeError(`a history holds at most ${this.#operationsMax} operations`);
    }
    const id = this.#drafts.length;
    this.#drafts.push({
      process,
      invokedAt: this.#stamp(),
      completedAt: undefined,
      kind,
      keys,
      args,
      result: undefined,
      outcome: 'unknown',
    });
    this.#settled.push(false);
    return id;
  }

  /** Call it after the answer has arrived. */
  complete(id: number, result: Json): void {
    const draft = this.#settle(id);
    draft.completedAt = this.#stamp();
    draft.result = result;
    draft.outcome = 'ok';
  }

  /** The store promised that the operation did not and will not happen. */
  refuse(id: number): void {
    const draft = this.#settle(id);
    draft.completedAt = this.#stamp();
    draft.outcome = 'refused';
  }

  /** The client gave up: the operation stays open to infinity. */
  unknown(id: number): void {
    this.#settle(id);
  }

  get size(): number {
    return this.#drafts.length;
  }

  /** A copy of all operations so far; those without an answer are open. */
  history(): History {
    return { model: this.model, operations: this.#drafts.map((draft, id) => ({ id, ...draft })) };
  }

  #settle(id: number): Draft {
    const draft = this.#drafts[id];
    if (draft === undefined) throw new RangeError(`no operation ${id} was invoked`);
    // A second answer would rewrite what a client has already been told.
    if (this.#settled[id]) throw new Error(`operation ${id} has been settled before`);
    this.#settled[id] = true;
    return draft;
  }

  #stamp(): number {
    this.#last = Math.max(this.#now(), this.#last + 1);
    return this.#last;
  }
}

const FORMAT = 'holostore-history';
const VERSION = 1;

/** The lines of a history file, without line ends: a header, then one operation per line. */
export function* encodeHistory(history: History): Generator<string> {
  yield JSON.stringify({ format: FORMAT, version: VERSION, model: history.model });
  for (const operation of history.operations) yield JSON.stringify(operation);
}

/**
 * Reads the lines of a history file; empty lines are skipped.
 * @throws InvalidHistoryError with the number of the line that is wrong.
 */
export function decodeHistory(lines: Iterable<string>): History {
  let model: ModelName | undefined;
  const operations: Operation[] = [];
  let number = 0;
  for (const line of lines) {
    number += 1;
    if (line === '') continue;
    try {
      const value: unknown = JSON.parse(line);
      if (model === undefined) model = readHeader(value);
      else operations.push(readOperation(value, operations.length));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      throw new InvalidHistoryError(`line ${number}: ${why}`);
    }
  }
  if (model === undefined) throw new InvalidHistoryError('the history has no header line');
  return { model, operations };
}

export function isModelName(value: unknown): value is ModelName {
  return MODEL_NAMES.some((name) => name === value);
}

function readHeader(value: unknown): ModelName {
  const { format, version, model } = fieldsOf(value);
  if (format !== FORMAT) throw new Error(`not a ${FORMAT} file`);
  if (version !== VERSION) throw new Error(`version ${version} is not supported`);
  if (!isModelName(model)) throw new Error(`unknown model ${JSON.stringify(model)}`);
  return model;
}

function readOperation(value: unknown, id: number): Operation {
  const fields = fieldsOf(value);
  const { process, invokedAt, completedAt, kind, keys, args, result, outcome } = fields;
  if (fields.id !== id) throw new Error(`id ${fields.id} is not the operation's position ${id}`);
  if (typeof process !== 'number') throw new Error('process is not a number');
  if (typeof invokedAt !== 'number') throw new Error('invokedAt is not a number');
  if (typeof kind !== 'string') throw new Error('kind is not a string');
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'string')) {
    throw new Error('keys is not a list of strings');
  }
  if (!Array.isArray(args)) throw new Error('args is not a list');
  if (outcome !== 'ok' && outcome !== 'refused' && outcome !== 'unknown') {
    throw new Error(`unknown outcome ${JSON.stringify(outcome)}`);
  }
  if (outcome === 'unknown') {
    // Time and result of an operation that no client saw end would be invented.
    if (completedAt !== undefined) throw new Error('an unknown operation has no completedAt');
    if (result !== undefined) throw new Error('an unknown operation has no result');
  } else if (typeof completedAt !== 'number' || completedAt < invokedAt) {
    throw new Error('completedAt is not a time after invokedAt');
  }
  if (outcome === 'ok' && result === undefined) throw new Error('result is missing');
  return {
    id,
    process,
    invokedAt,
    completedAt: completedAt as number | undefined,
    kind,
    keys,
    args,
    result: outcome === 'ok' ? (result as Json) : undefined,
    outcome,
  };
}

function fieldsOf(value: unknown): LineFields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Error('not an object');
  }
  return value;
}

/** The fields of a line of a history file, not validated yet. */
interface LineFields {
  format?: unknown;
  version?: unknown;
  model?: unknown;
  id?: unknown;
  process?: unknown;
  invokedAt?: unknown;
  completedAt?: unknown;
  kind?: unknown;
  keys?: unknown;
  args?: unknown;
  result?: unknown;
  outcome?: unknown;
}
