/** Chunks to be taken as one buffer: a connection's unparsed input, and its unsent output. */
const EMPTY = Buffer.alloc(0);
/** From this size on a copy costs more than handling a chunk by itself. */
const LONG_BYTES_MIN = 64 * 1024;

export class ByteQueue<T extends Uint8Array> {
  bytes = 0;
  #chunks: T[] = [];

  push(chunk: T): void {
    this.#chunks.push(chunk);
    this.bytes += chunk.length;
  }

  /** All bytes in order; copied only if there is more than one chunk. */
  take(): T | Buffer {
    const [first] = this.#chunks;
    const all = this.#chunks.length === 1 ? (first ?? EMPTY) : Buffer.concat(this.#chunks);
    this.clear();
    return all;
  }

  /** The next bytes: a long chunk without a copy, or all shorter ones before it. */
  takeSome(): T | Buffer {
    const long = this.#chunks.findIndex(({ length }) => length >= LONG_BYTES_MIN);
    if (long === -1 || this.#chunks.length === 1) return this.take();
    const taken = this.#chunks.splice(0, Math.max(1, long));
    const some = long === 0 ? (taken[0] ?? EMPTY) : Buffer.concat(taken);
    this.bytes -= some.length;
    return some;
  }

  clear(): void {
    this.#chunks = [];
    this.bytes = 0;
  }
}
