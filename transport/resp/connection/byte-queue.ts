/** Chunks to be taken as one buffer: a connection's unparsed input, and its unsent output. */
const EMPTY = Buffer.alloc(0);

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

  clear(): void {
    this.#chunks = [];
    this.bytes = 0;
  }
}
