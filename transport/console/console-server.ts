/**
 * The sockets of the console: takes over connections of the admin port that ask for a WebSocket,
 * and carries messages between them and their sessions. The only importer of ws.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Identify } from '../http/console-door.ts';
import { MESSAGE_BYTES_MAX } from './console-protocol.ts';
import { ConsoleSession, type SessionOptions } from './console-session.ts';

interface ConsoleServerOptions {
  readonly consolesMax: number;
  readonly session: (identify: Identify) => SessionOptions;
}

/** Where the socket is; the page is at `/`. */
export const SOCKET_PATH = '/console/socket';
const TICK_MS = 1_000;
const GOING_AWAY = 1001;

export class ConsoleServer {
  readonly #options: ConsoleServerOptions;
  readonly #sessions = new Map<WebSocket, ConsoleSession>();
  /** Messages are small, and compressing them costs the node more than the network. */
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
    clientTracking: false,
  });
  readonly #ticks: NodeJS.Timeout;

  constructor(options: ConsoleServerOptions) {
    this.#options = options;
    this.#ticks = setInterval(() => {
      for (const session of this.#sessions.values()) session.onTick();
    }, TICK_MS);
    this.#ticks.unref();
  }

  get isFull(): boolean {
    return this.#sessions.size >= this.#options.consolesMax;
  }

  /** The request has been judged: it is ours, and no foreign page's. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, identify: Identify): void {
    this.#server.handleUpgrade(request, socket, head, (web) => this.#opened(web, identify));
  }

  close(): void {
    clearInterval(this.#ticks);
    for (const [web, session] of this.#sessions) {
      session.closed();
      web.close(GOING_AWAY, 'the node stops');
      web.terminate();
    }
    this.#sessions.clear();
  }

  #opened(web: WebSocket, identify: Identify): void {
    const session = new ConsoleSession(web, this.#options.session(identify));
    this.#sessions.set(web, session);
    web.on('message', (bytes, isBinary) => {
      if (isBinary) session.received(bytes as Buffer);
      else web.close(1003, 'messages are binary');
    });
    web.on('pong', () => session.heard());
    // `close` follows.
    web.on('error', () => undefined);
    web.on('close', () => {
      session.closed();
      this.#sessions.delete(web);
    });
  }
}
