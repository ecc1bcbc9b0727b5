/**
 * The body of a transaction: units of commands, one after the other, as RESP2 request arrays. The
 * first command of a unit begins with a different byte, so that every replica knows which commands
 * one client sent together. Pure.
 */

/** Replaces the `*` of a unit's first command. */
export const UNIT_HEAD = 126;

/** Copies the units, so that the body does not keep the sockets' read buffers alive. */
export function bodyOf(units: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(units);
  let at = 0;
  for (const unit of units) {
    body[at] = UNIT_HEAD;
    at += unit.length;
  }
  return body;
}
