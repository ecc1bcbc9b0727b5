/** Servers of reference of the test's own, and connections to them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createConnection, type Socket } from 'node:net';
import { resp } from '../harness.ts';
import { parseReply, type Value } from './replies.ts';

export const HAS_REDIS = spawnSync('redis-server', ['--version']).status === 0;
if (!HAS_REDIS) console.warn('redis-server is not installed: differential tests are skipped');

export function startServer(port: number, program = 'redis-server'): ChildProcess {
  const bind = ['--port', String(port), '--bind', '127.0.0.1'];
  const quiet = ['--save', '', '--appendonly', 'no', '--loglevel', 'warning'];
  return spawn(program, [...bind, ...quiet], { stdio: 'ignore' });
}

export class RedisConnection {
  readonly #socket: Socket;
  #received = '';
  #waiting: { count: number; done: (replies: Value[]) => void } | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#received += text;
      this.#settle();
    });
  }

  async run(commands: readonly (readonly string[])[]): Promise<Value[]> {
    return new Promise((done) => {
      this.#waiting = { count: commands.length, done };
      this.#socket.write(commands.map(resp).join(''), 'latin1');
      this.#settle();
    });
  }

  /** The next thing that the server sends by itself. */
  async next(): Promise<Value> {
    const [message = null] = await new Promise<Value[]>((done) => {
      this.#waiting = { count: 1, done };
      this.#settle();
    });
    return message;
  }

  close(): void {
    this.#socket.destroy();
  }

  #settle(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    const replies: Value[] = [];
    let at = 0;
    while (replies.length < waiting.count) {
      const parsed = parseReply(this.#received, at);
      if (parsed === undefined) return;
      replies.push(parsed.value);
      at = parsed.end;
    }
    this.#received = this.#received.slice(at);
    this.#waiting = undefined;
    waiting.done(replies);
  }
}

export async function connectTo(port: number, protocol: 2 | 3): Promise<RedisConnection> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const socket = createConnection(port, '127.0.0.1');
    const connected = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    if (connected) {
      const connection = new RedisConnection(socket);
      await connection.run([['HELLO', String(protocol)]]);
      return connection;
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('a server of reference did not start');
}
