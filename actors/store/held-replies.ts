/**
 * Replies that are longer than what their connection takes at once. The rest waits here, and
 * follows as the connection gives credit. When too much waits, the replies that have waited longest
 * without credit are lost: their client does not read, and its connection is closed. Pure.
 */
import type { LongReply } from '../../transport/resp/codec/long-reply.ts';
import type { Part, PartAnswer, PartReplies } from '../../transport/resp/connection/part.ts';

interface Held {
  readonly part: Part;
  readonly answered: number;
  /** Those that are not told yet. */
  readonly replies: LongReply;
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

  /** Memory. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Tells as much of the replies as the part's window takes; `answer` is for the first piece. */
  begin(part: Part, answer: PartReplies, replies: LongReply): void {
    const first = replies.next(part.window);
    const last = replies.length === 0;
    this.#tell({ ...answer, replies: first, last });
    if (last) return;
    const held = { part, answered: answer.answered, replies, toldTo: first.length };
    this.#held.set(keyOf(part), held);
    this.#bytes += replies.keptBytes;
    while (this.#bytes > this.#bytesMax) this.#loseFirst();
  }

  credit(from: Pick<Part, 'unit' | 'part'>, upTo: number): void {
    const key = keyOf(from);
    const held = this.#held.get(key);
    if (held === undefined || upTo <= held.toldTo) return;
    const { replies, toldTo, part, answered } = held;
    const keptBefore = replies.keptBytes;
    const next = replies.next(upTo - toldTo);
    const last = replies.length === 0;
    this.#held.delete(key);
    this.#bytes -= keptBefore - replies.keptBytes;
    if (!last) this.#held.set(key, held);
    held.toldTo = toldTo + next.length;
    this.#tell({
      type: 'PartReplies',
      unit: part.unit,
      part: part.part,
      from: toldTo,
      replies: next,
      ends: NONE,
      errors: NONE,
      answered,
      last,
    });
  }

  abandon(from: Pick<Part, 'unit' | 'part'>): void {
    const key = keyOf(from);
    const held = this.#held.get(key);
    if (held === undefined) return;
    this.#held.delete(key);
    this.#bytes -= held.replies.keptBytes;
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
