/**
 * The production listener: TCP sockets of node:net become connections of a gateway. All that is
 * decided is decided there; this file only carries bytes and events.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { type ListenError, listenError } from '../listen-error.ts';
import type { ClientSocket } from './connection/client-socket.ts';
import type { Gateway } from './gateway.ts';

const BACKLOG = 511;
const KEEP_ALIVE_MS = 300_000;
/** More than the stream's own mark, so that its `drain` event is certain to follow. */
const UNSENT_BYTES_MAX = 256 * 1024;

export interface RespServerOptions {
  readonly gateway: Gateway;
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Sockets at the same time, those that are told to go included; more are closed unheard. */
  readonly connectionsMax?: number;
}

export class RespServer {
  readonly #options: RespServerOptions;
  readonly #server: Server;
  #listening = false;

  constructor(options: RespServerOptions) {
    this.#options = options;
    this.#server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
    });
    if (options.connectionsMax !== undefined) this.#server.maxConnections = options.connectionsMax;
    this.#server.on('connection', (socket) => this.#accept(socket));
  }

  /** Calls back exactly once; an error that comes later is one of a single `accept`. */
  listen(done: (error: ListenError | undefined) => void): void {
    const { host, port } = this.#options;
    this.#server.on('error', (cause: NodeJS.ErrnoException) => {
      if (this.#listening) return;
      this.#listening = true;
      done(listenError(cause, 'Redis clients', { host, port }, '--listen-redis'));
    });
    this.#server.listen({ host, port, backlog: BACKLOG }, () => {
      this.#listening = true;
      done(undefined);
    });
  }

  /** The port that is listened on; 0 before and after. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Takes no more clients; those that are there are the gateway's to close. */
  close(done: () => void): void {
    this.#server.close(() => done());
  }

  #accept(socket: Socket): void {
    // What went wrong is of no use here: `close` always follows.
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
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
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
