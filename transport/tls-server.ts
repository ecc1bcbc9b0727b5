/**
 * A server of TLS 1.2 and 1.3 whose certificate can be changed while it runs, and what the
 * certificate of a client says. Sockets of clients that present a certificate which is not valid
 * are closed.
 */
import type { Server as HttpServer, RequestListener, ServerOptions } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { Server, ServerOpts, Socket } from 'node:net';
import { createServer, TLSSocket, type Server as TlsServer } from 'node:tls';

export interface TlsMaterial {
  /** PEM: the certificate, and those between it and its root. */
  readonly cert: string;
  readonly key: string;
  /** PEM: issuers of the clients' certificates; undefined: none is asked for. */
  readonly ca: string | undefined;
}

/** Whether clients present a certificate. */
export type ClientCertificates = 'no' | 'optional' | 'yes';

const HANDSHAKE_MS_MAX = 5_000;

export class TlsListener {
  readonly #clients: ClientCertificates;
  readonly #refused: (source: string, reason: string) => void;
  #material: TlsMaterial;
  readonly #servers: TlsServer[] = [];

  constructor(
    material: TlsMaterial,
    clients: ClientCertificates,
    refused: (source: string, reason: string) => void,
  ) {
    this.#material = material;
    this.#clients = clients;
    this.#refused = refused;
  }

  /** As of a `SocketFactory`. */
  server(options: ServerOpts, accepted: (socket: Socket) => void): Server {
    const asks = this.#clients !== 'no' && this.#material.ca !== undefined;
    const server = createServer(
      {
        ...options,
        ...contextOf(this.#material),
        handshakeTimeout: HANDSHAKE_MS_MAX,
        requestCert: asks,
        rejectUnauthorized: this.#clients === 'yes',
      },
      (socket) => {
        const problem = asks ? problemOf(socket) : undefined;
        if (problem === undefined) return accepted(socket);
        this.#refused(sourceOf(socket), problem);
        socket.destroy();
      },
    );
    this.#keep(server);
    return server;
  }

  /** As of a `SocketFactory`. Asks for no certificates: browsers would ask their users. */
  httpServer(options: ServerOptions, handle: RequestListener): HttpServer {
    const server = createHttpsServer(
      {
        ...options,
        ...contextOf(this.#material),
        handshakeTimeout: HANDSHAKE_MS_MAX,
      },
      handle,
    );
    this.#keep(server);
    return server;
  }

  #keep(server: TlsServer): void {
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      this.#refused(sourceOf(socket), error.code ?? error.message);
      // After a timeout nobody else does.
      socket.destroy();
    });
    server.on('close', () => this.#servers.splice(this.#servers.indexOf(server), 1));
    this.#servers.push(server);
  }

  /** For connections from now on. Throws where certificate and key do not fit. */
  use(material: TlsMaterial): void {
    for (const server of this.#servers) server.setSecureContext(contextOf(material));
    this.#material = material;
  }
}

function contextOf({ cert, key, ca }: TlsMaterial) {
  return { cert, key, ca, minVersion: 'TLSv1.2' } as const;
}

/** The common name of the subject of a certificate that has been verified. */
export function certifiedName(socket: Socket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined;
  const name = socket.getPeerCertificate().subject?.CN;
  return typeof name === 'string' ? name : undefined;
}

/** A client may present none, but not one that is not valid. */
function problemOf(socket: TLSSocket): string | undefined {
  if (socket.authorized) return undefined;
  const isThere = Object.keys(socket.getPeerCertificate()).length > 0;
  return isThere ? `its certificate is refused: ${socket.authorizationError}` : undefined;
}

function sourceOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? '?'}:${remotePort ?? 0}`;
}
