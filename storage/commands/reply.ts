/**
 * A command writes its reply here. `transport/resp/codec/encoder.ts` implements it for RESP2 and
 * RESP3; replicas without a waiting client use `NO_REPLY`. Text is latin1: one char, one byte.
 */
export interface ReplySink {
  simple(text: string): void;
  /** The whole line, with its prefix: `ERR syntax error`. */
  error(line: string): void;
  integer(value: number | bigint): void;
  /** `text` is a byte string (latin1). */
  bulk(text: string): void;
  /** RESP3 `_`, RESP2 `$-1`. */
  nil(): void;
  /** RESP3 `_`, RESP2 `*-1`. */
  nilArray(): void;
  array(length: number): void;
  /** RESP2: an array of twice the length. */
  map(pairs: number): void;
  /** RESP2: an array. */
  set(length: number): void;
  /** So many pairs, each begun by `pair`. RESP2: an array of twice the length. */
  pairs(count: number): void;
  /** An array of the next two replies. RESP2: nothing. */
  pair(): void;
  /** A map of so many entries, each begun by `keyed`. RESP2: an array of arrays of two. */
  keyedMap(entries: number): void;
  keyed(): void;
  /** RESP2: a bulk string of the shortest exact form. */
  double(value: number): void;
  /** RESP2: integer 1 or 0. */
  boolean(value: boolean): void;
  /** RESP3 verbatim string (`txt`), RESP2 bulk. */
  verbatim(text: string): void;
}

const ignore = (): void => undefined;

/** Drops every reply. */
export const NO_REPLY: ReplySink = {
  simple: ignore,
  error: ignore,
  integer: ignore,
  bulk: ignore,
  nil: ignore,
  nilArray: ignore,
  array: ignore,
  map: ignore,
  set: ignore,
  pairs: ignore,
  pair: ignore,
  keyedMap: ignore,
  keyed: ignore,
  double: ignore,
  boolean: ignore,
  verbatim: ignore,
};
