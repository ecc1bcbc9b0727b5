/**
 * A second opinion on linearizability: builds the Go program in `porcupine/` once into a cache
 * folder under the system's temporary directory (never into the repository) and runs it on history
 * files. `check-main.ts --porcupine` and the tests use it. Without Go it says so and does nothing.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type History, InvalidHistoryError, type ModelName } from './history.ts';
import { writeHistory } from './history-file.ts';

export interface PorcupineOptions {
  /** For each key; then its verdict is `exhausted`. Default one minute. */
  readonly timeoutMs?: number;
  /** Where to write Porcupine's view of the first bad key. */
  readonly htmlPath?: string;
}

export interface PorcupineVerdict {
  readonly verdict: 'ok' | 'violation' | 'exhausted';
  readonly keys: number;
  readonly badKeys: readonly string[];
  readonly exhaustedKeys: readonly string[];
  /** The view that was written, if one was asked for and a key was bad. */
  readonly html?: string;
}

/** There is no Go, or it could not build the program (no module proxy, for one). */
export class PorcupineUnavailableError extends Error {
  override readonly name = 'PorcupineUnavailableError';
}

/**
 * Whether it can be asked about a long history: it has no model of collections, and would try the
 * orders of whole transactions, which never ends.
 */
export function isForPorcupine(model: ModelName): boolean {
  return model !== 'collections' && model !== 'list-append-txn';
}

const SOURCES = join(import.meta.dirname, 'porcupine');
const BUILD_TIMEOUT_MS = 300_000;
const OUTPUT_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Checks a history, or the history in a file. Transactions are checked as operations on the whole
 * store, which is a different search from ours but takes exponential time: small ones only.
 * @throws PorcupineUnavailableError
 * @throws InvalidHistoryError when Porcupine's models cannot read the history.
 */
export function checkWithPorcupine(
  history: History | string,
  options: PorcupineOptions = {},
): PorcupineVerdict {
  const program = buildPorcupine();
  const args = ['-timeout', `${options.timeoutMs ?? 60_000}ms`];
  if (options.htmlPath !== undefined) args.push('-html', options.htmlPath);
  if (typeof history === 'string') return run(program, [...args, history]);
  const folder = mkdtempSync(join(tmpdir(), 'holostore-history-'));
  try {
    const path = join(folder, 'history.jsonl');
    writeHistory(path, history);
    return run(program, [...args, path]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Why Porcupine cannot be used here, or undefined when it can. */
export function porcupineUnavailable(): string | undefined {
  try {
    buildPorcupine();
    return undefined;
  } catch (error) {
    if (error instanceof PorcupineUnavailableError) return error.message;
    throw error;
  }
}

/**
 * Returns the path of the program, built from the sources as they are now.
 * @throws PorcupineUnavailableError
 */
export function buildPorcupine(): string {
  const digest = createHash('sha256');
  for (const name of readdirSync(SOURCES).sort()) {
    digest.update(`${name}\n`).update(readFileSync(join(SOURCES, name)));
  }
  const user = process.getuid?.() ?? 0;
  const folder = join(tmpdir(), `holostore-cache-${user}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  // The temporary directory is everybody's: run nothing out of a folder that another user made.
  const { uid, mode } = statSync(folder);
  if (process.getuid !== undefined && (uid !== user || (mode & 0o022) !== 0)) {
    throw new PorcupineUnavailableError(`${folder} can be written by others; remove it`);
  }
  const program = join(folder, `porcupine-${digest.digest('hex').slice(0, 16)}`);
  if (existsSync(program)) return program;
  const unfinished = `${program}.${process.pid}`;
  try {
    execFileSync('go', ['build', '-o', unfinished, '.'], {
      cwd: SOURCES,
      encoding: 'utf8',
      stdio: 'pipe',
      timeout: BUILD_TIMEOUT_MS,
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'the `go` command was not found' : messageOf(error);
    throw new PorcupineUnavailableError(`Porcupine needs Go to be built: ${why}`);
  }
  renameSync(unfinished, program);
  return program;
}

function run(program: string, args: readonly string[]): PorcupineVerdict {
  try {
    const text = execFileSync(program, args, {
      encoding: 'utf8',
      stdio: 'pipe',
      maxBuffer: OUTPUT_BYTES_MAX,
    });
    return JSON.parse(text) as PorcupineVerdict;
  } catch (error) {
    throw new InvalidHistoryError(`Porcupine failed: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  const { stderr, message } = error as { stderr?: unknown; message?: unknown };
  return typeof stderr === 'string' && stderr !== '' ? stderr.trim() : String(message);
}
