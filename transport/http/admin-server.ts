/**
 * The admin port: read-only HTTP for people, probes, Prometheus and holoctl. It holds no data of
 * its own and asks providers. It serves GET and HEAD only, so that no page in a browser can change
 * anything, and only under the node's own host names, so that no page can read (DNS rebinding).
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type AddressInfo, isIP } from 'node:net';
import type { Endpoint } from '../endpoint.ts';
import { listenError } from '../listen-error.ts';
import { type SocketFactory, TCP } from '../socket-factory.ts';
import type { NodeStatus } from './node-status.ts';

export const TRACE_FORMATS = ['jsonl', 'perfetto', 'shiviz'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

export interface AdminProviders {
  /** `undefined` when the node serves, else what is missing. */
  readonly notReady: () => string | undefined;
  /** `ok`, or the disk's problem while reads are still served. */
  readonly disk: () => string;
  readonly status: () => NodeStatus;
  /** The tree of actors, serializable. */
  readonly actors: () => unknown;
  readonly trace: (format: TraceFormat) => string | Promise<string>;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

export interface AdminServerOptions {
  readonly listen: Endpoint;
  readonly providers: AdminProviders;
  /** Accepted host names, in addition to IP addresses and localhost. */
  readonly hostNames?: readonly string[];
  /** Default 64. */
  readonly connectionsMax?: number;
  /** To read a whole request; default 5000. */
  readonly requestTimeoutMs?: number;
  /** TCP by default. */
  readonly sockets?: SocketFactory;
}

const TRACE_TYPES: Readonly<Record<TraceFormat, string>> = {
  jsonl: 'application/x-ndjson',
  perfetto: 'application/json',
  shiviz: 'text/plain; charset=utf-8',
};
const JSON_TYPE = 'application/json';
const TEXT_TYPE = 'text/plain; charset=utf-8';
const HEADER_BYTES_MAX = 8 * 1024;
const PATHS = '/healthz /readyz /status /actors /metrics /trace?format=jsonl|perfetto|shiviz';

interface Answer {
  readonly code: number;
  readonly type: string;
  readonly body: string;
}

export class AdminServer {
  readonly #options: AdminServerOptions;
  readonly #server: Server;
  readonly #hostNames: ReadonlySet<string>;

  constructor(options: AdminServerOptions) {
    this.#options = options;
    const names = options.hostNames ?? [];
    this.#hostNames = new Set(
      ['localhost', options.listen.host, ...names].map((name) => name.toLowerCase()),
    );
    const requestTimeout = options.requestTimeoutMs ?? 5000;
    this.#server = (options.sockets ?? TCP).httpServer(
      {
        requestTimeout,
        headersTimeout: requestTimeout,
        connectionsCheckingInterval: Math.max(50, requestTimeout / 4),
        keepAliveTimeout: requestTimeout,
        maxHeaderSize: HEADER_BYTES_MAX,
      },
      (request, response) => {
        this.#onRequest(request, response).catch((error) => {
          send(
            request,
            response,
            textAnswer(500, error instanceof Error ? error.message : 'error'),
          );
        });
      },
    );
    this.#server.maxConnections = options.connectionsMax ?? 64;
    this.#server.maxRequestsPerSocket = 1000;
  }

  /** @throws ListenError */
  listen(): Promise<AddressInfo> {
    const { listen } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.on('error', (error) =>
        reject(listenError(error, 'admin', listen, '--listen-admin')),
      );
      this.#server.listen({ ...listen }, () => resolve(this.#server.address() as AddressInfo));
    });
  }

  /** Ends all connections at once. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // The body is not used; do not wait for it.
    request.resume();
    if (!this.#isOurs(request.headers.host)) {
      send(
        request,
        response,
        textAnswer(
          421,
          'not asked under a name of this node: ask by its IP address, or by its name among ' +
            '--initial-members',
        ),
      );
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      send(request, response, textAnswer(405, 'this port only reads'));
      return;
    }
    send(request, response, await this.#answer(request.url ?? '/'));
  }

  async #answer(target: string): Promise<Answer> {
    const { providers } = this.#options;
    const question = target.indexOf('?');
    const path = question === -1 ? target : target.slice(0, question);
    switch (path) {
      case '/':
        return textAnswer(200, PATHS.replaceAll(' ', '\n'));
      case '/healthz':
        return textAnswer(200, 'ok');
      case '/readyz': {
        const missing = providers.notReady();
        if (missing !== undefined) return textAnswer(503, missing);
        const disk = providers.disk();
        return textAnswer(200, disk === 'ok' ? 'ready' : `ready\ndisk: ${disk}`);
      }
      case '/status':
        return jsonAnswer(providers.status());
      case '/actors':
        return jsonAnswer(providers.actors());
      case '/metrics': {
        const { contentType, text } = await providers.metrics();
        return { code: 200, type: contentType, body: text };
      }
      case '/trace':
        return this.#trace(question === -1 ? '' : target.slice(question + 1));
      default:
        return textAnswer(404, `no such page; the pages are: ${PATHS}`);
    }
  }

  async #trace(query: string): Promise<Answer> {
    const asked = new URLSearchParams(query).get('format') ?? 'jsonl';
    const format = TRACE_FORMATS.find((each) => each === asked);
    if (format === undefined) {
      return textAnswer(400, `format must be one of ${TRACE_FORMATS.join(', ')}`);
    }
    const body = await this.#options.providers.trace(format);
    return { code: 200, type: TRACE_TYPES[format], body };
  }

  /**
   * A hostile page can make its own name point to this node, but its browser still sends that name.
   */
  #isOurs(header: string | undefined): boolean {
    if (header === undefined) return false;
    const match = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(header);
    const host = (match?.[1] ?? match?.[2] ?? '').toLowerCase();
    return isIP(host) !== 0 || this.#hostNames.has(host);
  }
}

function textAnswer(code: number, text: string): Answer {
  return { code, type: TEXT_TYPE, body: `${text}\n` };
}

function jsonAnswer(value: unknown): Answer {
  return { code: 200, type: JSON_TYPE, body: `${JSON.stringify(value)}\n` };
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (response.headersSent) return;
  response.writeHead(answer.code, {
    'Content-Type': answer.type,
    'Content-Length': Buffer.byteLength(answer.body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'Content-Security-Policy': "default-src 'none'",
  });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}
