/** Reads errors of TLS handshakes: the fault of the other end. Pure. */
import type { Refusal } from './peer-security.ts';

const NOT_TLS =
  'it does not speak TLS: it was started without --cluster-secret-file, or is no peer';

/** Of a caller; undefined: it has only gone away. */
export function refusalOfTls({ code = '' }: NodeJS.ErrnoException): Refusal | undefined {
  switch (code) {
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined;
    case 'ERR_TLS_HANDSHAKE_TIMEOUT':
      return { kind: 'timeout', reason: 'it did not complete the TLS handshake in time' };
    case 'ERR_SSL_BINDER_DOES_NOT_VERIFY':
      return { kind: 'secret', reason: 'it does not have the cluster secret that it names' };
    case 'ERR_SSL_UNSUPPORTED_PROTOCOL':
    case 'ERR_SSL_NO_SHARED_CIPHER':
    case 'ERR_SSL_UNEXPECTED_MESSAGE':
      return { kind: 'protocol', reason: `it asks for another TLS than 1.3 (${code})` };
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_HTTP_REQUEST':
    case 'ERR_SSL_UNKNOWN_PROTOCOL':
      return { kind: 'protocol', reason: NOT_TLS };
    case 'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM':
      return { kind: 'secret', reason: 'it offers no proof of who it is' };
    default:
      return { kind: 'protocol', reason: `its TLS handshake failed (${code})` };
  }
}

/** Of a node that was dialled; undefined: it has only gone away. */
export function refusalOfDialled(
  { code = '' }: NodeJS.ErrnoException,
  proof: string,
): string | undefined {
  if (code.startsWith('ERR_SSL_') && code.includes('ALERT')) {
    return `it does not accept this node (${code}): it has ${proof}; its log says which`;
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER') return NOT_TLS;
  return code.startsWith('ERR_') ? `the TLS handshake failed (${code})` : undefined;
}
