/**
 * Deadlines and FLUSHALL, which the models of single keys do not know: operations for both are
 * added to the history before it is checked. The time at which a key may expire has two bounds, as
 * close together as the clocks of the run were.
 */
import type { History, Operation } from '../verify/history.ts';

export const FLUSHALL = 'FLUSHALL';

export interface Deadlines {
  /** By operation that set a value: how long it lives. */
  readonly lives: ReadonlyMap<number, number>;
  /** By operation that may have prolonged the life of what it met. */
  readonly prolongs: ReadonlyMap<number, number>;
  /** How far timestamps ran ahead of true time at the most, and clocks behind it, together. */
  readonly clockErrorMs: number;
}

const US = 1_000;

/** Each value with a deadline goes in a stretch of time, unless it was replaced before. */
export function withExpiries(history: History, deadlines: Deadlines): History {
  const operations: Operation[] = [...history.operations];
  const byKey = new Map<string, Operation[]>();
  for (const operation of history.operations) {
    if (!deadlines.prolongs.has(operation.id) || operation.outcome === 'refused') continue;
    const [key = ''] = operation.keys;
    const others = byKey.get(key);
    if (others === undefined) byKey.set(key, [operation]);
    else others.push(operation);
  }
  for (const operation of history.operations) {
    const lifeMs = deadlines.lives.get(operation.id);
    if (lifeMs === undefined || operation.outcome === 'refused') continue;
    const { keys, args, invokedAt } = operation;
    const soonest = invokedAt + (lifeMs - deadlines.clockErrorMs) * US;
    const latest = latestEnd(operation, lifeMs, byKey.get(keys[0] ?? '') ?? [], deadlines);
    const id = operations.length;
    operations.push({
      id,
      process: -id,
      invokedAt: Math.max(invokedAt, soonest),
      completedAt: latest,
      kind: 'DELIFEQ',
      keys,
      args: args.slice(0, 1),
      result: undefined,
      outcome: latest === undefined ? 'unknown' : 'ok',
    });
  }
  return { ...history, operations };
}

/** undefined: it may live for ever, as far as its clients know. `prolongs`: in order of time. */
function latestEnd(
  operation: Operation,
  lifeMs: number,
  prolongs: readonly Operation[],
  deadlines: Deadlines,
): number | undefined {
  const { completedAt, invokedAt } = operation;
  if (completedAt === undefined) return undefined;
  const { clockErrorMs } = deadlines;
  let latest = completedAt + (lifeMs + clockErrorMs) * US;
  for (const other of prolongs) {
    if (other.invokedAt > latest) break;
    if (other.completedAt === undefined) return undefined;
    if (other.completedAt < invokedAt) continue;
    const longerMs = deadlines.prolongs.get(other.id) ?? 0;
    latest = Math.max(latest, other.completedAt + (longerMs + clockErrorMs) * US);
  }
  return latest;
}

/** FLUSHALL removes each key that the history knows. */
export function withFlushes(history: History): History {
  const keys = new Set<string>();
  for (const { kind, keys: own } of history.operations) {
    if (kind !== FLUSHALL) for (const key of own) keys.add(key);
  }
  const operations: Operation[] = [];
  for (const operation of history.operations) {
    if (operation.kind !== FLUSHALL) operations.push({ ...operation, id: operations.length });
    else {
      for (const key of keys) {
        const id = operations.length;
        const result = undefined;
        operations.push({ ...operation, id, process: -1 - id, kind: 'DEL', keys: [key], result });
      }
    }
  }
  return { ...history, operations };
}
