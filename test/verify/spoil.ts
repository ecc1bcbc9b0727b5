/**
 * Lies for the checkers to find: takes a history and changes a client's answers. The result
 * is wrong most of the time, not always (a read may be exchanged for one that would have been as
 * right), so the tests ask the brute force which it is.
 */
import type { Pick } from './generate.ts';
import type { History, Json, Operation } from './history.ts';

/** Changes one answer: of one read for transactions, of one operation otherwise. */
export function spoil(history: History, pick: Pick): History {
  const operations =
    history.model === 'list-append-txn'
      ? spoilRead(history.operations, pick)
      : spoilResult(history.operations, pick);
  return { model: history.model, operations };
}

/** Gives an operation the answer that another one of its kind got. */
function spoilResult(operations: readonly Operation[], pick: Pick): readonly Operation[] {
  const answered = operations.filter(({ outcome }) => outcome === 'ok');
  const victim = answered[pick(Math.max(answered.length, 1))];
  const alike = answered.filter(({ kind }) => kind === victim?.kind);
  const result = alike[pick(Math.max(alike.length, 1))]?.result;
  return operations.map((one) => (one === victim ? { ...one, result } : one));
}

function spoilRead(operations: readonly Operation[], pick: Pick): readonly Operation[] {
  const reads = operations.flatMap((operation) =>
    operation.outcome !== 'ok'
      ? []
      : operation.args.flatMap((micro, at) => {
          const [type, key] = micro as [string, string];
          const list = (operation.result as readonly Json[])[at] as readonly Json[] | null;
          return type === 'read' ? [{ operation, at, key, list: list ?? [] }] : [];
        }),
  );
  const victim = reads[pick(Math.max(reads.length, 1))];
  if (victim === undefined) return operations;
  const others = reads.filter(({ key }) => key === victim.key);
  const list = spoilList(victim.list, appendsTo(operations, victim.key), pick) ?? [
    ...(others[pick(others.length)]?.list ?? []),
  ];
  return operations.map((one) => {
    if (one !== victim.operation) return one;
    const result = [...(one.result as readonly Json[])];
    result[victim.at] = list;
    return { ...one, result };
  });
}

/** Undefined asks for the list of another read. */
function spoilList(
  list: readonly Json[],
  appended: readonly Json[],
  pick: Pick,
): Json[] | undefined {
  const at = pick(list.length + 1);
  const other = pick(list.length + 1);
  const missing = appended.filter((value) => !list.includes(value));
  switch (pick(6)) {
    case 0: // An element dropped.
      return list.toSpliced(at, 1);
    case 1: // Two elements exchanged.
      return list.map((value, index) =>
        index === at ? (list[other] ?? value) : index === other ? (list[at] ?? value) : value,
      );
    case 2: // A stale read.
      return list.slice(0, at);
    case 3: // A read from the future, or of what never was.
      return [...list, missing[pick(Math.max(missing.length, 1))] ?? -1];
    case 4: // An element twice.
      return list.toSpliced(at, 0, list[other] ?? -1);
    default:
      return undefined;
  }
}

function appendsTo(operations: readonly Operation[], key: string): Json[] {
  return operations.flatMap(({ args }) =>
    args.flatMap((micro) => {
      const [type, to, value] = micro as [string, string, Json];
      return type === 'append' && to === key ? [value] : [];
    }),
  );
}
