/**
 * The admin port: HTTP for people, probes, Prometheus and holoctl. Serves only under the node's own
 * names and no page of another site (`request-site.ts`), shows what its level leaves open, and the
 * rest to users with a role (`admin-access.ts`). It only reads, but for `POST /config`.
 */
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { AdminDoor } from '../access/admin/admin-door.ts';
import { type Identity, isAtLeast, type Role } from '../access/admin/roles.ts';
import { isLoopbackEndpoint } from '../access/loopback.ts';
import { DENIED, ProtectedMode } from '../access/protected-mode.ts';
import { type Endpoint, formatEndpoint } from '../endpoint.ts';
import { listenError } from '../listen-error.ts';
import { type SocketFactory, TCP } from '../socket-factory.ts';
import { AdminAccess, TOKEN_FILE_HEADER } from './admin-access.ts';
import {
  AdminPages,
  type AdminProviders,
  OPEN_LEVELS,
  type OpenLevel,
  type Page,
  READER,
} from './admin-pages.ts';
import { type Answer, send, textAnswer } from './answer.ts';
import { ConnectionBudget } from './connection-budget.ts';
import type { ConsoleDoor } from './console-door.ts';
import { siteProblem } from './request-site.ts';
import { TOPOLOGY_ACTIONS } from './topology-report.ts';
import { refuseUpgrade } from './upgrade-refusal.ts';

export interface AdminServerOptions {
  readonly listen: Endpoint;
  readonly providers: AdminProviders;
  readonly door: AdminDoor;
  /** Shown without a login; default `overview`. */
  readonly open?: OpenLevel;
  /** The file with the token; told to programs of this machine. */
  readonly tokenFile?: string;
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
  readonly sockets?: Pick<SocketFactory, 'httpServer'>;
  /** Whether `sockets` speak TLS that browsers know. */
  readonly isTls?: boolean;
  /** The page at `/`, and its sockets. */
  readonly console?: ConsoleDoor;
}

const NO_SOCKET = { code: 404, text: 'there is no such socket' };
const TOO_MANY = { code: 503, text: 'as many consoles are open as may be: --consoles-max' };
const HEADER_BYTES_MAX = 8 * 1024;
const STALLED_MS_MAX = 10_000;

/** Paths that are posted to, beside that of a login. */
const CHANGES: ReadonlySet<string> = new Set(['/logout', '/config', '/topology']);

export class AdminServer {
  readonly #options: AdminServerOptions;
  readonly #server: Server;
  readonly #pages: AdminPages;
  readonly #access: AdminAccess;
  readonly #hostNames: ReadonlySet<string>;
  readonly #connections: ConnectionBudget;
  readonly #protectedMode: ProtectedMode;
  readonly #isTls: boolean;

  constructor(options: AdminServerOptions) {
    this.#options = options;
    this.#isTls = options.isTls ?? false;
    this.#pages = new AdminPages(options.providers);
    this.#access = new AdminAccess(options.door, this.#isTls);
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
        void this.#serve(request, response);
      },
    );
    this.#connections = new ConnectionBudget(options.connectionsMax ?? 64);
    this.#server.on('connection', (socket) => this.#connections.add(socket));
    this.#server.on('upgrade', (request, socket, head) => {
      socket.on('error', () => undefined);
      void this.#onUpgrade(request, socket, head);
    });
    this.#server.maxRequestsPerSocket = 1000;
  }

  /** @throws ListenError */
  listen(): Promise<AddressInfo> {
    const { listen } = this.#options;
    return new Promise((resolve, reject) => {
      this.#server.on('error', (error) =>
        reject(listenError(error, 'admin', listen, '--listen-admin')),
      );
      this.#server.listen({ ...listen }, () => {
        const address = this.#server.address() as AddressInfo;
        this.#access.port = address.port;
        resolve(address);
      });
    });
  }

  /** Ends all connections at once. */
  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#options.console?.close();
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.#onRequest(request);
    } catch (error) {
      answer = textAnswer(500, error instanceof Error ? error.message : 'error');
    }
    const stalledMsMax = this.#options.stalledMsMax ?? STALLED_MS_MAX;
    send(request, response, answer, { stalledMsMax, isTls: this.#isTls });
  }

  async #onRequest(request: IncomingMessage): Promise<Answer> {
    const rules = { hostNames: this.#hostNames, isTls: this.#isTls };
    const problem = siteProblem(request.headers, rules);
    if (problem !== undefined) return textAnswer(problem.code, problem.text);
    const source = addressOf(request.socket);
    const { path, query } = targetOf(request);
    if (request.method === 'POST' && path === '/login') return this.#access.login(request, source);
    // Other bodies are not used; do not wait for them.
    request.resume();
    const caller = await this.#access.callerOf(request, source);
    if ('refused' in caller) return textAnswer(401, caller.refused);
    const { identity, isAnonymous } = caller;
    // As at the Redis port, while there are no passwords.
    if (this.#isDenied(isAnonymous, source)) {
      return textAnswer(403, DENIED, { Connection: 'close' });
    }
    if (request.method === 'POST') return this.#change(request, path, query, identity);
    if (request.method !== 'GET' && request.method !== 'HEAD') return notAllowed();
    if (path === '/whoami') return this.#access.whoami(request, identity);
    const file = await this.#file(request, path);
    if (file !== undefined) return file;
    const page = this.#pages.find(path);
    if (page === undefined) return this.#pages.unknown();
    if (!this.#isOpen(page, source)) {
      const refusal = this.#refusalFor(READER, identity, source);
      if (refusal !== undefined) return refusal;
    }
    return page.answer(query);
  }

  /** Of the console's page, which shows nothing by itself; undefined: there is no such file. */
  async #file({ headers }: IncomingMessage, path: string): Promise<Answer | undefined> {
    const { console } = this.#options;
    const file = console?.file(path);
    if (console === undefined || file === undefined) return undefined;
    const { type, body, etag } = file;
    const common = { ETag: etag, 'Cache-Control': 'no-cache' };
    const isKnown = headers['if-none-match'] === etag;
    // The policy of a page counts for all that it loads.
    const policy = path === '/' ? { 'Content-Security-Policy': await console.policy() } : {};
    return {
      code: isKnown ? 304 : 200,
      type,
      body: isKnown ? '' : body,
      headers: { ...common, ...policy },
    };
  }

  async #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const source = addressOf(request.socket);
    const { console } = this.#options;
    const refusal = await this.#upgradeRefusal(request, source);
    if (socket.destroyed) return;
    if (console === undefined || refusal !== undefined) {
      const { code, text } = refusal ?? NO_SOCKET;
      return refuseUpgrade(socket, code, text);
    }
    this.#connections.release(request.socket);
    console.upgrade(request, socket, head, (credentials) =>
      this.#access.identify(credentials, request, source),
    );
  }

  async #upgradeRefusal(request: IncomingMessage, source: string) {
    const { console } = this.#options;
    const { host, origin } = request.headers;
    const rules = { hostNames: this.#hostNames, isTls: this.#isTls };
    // A page outlives its node: it may go on by another one.
    const isMembers = origin !== undefined && console?.isOrigin(origin) === true;
    const problem = siteProblem(isMembers ? { host } : request.headers, rules);
    if (problem !== undefined) return problem;
    if (console?.isSocket(targetOf(request).path) !== true) return NO_SOCKET;
    const caller = await this.#access.callerOf(request, source);
    if ('refused' in caller) return { code: 401, text: caller.refused };
    if (this.#isDenied(caller.isAnonymous, source)) return { code: 403, text: DENIED };
    return console.isFull ? TOO_MANY : undefined;
  }

  #isDenied(isAnonymous: boolean, source: string): boolean {
    return isAnonymous && this.#options.door.isOpen && this.#protectedMode.refuses(source);
  }

  /** Probes of this machine tell no one anything. */
  #isOpen({ open }: Page, source: string): boolean {
    if (open === undefined) return false;
    if (open === 'health' && isLoopbackEndpoint(source)) return true;
    const level = OPEN_LEVELS.indexOf(this.#options.open ?? 'overview');
    return OPEN_LEVELS.indexOf(open) <= level;
  }

  async #changeTopology(
    change: AdminProviders['changeTopology'],
    query: URLSearchParams,
    user: string,
  ): Promise<Answer> {
    const what = TOPOLOGY_ACTIONS.find((action) => action === query.get('what'));
    if (what === undefined) return textAnswer(400, `what: ${TOPOLOGY_ACTIONS.join(', ')}`);
    const [slot, range, from, to, node] = ['slot', 'range', 'from', 'to', 'node'].map((name) => {
      const text = query.get(name);
      return text === null ? undefined : Number(text);
    });
    const controller = query.get('controller') ?? undefined;
    const { code, text } = await change({ what, slot, range, controller, from, to, node }, user);
    return textAnswer(code, text);
  }

  #change(
    request: IncomingMessage,
    path: string,
    query: URLSearchParams,
    identity: Identity | undefined,
  ): Answer | Promise<Answer> {
    const forgery = this.#access.forgeryOf(request);
    if (!CHANGES.has(path)) return notAllowed();
    if (forgery !== undefined) return textAnswer(403, `this may be a forged request: ${forgery}`);
    if (path === '/logout') return this.#access.logout(request);
    const refusal = this.#refusalFor('admin', identity, addressOf(request.socket));
    if (identity === undefined || refusal !== undefined) return refusal ?? notAllowed();
    const { configure, changeTopology } = this.#options.providers;
    if (path === '/topology') return this.#changeTopology(changeTopology, query, identity.user);
    const error = configure(query.get('name') ?? '', query.get('value') ?? '', identity.user);
    return error === undefined ? textAnswer(200, 'ok') : textAnswer(400, error);
  }

  #refusalFor(needed: Role, identity: Identity | undefined, source: string): Answer | undefined {
    if (identity === undefined) {
      const { tokenFile } = this.#options;
      const hint = tokenFile !== undefined && isLoopbackEndpoint(source);
      return textAnswer(401, `this needs the role of ${needed}: log in (holoctl login)`, {
        'WWW-Authenticate': 'Bearer realm="holostore"',
        ...(hint ? { [TOKEN_FILE_HEADER]: encodeURI(tokenFile) } : {}),
      });
    }
    if (isAtLeast(identity.role, needed)) return undefined;
    const { user, role } = identity;
    return textAnswer(403, `this needs the role of ${needed}, and user ${user} is ${role}`);
  }
}

function notAllowed(): Answer {
  return textAnswer(405, 'this page only reads', { Allow: 'GET, HEAD' });
}

function targetOf({ url = '/' }: IncomingMessage): { path: string; query: URLSearchParams } {
  const question = url.indexOf('?');
  if (question < 0) return { path: url, query: new URLSearchParams() };
  return { path: url.slice(0, question), query: new URLSearchParams(url.slice(question + 1)) };
}

function addressOf({ remoteAddress = '', remotePort = 0 }: Socket): string {
  return formatEndpoint({ host: remoteAddress, port: remotePort });
}
