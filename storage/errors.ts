/**
 * What the storage room throws. None of these is ever caused by what a client sends: commands
 * answer bad input with an error reply. Whoever catches one of these stops the node's executor.
 */

export type EngineErrorCode =
  /** A stored value does not match its checksum, its key or the known layout. */
  | 'HOLO_STORE_DAMAGED'
  /** The engine could not be opened or is not what its meta record says. */
  | 'HOLO_STORE_OPEN_FAILED'
  /** A flush did not become durable; the engine still holds the state of the flush before it. */
  | 'HOLO_STORE_WRITE_FAILED'
  /** The same, for want of room; a later flush may succeed. */
  | 'HOLO_STORE_DISK_FULL'
  /** The engine was used after `close`. */
  | 'HOLO_STORE_CLOSED';

export class EngineError extends Error {
  readonly code: EngineErrorCode;

  constructor(code: EngineErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'EngineError';
    this.code = code;
  }
}

/** Transactions came in an order, or calls in a sequence, that the protocol rules out. */
export class ApplyOrderError extends Error {
  readonly code = 'HOLO_APPLY_ORDER';

  constructor(message: string) {
    super(message);
    this.name = 'ApplyOrderError';
  }
}
