/**
 * The production listener: turns sockets into connections of a gateway. The gateway
 * decides; this file only carries bytes and events.
 */
import type { Server, Socket } from 'node:net';
import { type ListenError, listenError } from '../listen-error.ts';
import { type SocketFactory, TCP } from '../socket-factory.ts';
import { certifiedName } from '../tls-server.ts';
import type { ClientSocket } from './connection/client-socket.ts';
import type { Gateway } from './gateway.ts';

const BACKLOG = 511;
const KEEP_ALIVE_MS = 300_000;
/** Above the stream's high-water mark, so that its `drain` event is certain to follow. */
const UNSENT_BYTES_MAX = 256 * 1024;

interface RespServerOptions {
  readonly gateway: Gateway;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Sockets at the same time, including those being refused; further ones are closed unread. */
  readonly connectionsMax?: number;
  /** TCP by default. */
  readonly sockets?: Pick<SocketFactory, 'server'>;
  /** The setting that names the port, for errors. */
  readonly flag?: string;
}

export class RespServer {
  readonly #options: RespServerOptions;
  readonly #server: Server;
  #listening = false;

  constructor(options: RespServerOptions) {
    this.#options = options;
    const { sockets = TCP } = options;
    this.#server = sockets.server(
      {
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_MS,
      },
      (socket) => this.#accept(socket),
    );
    if (options.connectionsMax !== undefined) this.#server.maxConnections = options.connectionsMax;
  }

  /** Calls back exactly once; a later error concerns a single `accept`. */
  listen(done: (error: ListenError | undefined) => void): void {
    const { host, port, flag = '--listen-redis' } = this.#options;
    this.#server.on('error', (cause: NodeJS.ErrnoException) => {
      if (this.#listening) return;
      this.#listening = true;
      done(listenError(cause, 'Redis clients', { host, port }, flag));
    });
    this.#server.listen({ host, port, backlog: BACKLOG }, () => {
      this.#listening = true;
      done(undefined);
    });
  }

  /** The listening port; 0 while it does not listen. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Accepts no more clients; the gateway closes the existing ones. */
  close(done: () => void): void {
    this.#server.close(() => done());
  }

  #accept(socket: Socket): void {
    // `close` always follows and is handled.
    socket.on('error', () => undefined);
    const connection = this.#options.gateway.attach(new TcpClientSocket(socket));
    if (connection === undefined) {
      socket.destroySoon();
      return;
    }
    socket.on('data', (chunk: Buffer) => connection.onData(chunk));
    socket.on('drain', () => connection.onDrain());
    socket.on('end', () => connection.onEnd());
    socket.on('close', () => connection.onClose());
  }
}

class TcpClientSocket implements ClientSocket {
  readonly remoteAddress: string;
  readonly localAddress: string;
  readonly certifiedName: string | undefined;
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.certifiedName = certifiedName(socket);
    this.remoteAddress = addressText(socket.remoteAddress, socket.remotePort);
    this.localAddress = addressText(socket.localAddress, socket.localPort);
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): boolean {
    this.#socket.write(bytes);
    return this.#socket.writableLength <= UNSENT_BYTES_MAX;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

function addressText(host: string | undefined, port: number | undefined): string {
  const name = host ?? '?';
  return name.includes(':') ? `[${name}]:${port ?? 0}` : `${name}:${port ?? 0}`;
}
