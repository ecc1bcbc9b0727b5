/** `holostore certs`: the certificate authority of a cluster, and what it issues. */
import { parseArgs } from 'node:util';
import { CertificateMaker, type MadeFiles } from './security/certificate-maker.ts';
import { ConfigError } from './settings/settings.ts';

const USAGE =
  'certs takes "ca", "node ID HOST,..." or "client USER", and --dir DIR and --days N (see "holostore ' +
  'help certs")';
const AUTHORITY_DAYS = 3_650;
const DAYS = 1_825;
const DAYS_MAX = 36_500;

export const CERTS_HELP = [
  'holostore certs: certificates for peers and clients, made with the command openssl.',
  '',
  '  holostore certs ca                ca.crt and ca.key: keep the key away from the nodes',
  '  holostore certs node ID HOST,...  node-ID.crt: --peer-tls-cert, and --tls-cert-file for clients',
  '  holostore certs client USER       client-USER.crt: logs in the user of that name',
  '',
  '  --dir DIR   where the files are, and are made; none is replaced [./certs]',
  `  --days N    how long it is valid [${AUTHORITY_DAYS} for ca, else ${DAYS}]`,
].join('\n');

/** Returns the exit code. @throws ConfigError */
export function runCerts(args: readonly string[], write: (line: string) => void): number {
  const { words, dir, days } = parse(args);
  const maker = new CertificateMaker(dir);
  const [kind, name = '', hosts = ''] = words;
  let made: MadeFiles;
  if (kind === 'ca' && words.length === 1) {
    made = maker.authority(days ?? AUTHORITY_DAYS);
  } else if (kind === 'node' && words.length === 3) {
    made = maker.node(nodeIdOf(name), hosts.split(',').map(checkedHost), days ?? DAYS);
  } else if (kind === 'client' && words.length === 2) {
    made = maker.client(checkedUser(name), days ?? DAYS);
  } else {
    throw new ConfigError(USAGE);
  }
  write(`${made.cert} and ${made.key} are made`);
  return 0;
}

function parse(args: readonly string[]) {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: { dir: { type: 'string' }, days: { type: 'string' } },
      allowPositionals: true,
    });
    const days = values.days === undefined ? undefined : Number(values.days);
    if (days !== undefined && !(Number.isInteger(days) && days >= 1 && days <= DAYS_MAX)) {
      throw new ConfigError(`--days must be a whole number from 1 to ${DAYS_MAX}`);
    }
    return { words: positionals, dir: values.dir ?? './certs', days };
  } catch (error) {
    throw error instanceof ConfigError ? error : new ConfigError(USAGE);
  }
}

function nodeIdOf(text: string): number {
  const id = Number(text);
  if (!/^\d{1,10}$/.test(text) || id < 1 || id >= 2 ** 32) {
    throw new ConfigError(`the id of a node is a number above 0, not "${text}"`);
  }
  return id;
}

/** It goes into a configuration of openssl. */
function checkedHost(text: string): string {
  if (/^[0-9a-zA-Z.:*-]{1,253}$/.test(text)) return text;
  throw new ConfigError(`"${text}" is no host name and no IP address`);
}

/** The common name has at most 64 characters. */
function checkedUser(text: string): string {
  if (/^[0-9a-zA-Z._@-]{1,64}$/.test(text)) return text;
  throw new ConfigError(`"${text}" is no user name of 1 to 64 letters, digits, ".", "_", "@", "-"`);
}
