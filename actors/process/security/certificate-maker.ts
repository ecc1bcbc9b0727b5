/**
 * Makes a certificate authority of a cluster, and certificates of its nodes and users, by the
 * `openssl` command: keys on P-256, files in PEM, none ever replaced. The certificate of a node
 * names it by a URI (`nodeUri`), which a certificate of a user cannot have.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  constants,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { isIP } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileErrorText } from '../../../transport/file-error.ts';
import { nodeUri } from '../../../transport/peer/security/certificate-security.ts';
import { ConfigError } from '../settings/settings.ts';

const OWNER_ALONE = 0o600;
const EVERYONE_READS = 0o644;
const TIMEOUT_MS = 30_000;

/** Paths in PEM. */
export interface MadeFiles {
  readonly cert: string;
  readonly key: string;
}

export class CertificateMaker {
  readonly #folder: string;

  /** `folder`: of all files; it is made when it is absent. */
  constructor(folder: string) {
    this.#folder = folder;
  }

  /** `ca.crt` and `ca.key`. @throws ConfigError */
  authority(days: number): MadeFiles {
    const extensions = [
      'basicConstraints = critical, CA:TRUE, pathlen:0',
      'keyUsage = critical, keyCertSign, cRLSign',
    ];
    return this.#make('ca', `HoloStore CA ${randomBytes(4).toString('hex')}`, extensions, days);
  }

  /** `node-ID.crt` and its key: for peers, and for clients that reach it at one of `hosts`. */
  node(id: number, hosts: readonly string[], days: number): MadeFiles {
    const names = hosts.map((host) => (isIP(host) === 0 ? `DNS:${host}` : `IP:${host}`));
    return this.#make(
      `node-${id}`,
      `node-${id}`,
      [
        `subjectAltName = ${[`URI:${nodeUri(id)}`, ...names].join(', ')}`,
        ...leaf('serverAuth, clientAuth'),
      ],
      days,
    );
  }

  /** `client-USER.crt` and its key: logs in the user of that name. */
  client(user: string, days: number): MadeFiles {
    return this.#make(`client-${user}`, user, leaf('clientAuth'), days);
  }

  #make(name: string, commonName: string, extensions: readonly string[], days: number): MadeFiles {
    const draft = mkdtempSync(join(tmpdir(), 'holo-certs-'));
    try {
      const config = join(draft, 'openssl.cnf');
      writeFileSync(config, configOf(commonName, extensions));
      const cert = join(draft, 'cert.pem');
      const key = join(draft, 'key.pem');
      const request = ['req', '-new', '-config', config, '-nodes', '-newkey', 'ec'];
      const curve = ['-pkeyopt', 'ec_paramgen_curve:P-256', '-keyout', key];
      const told = ['-days', String(days), '-sha256', '-out', cert];
      if (name === 'ca') {
        openssl([...request, ...curve, '-x509', '-extensions', 'ext', ...told]);
      } else {
        const asked = join(draft, 'request.pem');
        openssl([...request, ...curve, '-out', asked]);
        const issuer = [
          '-CA',
          join(this.#folder, 'ca.crt'),
          '-CAkey',
          join(this.#folder, 'ca.key'),
        ];
        const serial = ['-set_serial', `0x${randomBytes(16).toString('hex')}`];
        const extended = ['-extfile', config, '-extensions', 'ext'];
        openssl(['x509', '-req', '-in', asked, ...issuer, ...serial, ...extended, ...told]);
      }
      return this.#keep(name, cert, key);
    } finally {
      rmSync(draft, { recursive: true, force: true });
    }
  }

  #keep(name: string, cert: string, key: string): MadeFiles {
    const made = {
      cert: join(this.#folder, `${name}.crt`),
      key: join(this.#folder, `${name}.key`),
    };
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      copyFileSync(key, made.key, constants.COPYFILE_EXCL);
      chmodSync(made.key, OWNER_ALONE);
      copyFileSync(cert, made.cert, constants.COPYFILE_EXCL);
      chmodSync(made.cert, EVERYONE_READS);
    } catch (error) {
      throw new ConfigError(
        `${name}.crt cannot be made in ${this.#folder}: ${fileErrorText(error)}`,
      );
    }
    return made;
  }
}

function leaf(purposes: string): string[] {
  return [
    'basicConstraints = critical, CA:FALSE',
    'keyUsage = critical, digitalSignature',
    `extendedKeyUsage = ${purposes}`,
  ];
}

function configOf(commonName: string, extensions: readonly string[]): string {
  const head = ['[req]', 'prompt = no', 'distinguished_name = dn', '[dn]', `CN = ${commonName}`];
  return [...head, '[ext]', ...extensions, ''].join('\n');
}

function openssl(args: readonly string[]): void {
  try {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: TIMEOUT_MS });
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: Buffer };
    if (code === 'ENOENT') {
      throw new ConfigError('the command openssl is needed to make certificates: install it');
    }
    const lines = String(stderr ?? error)
      .trim()
      .split('\n');
    throw new ConfigError(`openssl ${args[0]} failed: ${lines.at(-1)}`);
  }
}
