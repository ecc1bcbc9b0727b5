/** A redis-server for comparison, where the machine has one: started on a free port, and ended. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePorts } from '../../cluster/ports.ts';

const HOST = '127.0.0.1';
const STARTS_MS_MAX = 10_000;
const REPLY_MS_MAX = 5_000;

export const REDIS_PRESENT = spawnSync('redis-server', ['--version']).status === 0;
if (!REDIS_PRESENT) console.warn('redis-server is not installed: comparisons are skipped');

export class RealRedis {
  readonly #port: number;
  readonly #process: ChildProcess;

  private constructor(port: number, process: ChildProcess) {
    this.#port = port;
    this.#process = process;
  }

  static async start(): Promise<RealRedis> {
    const [port = 0] = await freePorts(1);
    const flags = ['--port', String(port), '--bind', HOST, '--save', '', '--appendonly', 'no'];
    const redis = new RealRedis(port, spawn('redis-server', flags, { stdio: 'ignore' }));
    const deadline = performance.now() + STARTS_MS_MAX;
    while (performance.now() < deadline) {
      const socket = await connectTo(port).catch(() => undefined);
      socket?.destroy();
      if (socket !== undefined) return redis;
      await sleep(50);
    }
    redis.stop();
    throw new Error('redis-server did not start');
  }

  ask(bytes: string, end: string): Promise<string> {
    return ask(this.#port, bytes, end);
  }

  get port(): number {
    return this.#port;
  }

  stop(): void {
    this.#process.kill('SIGKILL');
  }
}

/** The answer to `bytes` on a new connection, up to `end`; without `end` after some seconds. */
export async function ask(port: number, bytes: string, end: string): Promise<string> {
  const socket = await connectTo(port);
  let text = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
  });
  socket.write(bytes, 'latin1');
  const deadline = performance.now() + REPLY_MS_MAX;
  while (!text.endsWith(end) && performance.now() < deadline) await sleep(2);
  socket.destroy();
  return text;
}

async function connectTo(port: number): Promise<Socket> {
  const socket = createConnection(port, HOST);
  await once(socket, 'connect');
  socket.on('error', () => undefined);
  return socket;
}
