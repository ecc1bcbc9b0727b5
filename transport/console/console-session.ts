/**
 * One console: a page at the other end of a WebSocket. It says who it is, watches views and asks
 * questions; nothing that it does or leaves undone costs the node more than a bounded queue. The
 * server carries messages, ticks it, and closes the socket when it says so.
 */
import { encodeCbor } from '../cbor.ts';
import type { ConsoleCredentials, Identify } from '../http/console-door.ts';
import { type Asker, NOBODY } from './cluster-questions.ts';
import {
  CONSOLE_VERSION,
  type ConsoleMessage,
  type NodeAddress,
  type PageMessage,
  parsePageMessage,
  SUBSCRIPTIONS_MAX,
} from './console-protocol.ts';
import type { LiveViews, Watcher } from './live-views.ts';

interface ConsoleSocket {
  /** Bytes that the other end has not taken. */
  readonly bufferedAmount: number;
  send(bytes: Uint8Array): void;
  ping(): void;
  close(code: number, reason: string): void;
  terminate(): void;
}

export interface SessionOptions {
  readonly self: number;
  readonly clusterId: string;
  readonly views: LiveViews;
  readonly nodes: () => readonly NodeAddress[];
  readonly identify: Identify;
  /** Views are open without a role. */
  readonly isOpen: boolean;
  /** @throws Error whose message is the reason. */
  readonly ask: (
    what: string,
    args: Extract<PageMessage, { type: 'ask' }>['args'],
    asker: Asker,
  ) => Promise<unknown>;
  readonly nowMs: () => number;
}

/** Bytes that wait for the page: beyond, it is told no more until it has taken them. */
const QUEUED_BYTES_MAX = 512 * 1024;
/** A page that takes nothing, or does not answer a ping, is given up after so long. */
const SILENT_MS_MAX = 30_000;
const PING_MS = 10_000;
/** Until it has said who it is. */
const HELLO_MS_MAX = 5_000;
const QUESTIONS_MAX = 4;
/** In a second; a page that sends more is closed. */
const MESSAGES_MAX = 64;
const POLICY = 1008;

export class ConsoleSession {
  readonly #socket: ConsoleSocket;
  readonly #options: SessionOptions;
  readonly #subscriptions = new Map<number, () => void>();
  #asker: Asker | undefined;
  #credentials: ConsoleCredentials = { type: 'none' };
  #questions = 0;
  #messages = 0;
  #isClosed = false;
  readonly #openedMs: number;
  /** When the page was last known to be there, or last took all that waited. */
  #heardMs: number;
  #drainedMs: number;
  #pingedMs: number;
  #countedFromMs: number;

  constructor(socket: ConsoleSocket, options: SessionOptions) {
    this.#socket = socket;
    this.#options = options;
    const nowMs = options.nowMs();
    this.#openedMs = nowMs;
    this.#heardMs = nowMs;
    this.#drainedMs = nowMs;
    this.#pingedMs = nowMs;
    this.#countedFromMs = nowMs;
  }

  /** A pong, or a message. */
  heard(): void {
    this.#heardMs = this.#options.nowMs();
  }

  received(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    this.heard();
    this.#messages += 1;
    if (this.#messages > MESSAGES_MAX) return this.#end('too many messages');
    const message = parsePageMessage(bytes);
    if (typeof message === 'string') return this.#end(message);
    if (this.#asker === undefined && message.type !== 'hello') {
      return this.#end('the first message must be hello');
    }
    switch (message.type) {
      case 'hello':
        this.#hello(message.credentials).catch(() => this.#end('it cannot be told who this is'));
        return;
      case 'subscribe':
        return this.#subscribe(message);
      case 'unsubscribe':
        this.#subscriptions.get(message.id)?.();
        this.#subscriptions.delete(message.id);
        return;
      case 'ask':
        return this.#ask(message);
    }
  }

  /** To be called about once a second. */
  onTick(): void {
    const nowMs = this.#options.nowMs();
    if (nowMs - this.#countedFromMs >= 1_000) {
      this.#countedFromMs = nowMs;
      this.#messages = 0;
    }
    if (this.#socket.bufferedAmount === 0) this.#drainedMs = nowMs;
    const isSilent = nowMs - Math.min(this.#heardMs, this.#drainedMs) > SILENT_MS_MAX;
    const isNobody = this.#asker === undefined && nowMs - this.#openedMs > HELLO_MS_MAX;
    if (isSilent || isNobody) {
      this.closed();
      this.#socket.terminate();
      return;
    }
    if (nowMs - this.#pingedMs < PING_MS) return;
    this.#pingedMs = nowMs;
    this.#socket.ping();
  }

  /** The socket has closed. */
  closed(): void {
    this.#isClosed = true;
    for (const stop of this.#subscriptions.values()) stop();
    this.#subscriptions.clear();
  }

  /** Until it is known who it is, it is nobody. */
  async #hello(credentials: ConsoleCredentials): Promise<void> {
    this.#asker ??= NOBODY;
    const identified = await this.#options.identify(credentials);
    if (this.#isClosed) return;
    if (!('refused' in identified)) {
      this.#credentials = credentials;
      return this.#welcome(identified, undefined);
    }
    this.#credentials = { type: 'none' };
    this.#welcome(NOBODY, credentials.type === 'none' ? undefined : identified.refused);
  }

  /** Judged anew: users change, and sessions end. */
  async #nowAsking(): Promise<Asker> {
    const identified = await this.#options.identify(this.#credentials);
    return 'refused' in identified ? NOBODY : identified;
  }

  #welcome(asker: Asker, refused: string | undefined): void {
    this.#asker = asker;
    const { self, clusterId, nodes } = this.#options;
    this.#tell({
      type: 'welcome',
      ...{ version: CONSOLE_VERSION, node: self, clusterId },
      ...{ user: asker.user, role: asker.role, refused },
      nodes: nodes(),
    });
  }

  #subscribe({ id, view, args }: Extract<PageMessage, { type: 'subscribe' }>): void {
    this.#subscriptions.get(id)?.();
    this.#subscriptions.delete(id);
    if (!this.#options.isOpen && this.#asker?.role === undefined) {
      return this.#tell({ type: 'refused', id, reason: 'this needs the role of viewer: log in' });
    }
    if (this.#subscriptions.size >= SUBSCRIPTIONS_MAX) {
      const reason = `a console watches at most ${SUBSCRIPTIONS_MAX} views`;
      return this.#tell({ type: 'refused', id, reason });
    }
    const watcher: Watcher = {
      show: (view) => {
        // The next one is newer than what it would have to wait for.
        if (!this.#isFull()) this.#socket.send(view.messageTo(id));
      },
    };
    const stop = this.#options.views.watch(view, args, watcher);
    if (stop !== undefined) return void this.#subscriptions.set(id, stop);
    this.#tell({ type: 'refused', id, reason: 'too many different views are watched: try later' });
  }

  #ask({ id, what, args }: Extract<PageMessage, { type: 'ask' }>): void {
    if (this.#questions >= QUESTIONS_MAX || this.#isFull()) {
      const reason = 'the answers before this one have not been taken yet';
      return this.#tell({ type: 'refused', id, reason });
    }
    this.#questions += 1;
    const done = (message: ConsoleMessage): void => {
      this.#questions -= 1;
      if (!this.#isClosed) this.#tell(message);
    };
    const asked = this.#nowAsking().then((asker) => this.#options.ask(what, args, asker));
    asked.then(
      (data) => done({ type: 'answer', id, data }),
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        done({ type: 'refused', id, reason });
      },
    );
  }

  #isFull(): boolean {
    return this.#socket.bufferedAmount > QUEUED_BYTES_MAX;
  }

  #tell(message: ConsoleMessage): void {
    this.#socket.send(encodeCbor(message));
  }

  #end(reason: string): void {
    this.closed();
    this.#socket.close(POLICY, reason);
  }
}
