/** Ids of entries among the arguments. */
import type { Arguments } from '../../arguments.ts';
import {
  ID_MAX,
  ID_MIN,
  nextId,
  parseId,
  previousId,
  type StreamId,
} from '../../types/stream/stream-id.ts';

export const INVALID_ID = 'ERR Invalid stream ID specified as stream command argument';
const INVALID_START = 'ERR invalid start ID for the interval';
const INVALID_END = 'ERR invalid end ID for the interval';

/** The value of an argument, or the error line. */
type Parsed<T> = { readonly value: T } | string;

/** An id alone; one without a sequence is the first of its millisecond. */
export function idAt(args: Arguments, i: number): Parsed<StreamId> {
  const value = parseId(args.text(i), 'first');
  return value === undefined ? INVALID_ID : { value };
}

/** The first id of an interval, or the last one: `-`, `+`, or an id, excluded behind `(`. */
export function boundAt(args: Arguments, i: number, which: 'first' | 'last'): Parsed<StreamId> {
  const text = args.text(i);
  if (text === '-') return { value: ID_MIN };
  if (text === '+') return { value: ID_MAX };
  const isOpen = text.length > 1 && text.startsWith('(');
  const id = parseId(isOpen ? text.slice(1) : text, which);
  if (id === undefined) return INVALID_ID;
  if (!isOpen) return { value: id };
  const value = which === 'first' ? nextId(id) : previousId(id);
  if (value === undefined) return which === 'first' ? INVALID_START : INVALID_END;
  return { value };
}

/** All arguments from `first` on. */
export function idsFrom(args: Arguments, first: number): Parsed<readonly StreamId[]> {
  const value: StreamId[] = [];
  for (let i = first; i < args.count; i += 1) {
    const id = idAt(args, i);
    if (typeof id === 'string') return id;
    value.push(id.value);
  }
  return { value };
}
