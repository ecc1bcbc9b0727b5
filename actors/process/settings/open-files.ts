/**
 * How many files and sockets this process may have open, and how many of them clients may take.
 * Each connection is one; what the node itself needs is set aside, so that it never finds itself
 * without a descriptor for its log because of its clients.
 */
import { readFileSync } from 'node:fs';
import { ConfigError } from './settings.ts';

/** Standard streams, event loop, log segments, store, frames, and some to spare. */
const OWN_FILES = 64;
/** Admin port and peers that have not greeted, each at its limit (64). */
const STRANGERS = 128;
/** Dialled and accepted, and one of each that is just being replaced. */
const PER_MEMBER = 4;
/** As far as the setting goes. */
export const CLIENTS_MAX = 1_000_000;
/** Clients above the limit, while they are told so. */
export const REJECTED_CLIENTS_MAX = 32;

/** The soft limit (Node.js raises it to the hard one at start); undefined where it is not told. */
export function openFilesMax(): number | undefined {
  let limits: string;
  try {
    limits = readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return undefined;
  }
  const soft = /^Max open files\s+(\d+|unlimited)/m.exec(limits)?.[1];
  return soft === undefined || soft === 'unlimited' ? undefined : Number(soft);
}

/**
 * How many clients the limit leaves room for.
 *
 * @throws ConfigError when it leaves none.
 */
export function clientsWithin(
  filesMax: number | undefined,
  members: number,
  consolesMax: number,
): number {
  if (filesMax === undefined) return CLIENTS_MAX;
  const own = OWN_FILES + STRANGERS + PER_MEMBER * members + consolesMax + REJECTED_CLIENTS_MAX;
  if (filesMax <= own) {
    throw new ConfigError(
      `the limit of open files is ${filesMax}, and a node needs ${own} beside its clients: ` +
        'raise it (ulimit -n, LimitNOFILE=)',
    );
  }
  return Math.min(CLIENTS_MAX, filesMax - own);
}
