/**
 * Collects the bytes of the commands of one unit. Adjacent commands in one buffer stay one slice of
 * it; only a gap or a change of buffer costs a copy at the end. The parser guarantees that the
 * buffers do not change any more.
 */
const EMPTY = new Uint8Array(0);

export class ByteRuns {
  /** Bytes added since the last `take`. */
  length = 0;
  #buffer: Uint8Array = EMPTY;
  #start = 0;
  #end = 0;
  /** Complete runs before the current one. */
  #runs: Uint8Array[] = [];

  add(buffer: Uint8Array, start: number, end: number): void {
    this.length += end - start;
    if (buffer === this.#buffer && start === this.#end) {
      this.#end = end;
      return;
    }
    if (this.#end > this.#start) this.#runs.push(this.#buffer.subarray(this.#start, this.#end));
    this.#buffer = buffer;
    this.#start = start;
    this.#end = end;
  }

  /** Returns all bytes in order and starts over. */
  take(): Uint8Array {
    const last = this.#buffer.subarray(this.#start, this.#end);
    const bytes = this.#runs.length === 0 ? last : Buffer.concat([...this.#runs, last]);
    this.#runs = [];
    this.#buffer = EMPTY;
    this.#start = 0;
    this.#end = 0;
    this.length = 0;
    return bytes;
  }
}
