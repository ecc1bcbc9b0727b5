/**
 * A Redis client for tests of correctness: every command ends with what is known about it. It sends
 * nothing twice, queues nothing while there is no connection, and reports a missing answer as
 * `unknown`. ioredis speaks the protocol; its retries are switched off.
 */
import { Redis, ReplyError } from 'ioredis';

export type Words = readonly [string, ...string[]];

export type Outcome =
  | { readonly type: 'ok'; readonly reply: unknown }
  /** The command's own error: an answer like any other. */
  | { readonly type: 'error'; readonly why: string }
  /** It did not happen and never will. */
  | { readonly type: 'refused'; readonly why: string }
  /** It may have happened, may yet happen, or never will. */
  | { readonly type: 'unknown'; readonly why: string };

export interface ClientOptions {
  readonly port: number;
  /** After so long without an answer the connection is given up. */
  readonly timeoutMs: number;
}

const TIMEOUT_MS = 15_000;
const CONNECT_MS_MAX = 2_000;

export class Client {
  readonly #options: ClientOptions;
  #redis: Redis | undefined;

  constructor(options: { port: number } & Partial<ClientOptions>) {
    this.#options = { timeoutMs: TIMEOUT_MS, ...options };
  }

  /** One command. */
  async run(...words: Words): Promise<Outcome> {
    const [name, ...args] = words;
    return this.#attempt((redis) => redis.call(name, ...args));
  }

  /** All commands in MULTI and EXEC; the reply is the list of their replies. */
  async transaction(commands: readonly Words[]): Promise<Outcome> {
    return this.#attempt(async (redis) => {
      const multi = redis.multi();
      for (const [name, ...args] of commands) multi.call(name, ...args);
      const replies = await multi.exec();
      if (replies === null) throw new Error('EXEC answered null');
      return replies.map(([error, reply]) => {
        if (error !== null) throw error;
        return reply;
      });
    });
  }

  /**
   * The same behind a WATCH, and whatever else `begin` sends: the reply is null if a watched key has
   * changed. Everything goes over one connection; without it nothing is watched any more.
   */
  async watching(
    key: string,
    begin: () => Promise<readonly Words[] | undefined>,
  ): Promise<Outcome> {
    const watched = await this.run('WATCH', key);
    if (watched.type !== 'ok') return { type: 'refused', why: 'WATCH failed' };
    const watcher = this.#redis;
    const commands = await begin();
    if (commands === undefined || this.#redis !== watcher || watcher?.status !== 'ready') {
      await this.run('UNWATCH');
      return { type: 'refused', why: 'nothing was begun' };
    }
    return this.#attempt(async (redis) => {
      if (redis !== watcher) throw new Error('another connection');
      const multi = redis.multi();
      for (const [name, ...args] of commands) multi.call(name, ...args);
      const replies = await multi.exec();
      return replies === null ? null : replies.map(([error, reply]) => error ?? reply);
    });
  }

  /** @throws Error unless the answer is a reply. */
  async must(...words: Words): Promise<unknown> {
    const outcome = await this.run(...words);
    if (outcome.type === 'ok') return outcome.reply;
    throw new Error(`${words.join(' ').slice(0, 80)}: ${outcome.type}, ${outcome.why}`);
  }

  close(): void {
    this.#redis?.disconnect();
    this.#redis = undefined;
  }

  async #attempt(send: (redis: Redis) => Promise<unknown>): Promise<Outcome> {
    const redis = await this.#connected();
    if (typeof redis === 'string') return { type: 'refused', why: redis };
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      const { timeoutMs } = this.#options;
      timer = setTimeout(() => reject(new Error(`no answer in ${timeoutMs} ms`)), timeoutMs);
    });
    try {
      return { type: 'ok', reply: await Promise.race([send(redis), tooLate]) };
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (error instanceof ReplyError) return outcomeOf(why);
      this.close();
      return { type: 'unknown', why };
    } finally {
      clearTimeout(timer);
    }
  }

  /** A connection that stands, or why there is none. */
  async #connected(): Promise<Redis | string> {
    if (this.#redis?.status === 'ready') return this.#redis;
    this.close();
    const redis = new Redis({
      port: this.#options.port,
      host: '127.0.0.1',
      lazyConnect: true,
      connectTimeout: CONNECT_MS_MAX,
      retryStrategy: null,
      reconnectOnError: null,
      enableOfflineQueue: false,
      enableReadyCheck: false,
      disableClientInfo: true,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: null,
    });
    redis.on('error', () => undefined);
    try {
      await within(redis.connect(), CONNECT_MS_MAX);
    } catch (error) {
      redis.disconnect();
      return `no connection: ${error instanceof Error ? error.message : String(error)}`;
    }
    this.#redis = redis;
    return redis;
  }
}

/** See docs/errors.md: `refused` says that nothing happened, `indeterminate` that it may. */
export function outcomeOf(message: string): Outcome {
  if (/^[A-Z]+ refused\b/.test(message)) return { type: 'refused', why: message };
  if (/^[A-Z]+ indeterminate\b/.test(message)) return { type: 'unknown', why: message };
  return { type: 'error', why: message };
}

/** A paused node accepts connections and says nothing. */
async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not in ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([work, tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
