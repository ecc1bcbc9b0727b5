/**
 * The file with the cluster's secret: made by `holostore make-secret`, read at start, and again
 * when it has changed or the node is told to (SIGHUP). A file that cannot be used later on leaves
 * the secrets as they are.
 */
import { chmodSync, readFileSync, statSync, unwatchFile, watchFile, writeFileSync } from 'node:fs';
import { fileErrorText } from '../../../transport/file-error.ts';
import {
  type ClusterSecret,
  newSecret,
  parseSecrets,
  SecretError,
} from '../../../transport/peer/security/cluster-secret.ts';
import { ConfigError } from '../settings/settings.ts';

const LOOK_EVERY_MS = 1_000;
const OWNER_ALONE = 0o600;
/** Readable, writable or executable by everyone. */
const OTHERS = 0o007;

/** @throws ConfigError that names the file and quotes nothing of it. */
export function readSecrets(path: string): readonly ClusterSecret[] {
  try {
    if ((statSync(path).mode & OTHERS) !== 0) {
      throw new SecretError(`may be used by everyone on this machine: chmod 600 ${path}`);
    }
    return parseSecrets(readFileSync(path, 'utf8'));
  } catch (error) {
    const reason = error instanceof SecretError ? error.message : fileErrorText(error);
    throw new ConfigError(`--cluster-secret-file ${path}: ${reason}`);
  }
}

/** Never replaces a file. @throws ConfigError */
export function makeSecretFile(path: string): void {
  try {
    writeFileSync(path, `${newSecret()}\n`, { flag: 'wx', mode: OWNER_ALONE });
    // Whatever the umask says.
    chmodSync(path, OWNER_ALONE);
  } catch (error) {
    throw new ConfigError(`${path} cannot be made: ${fileErrorText(error)}`);
  }
}

/** Calls when the file may have changed; returns how to end that. */
export function watchSecretFile(path: string, changed: () => void): () => void {
  const listener = (): void => changed();
  watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, listener);
  return () => unwatchFile(path, listener);
}
