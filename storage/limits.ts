/**
 * Limits that every replica must share: they decide how a command ends, so they are constants of
 * the state machine and no settings. The gateway reads them to refuse early.
 */

/** Arguments of one command, its name included (Redis allows as many). */
export const ARGUMENTS_MAX = 1_048_576;

/** Bytes of one key. */
export const KEY_BYTES_MAX = 65_536;

/** Bytes of one value, and of one argument: what Redis calls proto-max-bulk-len. */
export const VALUE_BYTES_MAX = 64 * 1024 * 1024;

/** Keys that one SCAN call looks at, whatever its COUNT says. */
export const SCAN_COUNT_MAX = 10_000;

/**
 * Bytes of keys and values that one client's unit may write: those of a key that it writes again
 * are counted once. It bounds the memory that a few bytes of commands can ask of every replica.
 * Peers compare it before they talk.
 */
export const UNIT_WRITE_BYTES_MAX = 4 * VALUE_BYTES_MAX;
