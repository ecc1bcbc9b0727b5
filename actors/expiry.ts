/**
 * The background deletion of keys past their deadline: a transaction like any other, so that every
 * replica deletes at the same point of the order. No client waits for it.
 */
import { slotOfText } from '../storage/slots.ts';
import type { CommandUnit } from '../transport/resp/command-unit.ts';

/** Keys of one such transaction. */
export const EXPIRE_KEYS_MAX = 256;
/** Pause between two looks for expired keys. */
export const EXPIRE_EVERY_MS = 1_000;

/** `HOLO.EXPIRE` deletes those of the keys whose deadline is not above executeAt. */
export function expiryUnit(keys: readonly string[]): CommandUnit {
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
    complete: () => undefined,
    fail: () => undefined,
  };
}
