/**
 * History files: one header line and one JSON line per operation. `check-main.ts` and the Porcupine
 * bridge use it; a recorder writes the history of a run here, so that a failure can be examined.
 */
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';
import { decodeHistory, encodeHistory, type History, InvalidHistoryError } from './history.ts';

/** A larger file would not fit into one JavaScript string. */
export const HISTORY_BYTES_MAX = 256 * 1024 * 1024;

const CHUNK_CHARS = 1 << 20;

/** Writes (or overwrites) the file. */
export function writeHistory(path: string, history: History): void {
  const file = openSync(path, 'w');
  try {
    let chunk = '';
    for (const line of encodeHistory(history)) {
      chunk += `${line}\n`;
      if (chunk.length >= CHUNK_CHARS) {
        writeAll(file, chunk);
        chunk = '';
      }
    }
    writeAll(file, chunk);
  } finally {
    closeSync(file);
  }
}

/** @throws InvalidHistoryError when the file is malformed or larger than `HISTORY_BYTES_MAX`. */
export function readHistory(path: string): History {
  const bytes = statSync(path).size;
  if (bytes > HISTORY_BYTES_MAX) {
    throw new InvalidHistoryError(`${path}: ${bytes} bytes; at most ${HISTORY_BYTES_MAX} are read`);
  }
  return decodeHistory(readFileSync(path, 'utf8').split('\n'));
}

function writeAll(file: number, text: string): void {
  const bytes = Buffer.from(text, 'utf8');
  let written = 0;
  while (written < bytes.length) written += writeSync(file, bytes, written);
}
