/**
 * The keys that a connection watches, with their states as the store has told them. WATCH asks for
 * the states in a unit of its own (`VERSION_COMMAND`); EXEC puts them in front of its block. Knows
 * no socket and no protocol but the lines of such answers.
 */
import {
  STATE_OPEN,
  UNCHANGED_COMMAND,
  VERSION_COMMAND,
} from '../../../storage/commands/watched.ts';
import { slotOfText } from '../../../storage/keyspace/slots.ts';
import { requestOf } from '../../../storage/request.ts';

/** A command that the gateway gives itself, with what a part needs of it. */
export interface OwnCommand {
  readonly bytes: Buffer;
  readonly slots: readonly number[];
  readonly database: number;
}

interface Watched {
  readonly database: number;
  readonly key: string;
  readonly state: string;
}

interface WatchLimits {
  readonly watchedKeysMax: number;
  /** Bytes of the command in front of the block. */
  readonly multiBytesMax: number;
}

/** Of a watched key, besides itself, in that command. */
const STATE_BYTES = 128;
/** Questions about keys that change all the time; then EXEC finds them changed. */
const TRIES_MAX = 8;
const TOO_MANY = 'ERR too many keys are watched';

export class WatchedKeys {
  /** By database and key: the first state counts. */
  readonly #watched = new Map<string, Watched>();
  #bytes = 0;
  /** The database and the keys whose states are being asked for. */
  #database = 0;
  #asked: string[] = [];
  #tries = 0;
  #lines = '';

  get size(): number {
    return this.#watched.size;
  }

  clear(): void {
    this.#watched.clear();
    this.#bytes = 0;
  }

  /** Begins a WATCH. Returns the error line of one that may not be. */
  begin(database: number, keys: readonly string[], limits: WatchLimits): string | undefined {
    const fresh = [...new Set(keys)].filter((key) => !this.#watched.has(nameOf(database, key)));
    const bytes = fresh.reduce((sum, key) => sum + key.length + STATE_BYTES, this.#bytes);
    const count = this.#watched.size + fresh.length;
    if (count > limits.watchedKeysMax || bytes > limits.multiBytesMax) return TOO_MANY;
    this.#database = database;
    this.#asked = fresh;
    this.#tries = 0;
    return undefined;
  }

  /** One command for each key whose state is not known yet. */
  questions(): OwnCommand[] {
    this.#lines = '';
    this.#tries += 1;
    return this.#asked.map((key) => ({
      bytes: requestOf([VERSION_COMMAND, key]),
      slots: [slotOfText(key)],
      database: this.#database,
    }));
  }

  /** Takes the answer to the questions, a line for each, in pieces. */
  reply(bytes: Uint8Array): void {
    this.#lines += Buffer.from(bytes).toString('latin1');
  }

  /** After the whole answer: the error line of a WATCH that failed. */
  answered(): string | undefined {
    const lines = this.#lines.split('\r\n');
    const failed = lines.find((line) => line.startsWith('-'));
    if (failed !== undefined) {
      this.#asked = [];
      return failed.slice(1);
    }
    const open: string[] = [];
    for (const [i, key] of this.#asked.entries()) {
      const state = lines[i]?.slice(1) ?? STATE_OPEN;
      if (state === STATE_OPEN && this.#tries < TRIES_MAX) open.push(key);
      else this.#watch(key, state);
    }
    this.#asked = open;
    return undefined;
  }

  #watch(key: string, state: string): void {
    const database = this.#database;
    this.#watched.set(nameOf(database, key), { database, key, state });
    this.#bytes += key.length + STATE_BYTES;
  }

  /** For the front of a block; nothing is watched any more. */
  takeGuard(): OwnCommand | undefined {
    const all = [...this.#watched.values()];
    if (all.length === 0) return undefined;
    this.clear();
    const words = all.flatMap(({ database, key, state }) => [String(database), key, state]);
    const bytes = requestOf([UNCHANGED_COMMAND, ...words]);
    return { bytes, slots: all.map(({ key }) => slotOfText(key)), database: 0 };
  }
}

function nameOf(database: number, key: string): string {
  return `${database}:${key}`;
}
