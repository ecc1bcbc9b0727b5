/**
 * The definition itself, without any cleverness: try every order that respects real time, with
 * every choice of which open operations happened, and replay each on a serial store. The tests hold
 * the real checkers against it on histories of a handful of operations; for more it would take for
 * ever. It shares no code with the checkers and their models.
 */
import type { Json, Operation } from './history.ts';
import { SerialStore } from './serial-store.ts';

export const BRUTE_FORCE_OPERATIONS_MAX = 9;

/** Whether a history is linearizable; one of transactions, whether it is strictly serializable. */
export function hasSerialOrder(operations: readonly Operation[]): boolean {
  if (operations.length > BRUTE_FORCE_OPERATIONS_MAX) {
    throw new RangeError(`brute force takes at most ${BRUTE_FORCE_OPERATIONS_MAX} operations`);
  }
  const mayHaveHappened = operations.filter(({ outcome }) => outcome !== 'refused');
  return extend([], mayHaveHappened);
}

function extend(order: readonly Operation[], left: readonly Operation[]): boolean {
  if (left.every(({ outcome }) => outcome === 'unknown')) return true;
  return left.some((next) => {
    const isLate = left.some((other) => endOf(other) < next.invokedAt);
    if (isLate || !endsAsTold([...order, next])) return false;
    const rest = left.filter((other) => other !== next);
    return extend([...order, next], rest);
  });
}

/** Whether the last operation of the order answers what its client was told. */
function endsAsTold(order: readonly Operation[]): boolean {
  const store = new SerialStore();
  let answer: Json = null;
  for (const operation of order) answer = store.run(operation);
  const told = order.at(-1)?.result;
  return told === undefined || JSON.stringify(told) === JSON.stringify(answer);
}

function endOf({ completedAt }: Operation): number {
  return completedAt ?? Number.POSITIVE_INFINITY;
}
