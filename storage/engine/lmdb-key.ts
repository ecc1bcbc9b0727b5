/**
 * The bytes under which LMDB keeps one of our keys: its position in hash order (6 bytes), one byte
 * that tells the form, then the key itself or, where that is too long, its digest.
 */

/** LMDB keys end here. */
export const LMDB_KEY_BYTES_MAX = 1978;
export const POSITION_BYTES = 6;
export const PREFIX_BYTES = POSITION_BYTES + 1;
export const FORM_PLAIN = 0;
/** Followed by the SHA-256 of the key; the key itself is in the record. */
export const FORM_DIGEST = 1;
export const PLAIN_KEY_BYTES_MAX = LMDB_KEY_BYTES_MAX - PREFIX_BYTES;
