/**
 * MONITOR: clients that see the commands of all clients of this node, as Redis shows them. What
 * administers the node, and words that may be passwords, is not shown.
 */

import type { ClientState } from '../connection/client-state.ts';

interface Monitor {
  push(bytes: Uint8Array): void;
}

/** Bytes of a word and words of a command that are shown. */
const WORD_BYTES_MAX = 4_096;
const WORDS_MAX = 1_024;
const REDACTED = '(redacted)';

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['"', '\\"'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
  ['\x07', '\\a'],
  ['\b', '\\b'],
]);

export class Monitors {
  readonly #wallUs: () => number;
  readonly #clients = new Set<Monitor>();

  constructor(wallUs: () => number) {
    this.#wallUs = wallUs;
  }

  isUsed(): boolean {
    return this.#clients.size > 0;
  }

  add(client: Monitor): void {
    this.#clients.add(client);
  }

  remove(client: Monitor): void {
    this.#clients.delete(client);
  }

  /** A client has sent the command, for a database. */
  show({ address }: ClientState, database: number, words: readonly string[]): void {
    const us = this.#wallUs();
    const at = `${Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, '0')}`;
    const shown = redacted(words).slice(0, WORDS_MAX).map(quoted);
    if (words.length > WORDS_MAX) shown.push(`... (${words.length - WORDS_MAX} more arguments)`);
    const line = Buffer.from(`+${at} [${database} ${address}] ${shown.join(' ')}\r\n`, 'latin1');
    for (const client of [...this.#clients]) client.push(line);
  }
}

/** User and password stand behind AUTH, also within HELLO. */
function redacted(words: readonly string[]): readonly string[] {
  const name = words[0]?.toUpperCase();
  if (name !== 'AUTH' && name !== 'HELLO') return words;
  const at = words.findIndex((word) => word.toUpperCase() === 'AUTH');
  return words.map((word, i) => (at >= 0 && i > at && i <= at + 2 ? REDACTED : word));
}

function quoted(word: string): string {
  const some = word.slice(0, WORD_BYTES_MAX);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is escaped
  const text = some.replace(/[\x00-\x1f"\\\x7f-\xff]/g, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(2, '0');
    return ESCAPES.get(character) ?? `\\x${code}`;
  });
  const more = word.length - some.length;
  return more === 0 ? `"${text}"` : `"${text}... (${more} more bytes)"`;
}
