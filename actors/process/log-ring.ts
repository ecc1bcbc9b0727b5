/**
 * The last lines of a node's log, for the admin port. Bounded in lines and in bytes; they are the
 * lines that the log has got, as JSON, whatever form the log itself has.
 */
const LINES_MAX = 2_048;
const BYTES_MAX = 1024 * 1024;

export class LogRing {
  #lines: string[] = [];
  #bytes = 0;
  #added = 0;
  readonly #linesMax: number;
  readonly #bytesMax: number;

  constructor(linesMax = LINES_MAX, bytesMax = BYTES_MAX) {
    this.#linesMax = linesMax;
    this.#bytesMax = bytesMax;
  }

  /** Called by pino with each line. */
  write(line: string): void {
    this.#lines.push(line);
    this.#bytes += line.length;
    this.#added += 1;
    let dropped = 0;
    while (this.#lines.length - dropped > this.#linesMax || this.#bytes > this.#bytesMax) {
      this.#bytes -= this.#lines[dropped]?.length ?? 0;
      dropped += 1;
    }
    if (dropped > 0) this.#lines.splice(0, dropped);
  }

  /** Lines behind the first `after` of all that were ever added, and how many these are. */
  since(after: number): { readonly added: number; readonly lines: readonly string[] } {
    // More than there ever were: they are of an earlier process.
    const known = after > this.#added ? 0 : after;
    const left = Math.min(this.#added - known, this.#lines.length);
    return { added: this.#added, lines: this.#lines.slice(this.#lines.length - left) };
  }
}
