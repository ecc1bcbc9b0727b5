/**
 * The definition itself, without any cleverness: try every order that respects real time, with
 * every choice of which open operations happened. The tests hold the real checkers against it on
 * histories of a handful of operations; for more it would take for ever.
 */
import type { Json, Operation } from './history.ts';
import type { Model } from './models.ts';

export const BRUTE_FORCE_OPERATIONS_MAX = 9;

/** Of one key. */
export function isLinearizable(model: Model, operations: readonly Operation[]): boolean {
  return existsOrder(operations, model.initial, (state, operation) => model.step(state, operation));
}

type Lists = ReadonlyMap<string, readonly Json[]>;

/** Of list-append transactions over all keys. */
export function isStrictlySerializable(operations: readonly Operation[]): boolean {
  return existsOrder<Lists>(operations, new Map(), (lists, operation) => {
    const after = new Map(lists);
    for (const [at, micro] of operation.args.entries()) {
      const [type, key, value] = micro as [string, string, Json];
      const list = after.get(key) ?? [];
      if (type === 'append') {
        after.set(key, [...list, value]);
      } else if (operation.result !== undefined) {
        const shown = (operation.result as readonly Json[])[at] ?? [];
        if (JSON.stringify(shown) !== JSON.stringify(list)) return undefined;
      }
    }
    return after;
  });
}

function existsOrder<State>(
  operations: readonly Operation[],
  initial: State,
  step: (state: State, operation: Operation) => State | undefined,
): boolean {
  if (operations.length > BRUTE_FORCE_OPERATIONS_MAX) {
    throw new RangeError(`brute force takes at most ${BRUTE_FORCE_OPERATIONS_MAX} operations`);
  }
  const extend = (state: State, left: readonly Operation[]): boolean => {
    if (left.every(({ outcome }) => outcome === 'unknown')) return true;
    return left.some((next) => {
      const isLate = left.some((other) => endOf(other) < next.invokedAt);
      if (isLate) return false;
      const after = step(state, next);
      if (after === undefined) return false;
      return extend(
        after,
        left.filter((other) => other !== next),
      );
    });
  };
  return extend(
    initial,
    operations.filter(({ outcome }) => outcome !== 'refused'),
  );
}

function endOf({ completedAt }: Operation): number {
  return completedAt ?? Number.POSITIVE_INFINITY;
}
