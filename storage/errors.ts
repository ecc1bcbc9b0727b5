/**
 * The errors of the storage room. Client input never causes one: commands answer bad input with an
 * error reply. The executor stops at each of them.
 */

export type EngineErrorCode =
  /** A stored value does not match its checksum, its key or the known layout. */
  | 'HOLO_STORE_DAMAGED'
  /** The engine could not be opened or is not what its meta record says. */
  | 'HOLO_STORE_OPEN_FAILED'
  /** A flush did not become durable; the engine still holds the state of the flush before it. */
  | 'HOLO_STORE_WRITE_FAILED'
  /** The same because the disk is full; a later flush may succeed. */
  | 'HOLO_STORE_DISK_FULL'
  /** The engine was used after `close`. */
  | 'HOLO_STORE_CLOSED'
  /** A snapshot was used after `close`, or has outlived too many commits. */
  | 'HOLO_STORE_SNAPSHOT_ENDED';

export class EngineError extends Error {
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineError';
    this.code = code;
  }
}

/** Transactions or calls came in an order that the protocol rules out. */
export class ApplyOrderError extends Error {
  readonly code = 'HOLO_APPLY_ORDER';

  constructor(message: string) {
    super(message);
    this.name = 'ApplyOrderError';
  }
}
