/**
 * Undelivered messages with the reason: the runtime's answer to "where did it go?".
 * Keeps the last `DEAD_LETTERS_MAX` and a count per reason; the cells write, console and metrics
 * read. It keeps what a message was, never the message itself: a thousand refused batches would
 * hold a thousand batches of memory just when memory is short.
 */
import { messageName } from '../message-name.ts';

export const DEAD_LETTERS_MAX = 1_000;

export const DEAD_LETTER_REASONS = ['full', 'stopped', 'crashed', 'stale', 'late-reply'] as const;

/**
 * `full`: over a bound. `stopped`: the actor is gone, or went with the message in its queue.
 * `crashed`: its handler threw on this message. `stale`: sent to, or kept by, an ended incarnation.
 * `late-reply`: the question was answered or abandoned before.
 */
export type DeadLetterReason = (typeof DEAD_LETTER_REASONS)[number];

interface DeadLetter {
  /** 1, 2, 3 ... since the start of the system. */
  readonly serial: number;
  readonly to: string;
  /** The message's `type`, or the name of its class or primitive type. */
  readonly message: string;
  readonly reason: DeadLetterReason;
  readonly atMs: number;
}

export class DeadLetters {
  /** Sees each letter with its message; for tests and for a log that has limits of its own. */
  listener: ((letter: DeadLetter, message: unknown) => void) | undefined;
  readonly #ring: DeadLetter[] = [];
  readonly #counts = new Map<DeadLetterReason, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  add(to: string, message: unknown, reason: DeadLetterReason, atMs: number): DeadLetter {
    this.#total += 1;
    const letter = { serial: this.#total, to, message: messageName(message), reason, atMs };
    this.#ring[(this.#total - 1) % DEAD_LETTERS_MAX] = letter;
    this.#counts.set(reason, this.count(reason) + 1);
    this.listener?.(letter, message);
    return letter;
  }

  count(reason: DeadLetterReason): number {
    return this.#counts.get(reason) ?? 0;
  }

  /** Letters with a serial above the given one that are still kept, oldest first. */
  since(serial: number): DeadLetter[] {
    const letters: DeadLetter[] = [];
    const first = Math.max(serial, this.#total - DEAD_LETTERS_MAX) + 1;
    for (let next = Math.max(1, first); next <= this.#total; next += 1) {
      const letter = this.#ring[(next - 1) % DEAD_LETTERS_MAX];
      if (letter !== undefined) letters.push(letter);
    }
    return letters;
  }
}
