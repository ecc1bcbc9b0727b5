/** An admin port with a console, and consoles that speak to it without a page. */
import { WebSocket } from 'ws';
import { decodeCbor, encodeCbor } from '../../../transport/cbor.ts';
import { AdminConsole } from '../../../transport/console/admin-console.ts';
import type { ClusterQuestions } from '../../../transport/console/cluster-questions.ts';
import { AdminServer } from '../../../transport/http/admin-server.ts';
import { makeDoor } from '../http/doors.ts';

export type AdminConsoleOptions = ConstructorParameters<typeof AdminConsole>[0];
type Message = Readonly<Record<string, unknown>>;

const nothing = () => undefined;

/** The node is 1; a peer, 2, is there when `peer` answers its questions. */
export async function openConsole(
  options: Partial<AdminConsoleOptions> = {},
  peer?: ClusterQuestions,
  /** Of the default user; without one whoever comes from this machine is an administrator. */
  password = '',
): Promise<{ readonly port: number; readonly server: AdminServer }> {
  const console = new AdminConsole({
    self: 1,
    clusterId: 'c0ffee',
    members: [{ id: 1, host: '127.0.0.1' }],
    consolesMax: 4,
    viewsEveryMs: 100,
    answerHere: ({ what }) => ({ what }),
    askPeer: (_peer, question, done) => {
      if (peer === undefined) done(undefined);
      else peer.answerPeer(question, done);
    },
    isOpen: true,
    ...options,
  });
  const server = new AdminServer({
    listen: { host: '127.0.0.1', port: 0 },
    providers: {
      notReady: nothing,
      disk: () => 'ok',
      memory: () => 'ok',
      configure: nothing,
      changeTopology: async () => ({ code: 400, text: 'no' }),
      status: () => {
        throw new Error('not asked here');
      },
      topology: () => {
        throw new Error('not asked here');
      },
      actors: nothing,
      trace: () => '',
      metrics: () => Promise.resolve({ contentType: 'text/plain', text: '' }),
    },
    console,
    door: makeDoor(password).door,
  });
  return { port: (await server.listen()).port, server };
}

/** A console at the other end of a socket. */
export class TestConsole {
  readonly socket: WebSocket;
  readonly #received: Message[] = [];
  #wake: () => void = () => undefined;
  /** Code and reason, or the status of an upgrade that was refused. */
  readonly closed: Promise<string>;

  constructor(port: number, headers: Readonly<Record<string, string>> = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}/console/socket`, { headers });
    this.socket.on('message', (bytes) => {
      this.#received.push(decodeCbor(bytes as Buffer) as Message);
      this.#wake();
    });
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code, reason) => resolve(`${code} ${reason}`));
      this.socket.on('unexpected-response', (_request, { statusCode }) => {
        resolve(`HTTP ${statusCode}`);
        this.socket.terminate();
      });
      this.socket.on('error', () => undefined);
    });
  }

  async opened(): Promise<this> {
    if (this.socket.readyState === WebSocket.OPEN) return this;
    await new Promise((resolve) => this.socket.once('open', resolve));
    return this;
  }

  send(message: unknown): void {
    this.socket.send(encodeCbor(message));
  }

  async hello(credentials: object = { type: 'none' }): Promise<Message> {
    await this.opened();
    this.send({ type: 'hello', version: 1, credentials });
    return this.next('welcome');
  }

  /** The next message of that type, after all that were taken before. */
  async next(type: string): Promise<Message> {
    for (;;) {
      const at = this.#received.findIndex((message) => message['type'] === type);
      if (at >= 0) return this.#received.splice(0, at + 1).at(-1) as Message;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The data of the next view. */
  async view(): Promise<unknown> {
    const { body } = await this.next('view');
    return (decodeCbor(body as Uint8Array) as { data: unknown }).data;
  }
}
