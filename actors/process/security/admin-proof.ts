/**
 * The proof of administrators and users at the admin port: the token file, made at the first start,
 * and the users of the Redis port. Follows the file while the node runs; one that cannot be used
 * later on leaves the tokens as they are.
 */
import { linkSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Logger } from 'pino';
import type { AccessControl } from '../../../transport/access/access-control.ts';
import { AdminDoor } from '../../../transport/access/admin/admin-door.ts';
import { newToken, parseTokens, TokenError } from '../../../transport/access/admin/admin-token.ts';
import type { Role } from '../../../transport/access/admin/roles.ts';
import { fileErrorText } from '../../../transport/file-error.ts';
import type { Clock } from '../../runtime/ports/ports.ts';
import { ConfigError } from '../settings/settings.ts';
import { watchSecretFile } from './secret-file.ts';

const STANDARD_FILE = 'admin-token';
const OWNER_ALONE = 0o600;
const OTHERS = 0o077;
/** Refusals of one address within this time are one line of the log. */
const QUIET_MS = 10_000;

interface AdminProofOptions {
  /** Empty: a file in `dataDir`, which is there. */
  readonly tokenFile: string;
  readonly dataDir: string;
  readonly users: () => AccessControl | undefined;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class AdminProof {
  readonly door: AdminDoor;
  /** An absolute path. */
  readonly tokenFile: string;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #unwatch: () => void;
  #tokens: readonly string[];
  /** When a refusal was last logged. */
  #toldMs = Number.NEGATIVE_INFINITY;
  #untold = 0;

  /** @throws ConfigError where the file cannot be made or used. */
  constructor({ tokenFile, dataDir, users, clock, logger }: AdminProofOptions) {
    this.tokenFile = resolve(tokenFile === '' ? join(dataDir, STANDARD_FILE) : tokenFile);
    this.#logger = logger;
    this.#clock = clock;
    makeTokenFile(this.tokenFile);
    this.#tokens = readTokens(this.tokenFile);
    this.door = new AdminDoor({
      tokens: () => this.#tokens,
      users,
      clock,
      onLogin: (user, source, role) => this.#onLogin(user, source, role),
    });
    this.#unwatch = watchSecretFile(this.tokenFile, () => this.reload());
    const line = `the token of administrators is in ${this.tokenFile}`;
    logger.info({ tokenFile: this.tokenFile }, line);
  }

  /** Reads the file again. Sessions of a token that is not there any more end. */
  reload(): void {
    try {
      this.#tokens = readTokens(this.tokenFile);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.error({ reason }, `the token of administrators stays as it is: ${reason}`);
    }
  }

  close(): void {
    this.#unwatch();
  }

  #onLogin(user: string, source: string, role: Role | undefined): void {
    if (role !== undefined) {
      this.#logger.info({ user, source, role }, `admin port: ${user} logged in as ${role}`);
      return;
    }
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#toldMs < QUIET_MS) {
      this.#untold += 1;
      return;
    }
    const others = this.#untold;
    this.#toldMs = nowMs;
    this.#untold = 0;
    const more = others === 0 ? '' : `, and ${others} before it`;
    const line = `admin port: a login was refused: user ${user} from ${source}${more}`;
    this.#logger.warn({ user, source, others }, line);
  }
}

/** Several nodes may be started at once that share one: the first file there is that of all. */
function makeTokenFile(path: string): void {
  const draft = `${path}.${process.pid}.new`;
  try {
    if (statSync(path, { throwIfNoEntry: false }) !== undefined) return;
    writeFileSync(draft, `${newToken()}\n`, { mode: OWNER_ALONE, flush: true });
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return;
    throw new ConfigError(`--admin-token-file ${path} cannot be made: ${fileErrorText(error)}`);
  } finally {
    rmSync(draft, { force: true });
  }
}

/** @throws ConfigError that names the file and quotes nothing of it. */
function readTokens(path: string): readonly string[] {
  try {
    if ((statSync(path).mode & OTHERS) !== 0) {
      throw new TokenError(`may be used by others on this machine: chmod 600 ${path}`);
    }
    return parseTokens(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof TokenError ? error.message : fileErrorText(error);
    throw new ConfigError(`--admin-token-file ${path}: ${reason}`);
  }
}
