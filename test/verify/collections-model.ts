/**
 * The sequential specification of a few keys that belong together: lists, sets, hashes and sorted
 * sets, commands over two of them, blocks, and blocks behind WATCH. Such a group counts as one key
 * of a history; the names of its keys are among the arguments. `models.ts` makes it.
 *
 * - `MULTI`: each argument is a command with its words; the result has their replies.
 * - `EXEC`: the same behind a WATCH. The first argument is a read, the second what it answered
 *   behind WATCH, and the block does nothing unless it would answer so again.
 *
 * A key has one type in a history, and scores and counters are integers.
 */
import { runCollection, type Values } from './collection-commands.ts';
import { InvalidHistoryError, type Json, type Operation } from './history.ts';
import { label, type Model, type State, sameRequest } from './model.ts';

type Words = readonly string[];

const EMPTY: Values = new Map();
const READS = new Set([
  ...['LRANGE', 'LLEN', 'SMEMBERS', 'SISMEMBER', 'SCARD', 'HGET', 'HGETALL', 'HLEN'],
  ...['ZRANGE', 'ZSCORE', 'ZCARD'],
]);

export class CollectionsModel implements Model {
  readonly name = 'collections';
  readonly initial: State = 0;
  /** By state. */
  readonly #values: Values[] = [EMPTY];
  readonly #states = new Map<string, number>([[textOf(EMPTY), 0]]);

  step(state: State, operation: Operation): State | undefined {
    const before = this.#values[Number(state)] ?? EMPTY;
    const values = new Map(before);
    const { kind, args, result } = operation;
    if (kind === 'EXEC') {
      const [read, told, ...commands] = args;
      const answer = runCollection(values, wordsOf(read, operation));
      if (!isSame(told ?? null, answer)) return result === undefined ? state : undefined;
      return this.#after(values, commands, operation);
    }
    if (kind === 'MULTI') return this.#after(values, args, operation);
    const answer = runCollection(values, wordsOf([kind, ...args], operation));
    return result === undefined || isSame(result, answer) ? this.#stateOf(values) : undefined;
  }

  isReadOnly({ kind, args }: Operation): boolean {
    if (kind === 'EXEC') return false;
    if (kind !== 'MULTI') return READS.has(kind);
    return args.every((command) => READS.has(String((command as readonly Json[])[0])));
  }

  classOf(operation: Operation): string {
    return sameRequest(operation);
  }

  describeState(state: State): string {
    return textOf(this.#values[Number(state)] ?? EMPTY);
  }

  #after(
    values: Map<string, Words>,
    commands: readonly Json[],
    operation: Operation,
  ): State | undefined {
    const { result } = operation;
    const answers = commands.map((command) => runCollection(values, wordsOf(command, operation)));
    if (result !== undefined && !isSame(result, answers)) return undefined;
    return this.#stateOf(values);
  }

  #stateOf(values: Values): State {
    const text = textOf(values);
    const known = this.#states.get(text);
    if (known !== undefined) return known;
    this.#states.set(text, this.#values.length);
    this.#values.push(values);
    return this.#values.length - 1;
  }
}

/** Equal text, equal state: by name, without keys that are gone. */
function textOf(values: Values): string {
  return JSON.stringify([...values].sort(([one], [other]) => (one < other ? -1 : 1)));
}

function isSame(one: Json, other: Json): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function wordsOf(command: Json | undefined, operation: Operation): Words {
  if (Array.isArray(command) && command.every((word) => typeof word === 'string')) return command;
  const text = JSON.stringify(command);
  throw new InvalidHistoryError(`${label(operation)}: ${text} is not a list of words`);
}
