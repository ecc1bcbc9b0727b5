/**
 * TLS as peer links speak it, whatever they prove themselves by: version 1.3 alone, and sessions
 * are not resumed. One server for all kinds of proof.
 */
import { constants } from 'node:crypto';
import { createServer, type Server, type TLSSocket, type TlsOptions } from 'node:tls';
import type { PeerSecurity, Refusal } from './peer-security.ts';
import { refusalOfTls } from './tls-refusal.ts';

export const PEER_TLS = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

interface Judge {
  /** Why the other end may not speak, once its handshake is over. */
  readonly refusalOf: (socket: TLSSocket) => Refusal | undefined;
  /** The reason of a handshake that failed, where the proof has told it. */
  readonly known?: (socket: TLSSocket) => Refusal | undefined;
}

type Listeners = Parameters<PeerSecurity['server']>;

export function peerTlsServer(
  options: TlsOptions,
  { refusalOf, known }: Judge,
  [accepted, refused]: Listeners,
): Server {
  const server = createServer({ ...PEER_TLS, noDelay: true, ...options }, (socket) => {
    const refusal = refusalOf(socket);
    if (refusal === undefined) return accepted(socket);
    refused(socket, refusal);
    socket.destroy();
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    const refusal = known?.(socket) ?? refusalOfTls(error);
    if (refusal !== undefined) refused(socket, refusal);
    // After a timeout nobody else does.
    socket.destroy();
  });
  return server;
}
