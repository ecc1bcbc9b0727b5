/**
 * The admin port: HTTP for people, probes, Prometheus and holoctl. It holds no data of its own and
 * asks providers. It serves only under the node's own host names, so that no page in a browser can
 * read (DNS rebinding). It only reads, but for `POST /config`: for programs of this machine, by a
 * header that no page can send.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { type AddressInfo, isIP, type Socket } from 'node:net';
import { isLoopback } from '../access/loopback.ts';
import { DENIED, ProtectedMode } from '../access/protected-mode.ts';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { listenError } from '../listen-error.ts';
import { type SocketFactory, TCP } from '../socket-factory.ts';
import { ConnectionBudget } from './connection-budget.ts';
import type { NodeStatus } from './node-status.ts';
import { REST_FACTOR, writePaced } from './paced-writer.ts';
import type { TopologyReport } from './topology-report.ts';

const TRACE_FORMATS = ['jsonl', 'perfetto', 'shiviz'] as const;
export type TraceFormat = (typeof TRACE_FORMATS)[number];

export interface AdminProviders {
  /** `undefined` when the node serves, else what is missing. */
  readonly notReady: () => string | undefined;
  /** `ok`, or the disk's problem while reads are still served. */
  readonly disk: () => string;
  /** `ok`, or that data may not grow while reads are still served. */
  readonly memory: () => string;
  /** Changes a setting; returns why not. */
  readonly configure: (name: string, value: string) => string | undefined;
  readonly status: () => NodeStatus;
  readonly topology: () => TopologyReport;
  /** The tree of actors, serializable. */
  readonly actors: () => unknown;
  /** In pieces, made as the reader takes them. `txn`: of this transaction alone. */
  readonly trace: (format: TraceFormat, txn?: string) => string | Iterable<string>;
  /** Where the time of commands goes. */
  readonly latency?: () => unknown;
  /** Slow, recovered and sampled transactions of this node with a higher number. */
  readonly slow?: (after: number) => unknown;
  /** The last lines of the log, but for the first so many that there ever were. */
  readonly logs?: (after: number) => unknown;
  /** The keys that clients name most often, and the slow log: at most so many. */
  readonly hotKeys?: (count: number) => unknown;
  readonly slowLog?: (count: number) => unknown;
  /** The largest keys of each type, so many of each; a text says why there are none. */
  readonly bigKeys?: (count: number) => Promise<unknown>;
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

export interface AdminServerOptions {
  readonly listen: Endpoint;
  readonly providers: AdminProviders;
  /** Off by default. */
  readonly protectedMode?: ProtectedMode;
  /** Accepted host names, in addition to IP addresses and localhost. */
  readonly hostNames?: readonly string[];
  /** Default 64. Beyond it, the longest idle one is closed for a new one. */
  readonly connectionsMax?: number;
  /** A reader of a trace that has taken nothing for so long is given up; default 10 s. */
  readonly stalledMsMax?: number;
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
/** A page of another origin may not send it. */
export const OPERATOR_HEADER = 'x-holo-operator';
const HEADER_BYTES_MAX = 8 * 1024;
const PATHS =
  '/healthz /readyz /status /topology /actors /metrics /latency /logs?after=N /hotkeys?count=N ' +
  '/slowlog?count=N /bigkeys?count=N /trace?format=jsonl|perfetto|shiviz /trace/slow?after=N';

/** Traces under way at once, and scrapes: what is beyond is asked to come again. */
const TRACES_MAX = 1;
const SCRAPES_MAX = 4;
/** Entries of a list where none are asked for by number. */
const LISTED = 10;
/** Of each type. */
const BIG_KEYS_MAX = 1_000;
const AGAIN_SECONDS = 1;
const STALLED_MS_MAX = 10_000;

interface Answer {
  readonly code: number;
  readonly type: string;
  /** An iterable is written as the reader takes it. */
  readonly body: string | Iterable<string>;
  /** Called when the answer is written, or its reader gone. */
  readonly done?: (busyMs: number) => void;
}

export class AdminServer {
  readonly #options: AdminServerOptions;
  readonly #server: Server;
  readonly #hostNames: ReadonlySet<string>;
  readonly #connections: ConnectionBudget;
  readonly #protectedMode: ProtectedMode;
  #traces = 0;
  #noTraceBeforeMs = 0;
  #scrapes = 0;

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#protectedMode = options.protectedMode ?? new ProtectedMode(false);
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
        response.once('close', this.#connections.begins(request.socket));
        this.#onRequest(request, response).catch((error) => {
          const text = error instanceof Error ? error.message : 'error';
          this.#send(request, response, textAnswer(500, text));
        });
      },
    );
    this.#connections = new ConnectionBudget(options.connectionsMax ?? 64);
    this.#server.on('connection', (socket) => this.#connections.add(socket));
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
    if (this.#protectedMode.refuses(addressOf(request.socket))) {
      response.setHeader('Connection', 'close');
      this.#send(request, response, textAnswer(403, DENIED));
      return;
    }
    if (!this.#isOurs(request.headers.host)) {
      this.#send(
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
    if (request.method === 'POST' && request.url?.startsWith('/config?') === true) {
      this.#send(request, response, this.#configure(request));
      return;
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('Allow', 'GET, HEAD');
      this.#send(request, response, textAnswer(405, 'this port only reads'));
      return;
    }
    this.#send(request, response, await this.#answer(request.url ?? '/'));
  }

  /** Until there are users, an operator is who can run a program on this machine. */
  #configure(request: IncomingMessage): Answer {
    const { socket, headers } = request;
    if (!isLoopback(socket.remoteAddress ?? '') || headers[OPERATOR_HEADER] === undefined) {
      return textAnswer(403, 'settings are changed with holoctl on the machine of the node');
    }
    const asked = new URLSearchParams(request.url?.slice('/config?'.length));
    const name = asked.get('name') ?? '';
    const error = this.#options.providers.configure(name, asked.get('value') ?? '');
    return error === undefined ? textAnswer(200, 'ok') : textAnswer(400, error);
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
        const states = { disk: providers.disk(), memory: providers.memory() };
        const poor = Object.entries(states).filter(([, state]) => state !== 'ok');
        return textAnswer(200, ['ready', ...poor.map((state) => state.join(': '))].join('\n'));
      }
      case '/status':
        return jsonAnswer(providers.status());
      case '/topology':
        return jsonAnswer(providers.topology());
      case '/actors':
        return jsonAnswer(providers.actors());
      case '/metrics':
        return this.#metrics();
      case '/latency':
        return jsonAnswer(providers.latency?.() ?? []);
      case '/trace/slow': {
        const after = new URLSearchParams(target.slice(path.length)).get('after') ?? '0';
        return jsonAnswer(providers.slow?.(Number(after) || 0) ?? []);
      }
      case '/logs':
        return jsonAnswer(providers.logs?.(numberIn(target, 'after', 0)) ?? {});
      case '/hotkeys':
        return jsonAnswer(providers.hotKeys?.(numberIn(target, 'count', LISTED)) ?? []);
      case '/slowlog':
        return jsonAnswer(providers.slowLog?.(numberIn(target, 'count', LISTED)) ?? []);
      case '/bigkeys': {
        const count = Math.min(numberIn(target, 'count', LISTED), BIG_KEYS_MAX);
        const found = await providers.bigKeys?.(count);
        return typeof found === 'string' ? textAnswer(503, found) : jsonAnswer(found ?? {});
      }
      case '/trace':
        return this.#trace(question === -1 ? '' : target.slice(question + 1));
      default:
        return textAnswer(404, `no such page; the pages are: ${PATHS}`);
    }
  }

  async #metrics(): Promise<Answer> {
    if (this.#scrapes >= SCRAPES_MAX) return busy(`${SCRAPES_MAX} scrapes are under way`);
    this.#scrapes += 1;
    try {
      const { contentType, text } = await this.#options.providers.metrics();
      return { code: 200, type: contentType, body: text };
    } finally {
      this.#scrapes -= 1;
    }
  }

  #trace(query: string): Answer {
    const words = new URLSearchParams(query);
    const asked = words.get('format') ?? 'jsonl';
    const format = TRACE_FORMATS.find((each) => each === asked);
    if (format === undefined) {
      return textAnswer(400, `format must be one of ${TRACE_FORMATS.join(', ')}`);
    }
    const tooSoon = performance.now() < this.#noTraceBeforeMs;
    if (this.#traces >= TRACES_MAX || tooSoon) return busy('another trace has been asked for');
    const body = this.#options.providers.trace(format, words.get('txn') ?? undefined);
    this.#traces += 1;
    const done = (busyMs: number): void => {
      this.#traces -= 1;
      this.#noTraceBeforeMs = performance.now() + REST_FACTOR * busyMs;
    };
    return { code: 200, type: TRACE_TYPES[format], body, done };
  }

  #send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    const { code, type, body, done = () => undefined } = answer;
    if (response.headersSent) return done(0);
    const length =
      typeof body === 'string' ? { 'Content-Length': Buffer.byteLength(body) } : undefined;
    response.writeHead(code, {
      'Content-Type': type,
      ...length,
      ...(code === 503 ? { 'Retry-After': AGAIN_SECONDS } : {}),
      'Cache-Control': 'no-store',
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': "default-src 'none'",
    });
    if (typeof body === 'string' || request.method === 'HEAD') {
      response.end(request.method === 'HEAD' ? undefined : body);
      return done(0);
    }
    const stalledMsMax = this.#options.stalledMsMax ?? STALLED_MS_MAX;
    writePaced(body, response, { stalledMsMax }).then(done, () => done(0));
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

function addressOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return formatEndpoint({ host: remoteAddress, port: remotePort });
}

/** A whole number, 0 or above, in the query. */
function numberIn(target: string, name: string, otherwise: number): number {
  const query = target.slice(target.indexOf('?') + 1);
  const value = Number(new URLSearchParams(query).get(name) ?? otherwise);
  return Number.isSafeInteger(value) && value >= 0 ? value : otherwise;
}

function textAnswer(code: number, text: string): Answer {
  return { code, type: TEXT_TYPE, body: `${text}\n` };
}

function jsonAnswer(value: unknown): Answer {
  return { code: 200, type: JSON_TYPE, body: `${JSON.stringify(value)}\n` };
}

function busy(why: string): Answer {
  return textAnswer(503, `${why}: ask again`);
}
