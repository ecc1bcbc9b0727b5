/**
 * Replies that are longer than what their connection takes at once. The rest waits here, and
 * follows as the connection gives credit. When too much waits, the replies that have waited longest
 * without credit are lost: their client does not read, and its connection is closed. Pure.
 */
import type { Part, PartAnswer, PartReplies } from '../../transport/resp/connection/part.ts';

interface Held {
  readonly part: Part;
  /** All replies of the part; those before `toldTo` are told. */
  readonly replies: Uint8Array;
  toldTo: number;
}

const NONE: readonly number[] = Object.freeze([]);

export class HeldReplies {
  readonly #bytesMax: number;
  readonly #tell: (answer: PartAnswer) => void;
  /** The first one has waited longest for credit. */
  readonly #held = new Map<string, Held>();
  #bytes = 0;

  constructor(bytesMax: number, tell: (answer: PartAnswer) => void) {
    this.#bytesMax = bytesMax;
    this.#tell = tell;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Tells as much of a first answer as the part's window takes. */
  begin(part: Part, answer: PartReplies): void {
    const { replies } = answer;
    const held = { part, replies, toldTo: part.window };
    this.#held.set(keyOf(part), held);
    this.#bytes += replies.length - part.window;
    this.#tell({ ...answer, replies: replies.subarray(0, part.window), last: false });
    while (this.#bytes > this.#bytesMax) this.#loseFirst();
  }

  credit(from: Pick<Part, 'unit' | 'part'>, upTo: number): void {
    const key = keyOf(from);
    const held = this.#held.get(key);
    if (held === undefined || upTo <= held.toldTo) return;
    const { replies, toldTo, part } = held;
    const to = Math.min(upTo, replies.length);
    const last = to === replies.length;
    this.#held.delete(key);
    this.#bytes -= to - toldTo;
    if (!last) this.#held.set(key, held);
    held.toldTo = to;
    this.#tell({
      type: 'PartReplies',
      unit: part.unit,
      part: part.part,
      from: toldTo,
      replies: replies.subarray(toldTo, to),
      ends: NONE,
      errors: NONE,
      last,
    });
  }

  abandon(from: Pick<Part, 'unit' | 'part'>): void {
    const key = keyOf(from);
    const held = this.#held.get(key);
    if (held === undefined) return;
    this.#held.delete(key);
    this.#bytes -= held.replies.length - held.toldTo;
  }

  /** The executor ends. */
  loseAll(): void {
    while (this.#held.size > 0) this.#loseFirst();
  }

  #loseFirst(): void {
    for (const { part } of this.#held.values()) {
      this.abandon(part);
      this.#tell({ type: 'RepliesLost', unit: part.unit, part: part.part });
      return;
    }
  }
}

function keyOf({ unit, part }: Pick<Part, 'unit' | 'part'>): string {
  return `${unit.connection}.${unit.sequence}.${part}`;
}
