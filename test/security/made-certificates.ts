/**
 * Certificates for tests, made by `holostore certs`' maker in a temporary folder: of one authority,
 * and a stranger's. Skipped where there is no openssl.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateMaker } from '../../actors/process/security/certificate-maker.ts';

/** Why tests with certificates are skipped; `undefined`: they run. */
export function noOpenssl(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'there is no openssl';
  }
}

export interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** One authority in a folder of its own. */
export class TestAuthority {
  readonly folder = mkdtempSync(join(tmpdir(), 'holo-authority-'));
  readonly maker = new CertificateMaker(this.folder);

  constructor() {
    this.maker.authority(2);
    process.once('exit', () => this.remove());
  }

  get ca(): string {
    return readFileSync(join(this.folder, 'ca.crt'), 'utf8');
  }

  /** `days` may be below 0: it has expired. */
  node(id: number, days = 2): Pair {
    return read(this.maker.node(id, ['localhost', '127.0.0.1'], days));
  }

  client(user: string, days = 2): Pair {
    return read(this.maker.client(user, days));
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The files are removed, so that others of the same name can be made. */
function read({ cert, key }: Pair): Pair {
  const made = { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  for (const path of [cert, key]) rmSync(path);
  return made;
}
