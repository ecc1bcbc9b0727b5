/**
 * The slow log (SLOWLOG): the last units, and commands of the gateway, that took longer than a
 * threshold. A unit, the commands of one read of a socket, has one entry: its commands are answered
 * together, so that none of them has a time of its own. Bounded in entries, arguments and bytes.
 */
import { Arguments } from '../../../storage/arguments.ts';

/** As Redis cuts an entry. */
const ARGUMENTS_MAX = 32;
const ARGUMENT_BYTES_MAX = 128;
/** Entries that are kept however high `slowlog-max-len` is: some 17 MiB at most. */
const ENTRIES_MAX = 4096;

interface SlowEntry {
  /** Ascends, and is never used again, also not after `reset`. */
  readonly id: number;
  /** When it ended: Unix time in seconds. */
  readonly atSeconds: number;
  /** From its submission to its replies. */
  readonly tookUs: number;
  readonly words: readonly string[];
  readonly address: string;
  readonly name: string;
}

export class SlowLog {
  /** Microseconds; below 0: nothing is logged. */
  thresholdUs = 10_000;
  lengthMax = 128;
  #entries: SlowEntry[] = [];
  #lastId = -1;

  add(entry: Omit<SlowEntry, 'id'>): void {
    this.#lastId += 1;
    this.#entries.push({ id: this.#lastId, ...entry });
    const kept = Math.min(this.lengthMax, ENTRIES_MAX);
    if (this.#entries.length > kept) this.#entries = this.#entries.slice(-kept || Infinity);
  }

  isSlow(tookUs: number): boolean {
    return this.thresholdUs >= 0 && tookUs >= this.thresholdUs;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** The newest first; `count` below 0: all. */
  newest(count: number): SlowEntry[] {
    const from = count < 0 ? 0 : Math.max(0, this.#entries.length - count);
    return this.#entries.slice(from).reverse();
  }

  reset(): void {
    this.#entries = [];
  }
}

/** The words of an entry for these commands: of the first, and how many follow. */
export function slowWords(bytes: Uint8Array, commands: number): string[] {
  const args = new Arguments();
  args.next(bytes, 0);
  const words = cutWords(
    args.count,
    (i) => args.bytes(i),
    (i) => args.head(i, ARGUMENT_BYTES_MAX),
  );
  if (commands > 1) words.push(`... (${commands - 1} more commands)`);
  return words;
}

/**
 * Words as Redis cuts them, made of the beginnings of the arguments: those may be long, and a text
 * of them all would cost more than to run the command.
 */
export function cutWords(
  count: number,
  bytes: (i: number) => number,
  head: (i: number) => string,
): string[] {
  const shown = count > ARGUMENTS_MAX ? ARGUMENTS_MAX - 1 : count;
  const words = Array.from({ length: shown }, (_, i) => cutWord(head(i), bytes(i)));
  if (count > shown) words.push(`... (${count - shown} more arguments)`);
  return words;
}

function cutWord(text: string, bytes: number): string {
  const more = bytes - ARGUMENT_BYTES_MAX;
  if (more <= 0) return text;
  // Copied: a slice would keep the whole argument.
  const head = Buffer.from(text.slice(0, ARGUMENT_BYTES_MAX), 'latin1').toString('latin1');
  return `${head}... (${more} more bytes)`;
}
