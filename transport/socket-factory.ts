/**
 * How byte streams to other processes are made: plain TCP here. A factory for TLS makes sockets and
 * servers that are used alike.
 */
import {
  createServer as createHttpServer,
  type Server as HttpServer,
  type RequestListener,
  type ServerOptions,
} from 'node:http';
import { connect, createServer, type Server, type ServerOpts, type Socket } from 'node:net';
import type { Endpoint } from './endpoint.ts';

export interface SocketFactory {
  /** `connected` is called when the peer can be written to. */
  dial(target: Endpoint, connected: () => void): Socket;
  /** `accepted` is called with each socket that can be read from. */
  server(options: ServerOpts, accepted: (socket: Socket) => void): Server;
  httpServer(options: ServerOptions, handle: RequestListener): HttpServer;
}

export const TCP: SocketFactory = {
  dial: ({ host, port }, connected) => connect({ host, port, noDelay: true }, connected),
  server: (options, accepted) => createServer(options, accepted),
  httpServer: (options, handle) => createHttpServer(options, handle),
};
