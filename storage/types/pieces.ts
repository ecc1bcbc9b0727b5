/**
 * A long string as pieces of equal length. Its versions share the pieces that a change has not
 * touched, so that a change costs one piece and not the whole string. Immutable.
 */

/** All pieces but the last one have this length. */
const PIECE_BYTES = 32 * 1024;
/** Shorter strings are copied whole. */
export const PIECED_BYTES_MIN = 4 * PIECE_BYTES;
const NO_BYTES = '\0'.repeat(PIECE_BYTES);

export class Pieces {
  readonly all: readonly string[];
  readonly length: number;

  private constructor(all: readonly string[], length: number) {
    this.all = all;
    this.length = length;
  }

  static of(text: string): Pieces {
    const all: string[] = [];
    for (let at = 0; at < text.length; at += PIECE_BYTES) {
      all.push(text.slice(at, at + PIECE_BYTES));
    }
    return new Pieces(all, text.length);
  }

  /** With `patch` from `offset` on; NUL bytes fill what lies between the old end and it. */
  with(offset: number, patch: string): Pieces {
    const end = offset + patch.length;
    const all = [...this.all];
    extend(all, this.length, offset);
    let at = offset;
    while (at < end) {
      const index = Math.floor(at / PIECE_BYTES);
      const start = index * PIECE_BYTES;
      const to = Math.min(end, start + PIECE_BYTES);
      const old = all[index] ?? '';
      const inside = patch.slice(at - offset, to - offset);
      all[index] = old.slice(0, at - start) + inside + old.slice(to - start);
      at = to;
    }
    return new Pieces(all, Math.max(this.length, end));
  }

  slice(from: number, to: number): string {
    const first = Math.floor(from / PIECE_BYTES);
    const pieces = this.all.slice(first, Math.ceil(to / PIECE_BYTES));
    return pieces.join('').slice(from - first * PIECE_BYTES, to - first * PIECE_BYTES);
  }

  toString(): string {
    return this.all.join('');
  }
}

/** Appends NUL bytes to pieces of `length` bytes, until there are `wanted`. */
function extend(all: string[], length: number, wanted: number): void {
  if (wanted <= length) return;
  const last = all.length - 1;
  const tail = all[last];
  if (tail !== undefined && tail.length < PIECE_BYTES) {
    const missing = Math.min(PIECE_BYTES, wanted - last * PIECE_BYTES) - tail.length;
    all[last] = tail + NO_BYTES.slice(0, missing);
  }
  for (let at = all.length * PIECE_BYTES; at < wanted; at += PIECE_BYTES) {
    all.push(NO_BYTES.slice(0, wanted - at));
  }
}
