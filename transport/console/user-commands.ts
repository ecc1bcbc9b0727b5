/**
 * Commands of a console on its own node: as a client that has logged in as the console's user, so
 * that permissions, limits and the log of denials are those of the Redis port.
 */
import { DEFAULT_USER } from '../access/acl/user.ts';
import { TOKEN_USER } from '../access/admin/admin-door.ts';
import type { ClientSocket } from '../resp/connection/client-socket.ts';
import type { Gateway } from '../resp/gateway.ts';
import { type RedisReply, replyAt, requestOf } from './redis-reply.ts';

/** As the client lists name it. */
const ADDRESS = 'console:0';
/** Of all replies to one question; a value that is longer is not for a page. */
const REPLY_BYTES_MAX = 768 * 1024;
const ANSWER_MS_MAX = 10_000;

/**
 * The replies to the commands, in their order. Whoever has shown the administrators' token, or
 * nothing where nothing is asked for, is the default user.
 *
 * @throws Error whose message is the reason why there are none
 */
export function runAs(
  gateway: Gateway,
  user: string | undefined,
  commands: readonly (readonly string[])[],
): Promise<RedisReply[]> {
  gateway.access.refresh();
  const name = user === undefined || user === TOKEN_USER ? DEFAULT_USER : user;
  if (gateway.access.users.find(name)?.isOn !== true) {
    return Promise.reject(new Error(`the user ${name} is not there any more, or is off`));
  }
  return new Promise((resolve, reject) => {
    let isOver = false;
    const finish = (error: string | undefined, replies: RedisReply[] = []): void => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      // Behind what the connection does now.
      setImmediate(() => connection?.onClose());
      if (error === undefined) resolve(replies);
      else reject(new Error(error));
    };
    const timer = setTimeout(() => finish('no reply in time'), ANSWER_MS_MAX);
    const socket = new ReplySocket(name, commands.length, finish);
    const connection = gateway.attach(socket);
    if (connection === undefined) return finish('the node takes no more clients');
    connection.onData(Buffer.concat(commands.map(requestOf)));
  });
}

/** The first call counts. */
type Finish = (error: string | undefined, replies?: RedisReply[]) => void;

class ReplySocket implements ClientSocket {
  readonly remoteAddress = ADDRESS;
  readonly localAddress = ADDRESS;
  readonly bufferedBytes = 0;
  readonly certifiedName: string;
  readonly #wanted: number;
  readonly #finish: Finish;
  readonly #replies: RedisReply[] = [];
  #text = '';
  #bytes = 0;

  constructor(user: string, wanted: number, finish: Finish) {
    this.certifiedName = user;
    this.#wanted = wanted;
    this.#finish = finish;
  }

  write(bytes: Uint8Array): boolean {
    this.#bytes += bytes.length;
    if (this.#bytes > REPLY_BYTES_MAX) {
      this.#finish(`the replies are longer than ${REPLY_BYTES_MAX} bytes`);
      return true;
    }
    this.#text += Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
    let at = 0;
    for (let next = replyAt(this.#text, 0); next !== undefined; next = replyAt(this.#text, at)) {
      this.#replies.push(next.reply);
      at = next.end;
    }
    this.#text = this.#text.slice(at);
    if (this.#replies.length >= this.#wanted) this.#finish(undefined, this.#replies);
    return true;
  }

  pause(): void {
    // One request is all that is sent.
  }

  resume(): void {
    // Nothing waits to be read.
  }

  end(): void {
    this.#finish('the node has closed the connection');
  }

  destroy(): void {
    this.#finish('the node has closed the connection');
  }
}
