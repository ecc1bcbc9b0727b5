/**
 * Limits that every replica must share: they determine the results of commands, so they are
 * constants of the state machine and not settings. The gateway reads them to refuse early.
 */

/** Databases that a client can select, from number 0 on. */
export const DATABASES = 16;
/** The physical number of one more, of the cluster's table. No client can select it. */
export const TABLE_DATABASE = DATABASES;

/** Arguments of one command, its name included (Redis allows as many). */
export const ARGUMENTS_MAX = 1_048_576;

/** Bytes of one key. */
export const KEY_BYTES_MAX = 65_536;

/** Bytes of one value, and of one argument: what Redis calls proto-max-bulk-len. */
export const VALUE_BYTES_MAX = 64 * 1024 * 1024;

/** Keys that one SCAN call visits at most, whatever its COUNT. */
export const SCAN_COUNT_MAX = 10_000;

/**
 * Bytes of keys and values that one client's unit may write; a key written again counts once. It
 * bounds the memory that a few bytes of commands can use on every replica. Peers compare it in
 * their greetings.
 */
export const UNIT_WRITE_BYTES_MAX = 4 * VALUE_BYTES_MAX;

/**
 * Bytes that the keys which a transaction over several groups names may have in all of them: every
 * replica of each group is sent all of it.
 */
export const SPANNING_READ_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Keys of a database in which KEYS may stand among other commands of a unit: every replica goes
 * through all of them, and nothing else runs meanwhile.
 */
export const KEYS_IN_UNIT_MAX = 10_000;
