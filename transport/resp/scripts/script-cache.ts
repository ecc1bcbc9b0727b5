/**
 * Bodies of scripts that clients of this node have sent with EVAL, so that EVALSHA finds them here
 * as in Redis. They are one-off: the oldest go when there are too many. Loaded scripts are in the
 * cluster's table, and known everywhere.
 */
import { sha1Of } from '../../../storage/commands/script/sha1.ts';
import { FLUSHES_ROW } from '../../../storage/commands/script/stored-scripts.ts';

const BYTES_MAX = 8 * 1024 * 1024;

type Rows = () => ReadonlyMap<string, string>;

export class ScriptCache {
  readonly #bodies = new Map<string, string>();
  readonly #rows: Rows;
  readonly #bytesMax: number;
  #bytes = 0;
  #flushes: string | undefined;
  /** The one that was noted last: most pipelines repeat one. */
  #last = '';

  /** `rows`: what this node knows of the cluster's table. */
  constructor(rows: Rows, bytesMax = BYTES_MAX) {
    this.#rows = rows;
    this.#bytesMax = bytesMax;
  }

  note(body: string): void {
    this.#forgetFlushed();
    if (body === this.#last || body.length > this.#bytesMax) return;
    this.#last = body;
    const hash = sha1Of(body);
    // The one that was used last is the last to go.
    if (this.#bodies.delete(hash)) this.#bytes -= body.length;
    this.#bodies.set(hash, body);
    this.#bytes += body.length;
    for (const [oldest, its] of this.#bodies) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#bodies.delete(oldest);
      this.#bytes -= its.length;
    }
  }

  find(hash: string): string | undefined {
    this.#forgetFlushed();
    return this.#bodies.get(hash);
  }

  /** SCRIPT FLUSH, at whatever node, is for these scripts too. */
  #forgetFlushed(): void {
    const flushes = this.#rows().get(FLUSHES_ROW);
    if (flushes === this.#flushes) return;
    this.#flushes = flushes;
    this.#bodies.clear();
    this.#last = '';
    this.#bytes = 0;
  }
}
