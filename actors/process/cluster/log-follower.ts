/**
 * Reads what a child process appends to its log file and passes on the lines that a person at the
 * terminal must see: warnings, errors, and what is no log line at all. The file is read rather than
 * a pipe, so that a child can always write its last words.
 */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { escapeLine } from '../../../transport/escape.ts';

const CHUNK_BYTES = 64 * 1024;
/** More than this at once is skipped: the file has it all. */
const BEHIND_BYTES_MAX = 1024 * 1024;
const LINE_CHARS_MAX = 500;
const WARN = 40;

export class LogFollower {
  readonly #path: string;
  readonly #onLine: (line: string) => void;
  #offset: number;
  #rest = '';

  /** Follows from the present end of the file. */
  constructor(path: string, onLine: (line: string) => void) {
    this.#path = path;
    this.#onLine = onLine;
    this.#offset = sizeOf(path);
  }

  /** Passes on what was appended since the last call. */
  read(): void {
    const size = sizeOf(this.#path);
    if (size - this.#offset > BEHIND_BYTES_MAX) {
      this.#onLine(`(${size - this.#offset - BEHIND_BYTES_MAX} bytes skipped, see ${this.#path})`);
      this.#offset = size - BEHIND_BYTES_MAX;
      this.#rest = '';
    }
    if (size <= this.#offset) return;
    const file = openSync(this.#path, 'r');
    try {
      const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, size - this.#offset));
      while (this.#offset < size) {
        const bytes = readSync(file, chunk, 0, chunk.length, this.#offset);
        if (bytes === 0) break;
        this.#offset += bytes;
        this.#take(chunk.toString('utf8', 0, bytes));
      }
    } finally {
      closeSync(file);
    }
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = (lines.pop() ?? '').slice(-CHUNK_BYTES);
    for (const line of lines) {
      const shown = lineToShow(line);
      if (shown !== undefined) this.#onLine(escapeLine(shown.slice(0, LINE_CHARS_MAX)));
    }
  }
}

/** `undefined` for a log line below warning. */
export function lineToShow(line: string): string | undefined {
  if (line.trim() === '') return undefined;
  let entry: { level?: unknown; msg?: unknown; err?: { message?: unknown } };
  try {
    entry = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof entry?.level !== 'number') return line;
  if (entry.level < WARN) return undefined;
  const cause = entry.err?.message === undefined ? '' : `: ${String(entry.err.message)}`;
  return `${entry.level > WARN ? 'ERROR' : 'WARN'} ${String(entry.msg)}${cause}`;
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
