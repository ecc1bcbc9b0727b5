/**
 * Is a history linearizable? Linearizability is local (Herlihy and Wing 1990), so every key is
 * searched alone (`linearization-search.ts`) and the verdicts are put together here. Three
 * verdicts: a search that ran out of its budget says `exhausted` and never `ok`.
 */
import type { History, Operation } from './history.ts';
import { InvalidHistoryError } from './history.ts';
import { type Prefix, search } from './linearization-search.ts';
import { describeOperation, type Model } from './model.ts';
import { createModel } from './models.ts';

export interface LinearizabilityOptions {
  /** Operations tried per key before the search gives up. */
  readonly stepsMax?: number;
  /** After so many bad keys the rest is not searched. */
  readonly violationsMax?: number;
}

export interface KeyViolation {
  readonly key: string;
  /** Operations on the key that took part in the search: all but the refused ones. */
  readonly operations: number;
  /** The longest linearizable prefixes; several when they leave different states. */
  readonly prefixes: readonly Prefix[];
  /** For people. */
  readonly text: string;
}

export interface LinearizabilityVerdict {
  readonly verdict: 'ok' | 'violation' | 'exhausted';
  readonly keys: number;
  readonly operations: number;
  readonly open: number;
  /** Kept in the history, but no part of the search: they did not happen. */
  readonly refused: number;
  readonly steps: number;
  readonly violations: readonly KeyViolation[];
  /** Keys whose search ran out of steps or memory. */
  readonly exhaustedKeys: readonly string[];
  /** Keys not looked at, because there were `violationsMax` bad ones before. */
  readonly skippedKeys: readonly string[];
  /** For people. */
  readonly text: string;
}

export const STEPS_MAX = 5_000_000;
export const VIOLATIONS_MAX = 16;

/**
 * Checks every key of a history of single-key operations.
 * @throws InvalidHistoryError when the history does not fit its model.
 */
export function checkLinearizability(
  history: History,
  options: LinearizabilityOptions = {},
): LinearizabilityVerdict {
  const stepsMax = options.stepsMax ?? STEPS_MAX;
  const violationsMax = options.violationsMax ?? VIOLATIONS_MAX;
  const violations: KeyViolation[] = [];
  const exhaustedKeys: string[] = [];
  const skippedKeys: string[] = [];
  let steps = 0;
  const partitions = partitionByKey(history.operations);
  for (const [key, operations] of partitions) {
    if (violations.length >= violationsMax) {
      skippedKeys.push(key);
      continue;
    }
    const model = createModel(history.model, operations);
    const found = search(model, operations, { stepsMax });
    steps += found.steps;
    if (found.verdict === 'exhausted') exhaustedKeys.push(key);
    if (found.verdict === 'violation') {
      const text = describeViolation(model, key, operations.length, found.prefixes);
      violations.push({ key, operations: operations.length, prefixes: found.prefixes, text });
    }
  }
  const verdict =
    violations.length > 0 ? 'violation' : exhaustedKeys.length > 0 ? 'exhausted' : 'ok';
  const counts = {
    keys: partitions.size,
    operations: history.operations.length,
    open: history.operations.filter(({ outcome }) => outcome === 'unknown').length,
    refused: history.operations.filter(({ outcome }) => outcome === 'refused').length,
    steps,
  };
  const text = [
    `linearizability of ${history.model}: ${verdict}; ${counts.operations} operations ` +
      `(${counts.open} open, ${counts.refused} refused) on ${counts.keys} keys, ${steps} steps`,
    ...violations.map((violation) => violation.text),
    ...exhaustedKeys.map((key) => `key ${JSON.stringify(key)}: gave up (stepsMax ${stepsMax})`),
    ...(skippedKeys.length > 0 ? [`${skippedKeys.length} more keys were not searched`] : []),
  ].join('\n');
  return { verdict, ...counts, violations, exhaustedKeys, skippedKeys, text };
}

/** The operations that may have happened, by key, in the order of their invocation. */
export function partitionByKey(operations: readonly Operation[]): Map<string, Operation[]> {
  const partitions = new Map<string, Operation[]>();
  for (const operation of operations) {
    const [key, ...more] = operation.keys;
    if (key === undefined || more.length > 0) {
      throw new InvalidHistoryError(`${describeOperation(operation)}: needs exactly one key`);
    }
    if (operation.outcome === 'refused') continue;
    const partition = partitions.get(key);
    if (partition === undefined) partitions.set(key, [operation]);
    else partition.push(operation);
  }
  return partitions;
}

const LAST_SHOWN_MAX = 8;
const STUCK_SHOWN_MAX = 12;

function describeViolation(
  model: Model,
  key: string,
  operations: number,
  prefixes: readonly Prefix[],
): string {
  const lines = [`key ${JSON.stringify(key)}: not linearizable`];
  for (const { linearized, state, unplaced } of prefixes) {
    lines.push(
      `  ${linearized.length} of ${operations} operations can be put in order, ending with`,
    );
    for (const operation of linearized.slice(-LAST_SHOWN_MAX)) {
      lines.push(`    ${describeOperation(operation)}`);
    }
    lines.push(`  which leaves ${model.describeState(state)}; then none of these fits:`);
    for (const operation of unplaced.slice(0, STUCK_SHOWN_MAX)) {
      lines.push(`    ${describeOperation(operation)}`);
    }
    if (unplaced.length > STUCK_SHOWN_MAX) {
      lines.push(`    and ${unplaced.length - STUCK_SHOWN_MAX} more`);
    }
  }
  return lines.join('\n');
}
