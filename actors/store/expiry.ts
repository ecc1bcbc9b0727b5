/**
 * The background deletion of keys past their deadline: a transaction like any other, so that every
 * replica deletes at the same point of the order. No client waits for it.
 */
import { slotOfText } from '../../storage/keyspace/slots.ts';
import type { CommandUnit } from '../../transport/resp/connection/command-unit.ts';

/** Keys of one such transaction, and bytes of keys: it must not hold up the clients' own. */
export const EXPIRE_KEYS_MAX = 256;
export const EXPIRE_BYTES_MAX = 64 * 1024;
/** Pause between two looks for expired keys while few are found. */
export const EXPIRE_EVERY_MS = 100;
/** The same while there is a backlog: from the end of one transaction to the next look. */
export const EXPIRE_PAUSE_MS = 10;
/**
 * The lowest member that is up removes keys. The others do so only with keys that are past their
 * deadline so long: it may be unable to.
 */
export const EXPIRE_GRACE_MS = 5_000;
/**
 * After a removal that failed. It may yet be decided, and a cluster that cannot decide what it has
 * must not be given more of it; so the pause doubles with each failure in a row.
 */
export const EXPIRE_RETRY_MS = 200;
export const EXPIRE_RETRY_MS_MAX = 60_000;

export type ExpiryOutcome = 'removed' | 'nothing' | 'failed';

const NOTHING_REMOVED = Buffer.from(':0\r\n', 'latin1');

/** `HOLO.EXPIRE` deletes those of the keys whose deadline is not above executeAt. */
export function expiryUnit(
  keys: readonly string[],
  ended: (outcome: ExpiryOutcome) => void,
): CommandUnit {
  const words = ['HOLO.EXPIRE', ...keys];
  const text = words.map((word) => `$${word.length}\r\n${word}\r\n`);
  return {
    bytes: Buffer.from(`*${words.length}\r\n${text.join('')}`, 'latin1'),
    count: 1,
    readOnly: false,
    wholeStore: false,
    slots: keys.map((key) => slotOfText(key)),
    protocol: 2,
    plan: [1],
    complete: (replies) => ended(NOTHING_REMOVED.equals(replies) ? 'nothing' : 'removed'),
    fail: () => ended('failed'),
  };
}
