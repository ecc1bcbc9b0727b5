/**
 * Turns what the operating system says about a port that cannot be opened into one clear line.
 * Used by every server of a node.
 */
export type ListenErrorCode =
  | 'HOLO_PORT_IN_USE'
  | 'HOLO_PORT_FORBIDDEN'
  | 'HOLO_ADDRESS_UNKNOWN'
  | 'HOLO_LISTEN_FAILED';

export class ListenError extends Error {
  readonly code: ListenErrorCode;

  constructor(code: ListenErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ListenError';
    this.code = code;
  }
}

/** `purpose` names the port for people: `peers`, `Redis clients`, `admin`. */
export function listenError(
  error: NodeJS.ErrnoException,
  purpose: string,
  host: string,
  port: number,
): ListenError {
  const where = `${host}:${port} (${purpose})`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new ListenError(
        'HOLO_PORT_IN_USE',
        `cannot listen on ${where}: the port is in use by another process`,
        error,
      );
    case 'EACCES':
      return new ListenError(
        'HOLO_PORT_FORBIDDEN',
        `cannot listen on ${where}: the operating system does not permit it`,
        error,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ListenError(
        'HOLO_ADDRESS_UNKNOWN',
        `cannot listen on ${where}: this machine has no such address`,
        error,
      );
    default:
      return new ListenError('HOLO_LISTEN_FAILED', `cannot listen on ${where}: ${error.message}`);
  }
}
