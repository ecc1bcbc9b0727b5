/**
 * Dependencies of a transaction: the ids of conflicting transactions that it must wait for.
 * A sorted array without repeats; the encoding is canonical (equal sets, equal bytes).
 *
 * One range group is one shard here, and every replica of it owns all its keys; so one flat set
 * per shard says what CEP-15's per-key sets say.
 */
import {
  compare,
  readTimestamp,
  TIMESTAMP_BYTES,
  type TxnId,
  writeTimestamp,
} from './timestamp.ts';

export type Deps = readonly TxnId[];

export const NO_DEPS: Deps = Object.freeze([]);

/** Sorts and removes repeats; takes ownership of the array. */
export function depsOf(ids: TxnId[]): Deps {
  if (ids.length < 2) return ids;
  ids.sort(compare);
  let kept = 1;
  for (let at = 1; at < ids.length; at += 1) {
    const id = ids[at] as TxnId;
    if (compare(id, ids[kept - 1] as TxnId) !== 0) {
      ids[kept] = id;
      kept += 1;
    }
  }
  ids.length = kept;
  return ids;
}

export function union(a: Deps, b: Deps): Deps {
  if (a.length === 0 || a === b) return b;
  if (b.length === 0) return a;
  const result: TxnId[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const left = a[i] as TxnId;
    const right = b[j] as TxnId;
    const order = compare(left, right);
    result.push(order <= 0 ? left : right);
    if (order <= 0) i += 1;
    if (order >= 0) j += 1;
  }
  for (; i < a.length; i += 1) result.push(a[i] as TxnId);
  for (; j < b.length; j += 1) result.push(b[j] as TxnId);
  return result;
}

/** The ids in `a` that are not in `b`. */
export function without(a: Deps, b: Deps): Deps {
  if (b.length === 0) return a;
  const rest = a.filter((id) => !includes(b, id));
  return rest.length === a.length ? a : rest;
}

export function includes(deps: Deps, id: TxnId): boolean {
  let low = 0;
  let high = deps.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = compare(deps[middle] as TxnId, id);
    if (order === 0) return true;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return false;
}

/** Every id of `a` is in `b`. */
export function isSubset(a: Deps, b: Deps): boolean {
  return a.every((id) => includes(b, id));
}

/** `TIMESTAMP_BYTES` an id, ascending. */
export function encodeDeps(deps: Deps): Uint8Array {
  const bytes = new Uint8Array(deps.length * TIMESTAMP_BYTES);
  let at = 0;
  for (const id of deps) at = writeTimestamp(bytes, at, id);
  return bytes;
}

/** Throws RangeError on bytes that are not the canonical form. */
export function decodeDeps(bytes: Uint8Array): Deps {
  if (bytes.length === 0) return NO_DEPS;
  if (bytes.length % TIMESTAMP_BYTES !== 0) throw new RangeError('deps: not a whole number of ids');
  const ids: TxnId[] = [];
  for (let at = 0; at < bytes.length; at += TIMESTAMP_BYTES) {
    const id = readTimestamp(bytes, at);
    const previous = ids.at(-1);
    if (previous !== undefined && compare(previous, id) >= 0) {
      throw new RangeError('deps: ids do not ascend');
    }
    ids.push(id);
  }
  return ids;
}
