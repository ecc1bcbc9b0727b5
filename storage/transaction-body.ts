/**
 * The body of a transaction: units of commands, one after the other, as RESP2 request arrays. Where
 * such an array begins with `*`, a body says more: whether the command is the first of a unit, so
 * that every replica knows which commands one client sent together, and the database. A command
 * without a database is for that of the command before it; a unit begins with database 0. In front
 * of all of them may stand the settings with which they run (`body-settings.ts`). Pure.
 */
import { NO_HEAD } from './body-settings.ts';
import { DATABASES } from './limits.ts';

/** `*`, of any other command. */
const SAME_DATABASE = 42;
/** The first command of a unit, in database 0. */
export const UNIT_HEAD = 126;
/** The first command of a unit, in the database of the lower bits. */
export const UNIT_HEAD_IN = 0xc0;
/** Another command, in the database of the lower bits. */
const HEAD_IN = 0x80;
const DATABASE_BITS = 0x3f;

/** The byte that begins a command, not the first of its unit, in this database. */
export function headIn(database: number): number {
  return HEAD_IN | database;
}

export function isUnitHead(head: number | undefined): boolean {
  return head === UNIT_HEAD || (head !== undefined && head >= UNIT_HEAD_IN);
}

/** The database that a head names, neither `*` nor `UNIT_HEAD`; undefined: it is no head. */
export function databaseOfHead(head: number): number | undefined {
  const database = head & DATABASE_BITS;
  return head >= HEAD_IN && database < DATABASES ? database : undefined;
}

/**
 * Copies the units, so that the body does not keep the sockets' read buffers alive. `head`: the
 * settings, as `settingsHead` makes them.
 */
export function bodyOf(units: readonly Uint8Array[], head: Uint8Array = NO_HEAD): Uint8Array {
  const body = Buffer.concat(head.length === 0 ? units : [head, ...units]);
  let at = head.length;
  for (const unit of units) {
    const head = unit[0] as number;
    body[at] = head === SAME_DATABASE ? UNIT_HEAD : head | UNIT_HEAD_IN;
    at += unit.length;
  }
  return body;
}
