/**
 * A client that sends bytes as they are and throws the replies away: it costs little beside the
 * node that it occupies.
 */
import { connect, type Socket } from 'node:net';
import { HOST } from './harness.ts';

const MARK = 'the-last-reply';

export class RawClient {
  readonly socket: Socket;
  #tail = '';
  #errors = 0;
  #settle: ((answered: boolean) => void) | undefined;

  constructor(port: number) {
    this.socket = connect(port, HOST).setNoDelay(true);
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => this.#settle?.(false));
    this.socket.on('data', (chunk: Buffer) => {
      if (chunk[0] === 0x2d) this.#errors += 1;
      this.#tail = (
        this.#tail + chunk.toString('latin1', Math.max(0, chunk.length - MARK.length - 2))
      ).slice(-MARK.length - 2);
      if (this.#tail.startsWith(MARK)) this.#settle?.(true);
    });
  }

  /** Chunks that began with an error reply. */
  get errors(): number {
    return this.#errors;
  }

  /** Sends all, and resolves when all is answered; `false`: the node has closed the connection. */
  async run(...requests: readonly Buffer[]): Promise<boolean> {
    if (this.socket.destroyed) return false;
    const done = new Promise<boolean>((settle) => {
      this.#settle = settle;
    });
    this.#tail = '';
    for (const request of requests) this.socket.write(request);
    this.socket.write(request('ECHO', MARK));
    const answered = await done;
    this.#settle = undefined;
    return answered;
  }

  close(): void {
    this.socket.destroy();
  }
}

export function request(...words: readonly (string | Buffer)[]): Buffer {
  return requestOf(words);
}

/** As `request`, for more words than a call takes. */
export function requestOf(words: readonly (string | Buffer)[]): Buffer {
  const parts: (string | Buffer)[] = [`*${words.length}\r\n`];
  for (const word of words) parts.push(`$${Buffer.byteLength(word)}\r\n`, word, '\r\n');
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part)));
}

export function repeated(times: number, make: (at: number) => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: times }, (_, at) => make(at)));
}
