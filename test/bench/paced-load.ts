/**
 * A load at a fixed rate: each tick one pipeline on every connection. A closed loop would answer to
 * what is measured: its batches grow and shrink with the speed of the nodes, and so does the CPU per
 * command.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { requestOf } from '../../transport/console/redis-reply.ts';
import { HOST } from '../cluster/harness.ts';

interface PacedOptions {
  readonly port: number;
  readonly command: 'SET' | 'GET';
  readonly connections: number;
  readonly pipeline: number;
  readonly tickMs: number;
}

const KEYS = 10_000;
const VALUE = 'xxx';
const REPLY_BYTES = { SET: '+OK\r\n'.length, GET: `$3\r\n${VALUE}\r\n`.length } as const;
/** Pipelines of one connection that are not answered: beyond, it leaves ticks out. */
const BEHIND_MAX = 4;

export class PacedLoad {
  readonly #options: PacedOptions;
  readonly #sockets: Socket[] = [];
  #nextKey = 0;
  #sent = 0;
  #answered = 0;

  constructor(options: PacedOptions) {
    this.#options = options;
  }

  /** Connects, and writes all keys once. */
  async open(): Promise<this> {
    const { port, connections, command } = this.#options;
    for (let index = 0; index < connections; index += 1) {
      const socket = connect(port, HOST).setNoDelay(true);
      await new Promise((resolve, reject) => {
        socket.once('connect', resolve).once('error', reject);
      });
      this.#sockets.push(socket);
    }
    const [first] = this.#sockets;
    const answered = new Promise((resolve) => first?.once('data', resolve));
    first?.write(requestOf(['MSET', ...this.#keys(KEYS).flatMap((key) => [key, VALUE])]));
    await answered;
    for (const socket of this.#sockets) {
      socket.on('data', (bytes) => {
        this.#answered += bytes.length / REPLY_BYTES[command];
      });
    }
    return this;
  }

  /** Commands that were answered. */
  async run(forMs: number): Promise<number> {
    const { tickMs, connections, pipeline } = this.#options;
    const before = this.#answered;
    const startMs = performance.now();
    for (let tick = 1; tick * tickMs <= forMs; tick += 1) {
      const behind = this.#sent - this.#answered;
      if (behind <= BEHIND_MAX * connections * pipeline) this.#tick();
      await sleep(Math.max(0, startMs + tick * tickMs - performance.now()));
    }
    while (this.#answered < this.#sent) await sleep(1);
    return this.#answered - before;
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #tick(): void {
    const { command, pipeline } = this.#options;
    for (const socket of this.#sockets) {
      const words = this.#keys(pipeline).map((key) =>
        command === 'SET' ? ['SET', key, VALUE] : ['GET', key],
      );
      socket.write(Buffer.concat(words.map((each) => requestOf(each))));
      this.#sent += pipeline;
    }
  }

  #keys(count: number): string[] {
    return Array.from({ length: count }, () => {
      this.#nextKey = (this.#nextKey + 1) % KEYS;
      return `key:${this.#nextKey}`;
    });
  }
}
