/**
 * The body of a transaction: units of commands, one after the other, as RESP2 request arrays. The
 * first command of a unit begins with another byte than the others, so that every replica sees
 * which commands one client sent together. Pure.
 */

/** In the place of the `*` of a unit's first command. */
export const UNIT_HEAD = 126;

/** Copies the units: their bytes lie in sockets' buffers, which must not be kept alive. */
export function bodyOf(units: readonly Uint8Array[]): Uint8Array {
  const body = Buffer.concat(units);
  let at = 0;
  for (const unit of units) {
    body[at] = UNIT_HEAD;
    at += unit.length;
  }
  return body;
}
