/**
 * Turns the operating system's error about a port that cannot be opened into one clear line.
 * Used by every server of a node.
 */
import { type Endpoint, formatEndpoint } from './endpoint.ts';

type ListenErrorCode =
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

/**
 * `purpose` names the port for people (`peers`, `Redis clients`, `admin`), `flag` the setting.
 */
export function listenError(
  error: NodeJS.ErrnoException,
  purpose: string,
  place: Endpoint,
  flag: string,
): ListenError {
  const what = `cannot listen on ${formatEndpoint(place)} (${purpose})`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new ListenError(
        'HOLO_PORT_IN_USE',
        `${what}: the port is in use by another process; ` +
          `stop that process (ss -ltnp shows it), or give another port with ${flag}`,
        error,
      );
    case 'EACCES':
    case 'EPERM':
      return new ListenError(
        'HOLO_PORT_FORBIDDEN',
        `${what}: the operating system does not permit it; ports below 1024 need ` +
          `CAP_NET_BIND_SERVICE, others can be given with ${flag}`,
        error,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new ListenError(
        'HOLO_ADDRESS_UNKNOWN',
        `${what}: this machine has no such address; ` +
          `give one of its own (ip address shows them), or 0.0.0.0, with ${flag}`,
        error,
      );
    case 'EMFILE':
    case 'ENFILE':
      return new ListenError(
        'HOLO_LISTEN_FAILED',
        `${what}: too many files are open; raise the limit (ulimit -n)`,
        error,
      );
    default:
      return new ListenError('HOLO_LISTEN_FAILED', `${what}: ${error.message}`, error);
  }
}
