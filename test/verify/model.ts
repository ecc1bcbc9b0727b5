/**
 * The interface of a sequential specification of one key, and the parts that all share. `models.ts`
 * has the specifications and makes them; the search for linearizations steps through them.
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

export const sameRequest = ({ kind, args }: Operation): string => JSON.stringify([kind, args]);

/** How an operation is written for people: `process 3 [10, 25] SET "k" "v" -> "OK"`. */
export function describeOperation(operation: Operation): string {
  const { process, invokedAt, completedAt, outcome, result } = operation;
  const interval = `[${invokedAt}, ${completedAt ?? 'open'}]`;
  const answer = outcome === 'ok' ? JSON.stringify(result) : outcome;
  return `process ${process} ${interval} ${label(operation)} -> ${answer}`;
}

export function label({ kind, keys, args }: Operation): string {
  return [
    kind,
    ...keys.map((key) => JSON.stringify(key)),
    ...args.map((arg) => JSON.stringify(arg)),
  ].join(' ');
}

export function answers(result: Json | undefined, expected: Json, next: State): State | undefined {
  return result === undefined || result === expected ? next : undefined;
}

export function textOf(arg: Json | undefined, operation: Operation): string {
  if (typeof arg === 'string') return arg;
  throw new InvalidHistoryError(`${label(operation)}: ${JSON.stringify(arg)} is not a string`);
}

export function unknownCommand(operation: Operation, model: ModelName): InvalidHistoryError {
  return new InvalidHistoryError(
    `${label(operation)}: the ${model} model has no ${operation.kind}`,
  );
}
