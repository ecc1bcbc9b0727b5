/**
 * The secret of a cluster: 32 random bytes that every member has. Keys for links and frames are
 * derived from it by HKDF (RFC 5869), per cluster and purpose, so that none tells of another, nor
 * of the secret. A file holds one secret, or two while they are being rotated: both are valid, the
 * first one is used for what this node begins.
 */
import { createHash, hkdfSync, randomBytes } from 'node:crypto';

const SECRET_BYTES = 32;
const LINK_KEY_BYTES = 32;
const FRAME_KEY_BYTES = 16;
const KEY_ID_BYTES = 8;
/** Old and new. */
const SECRETS_MAX = 2;

/** The text of a secret file is wrong; never quotes it. */
export class SecretError extends Error {
  readonly code = 'HOLO_SECRET';
}

export class ClusterSecret {
  /** Names the secret without telling it: 16 hexadecimal digits. */
  readonly id: string;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.id = Buffer.from(hkdfSync('sha256', bytes, '', 'holostore key id', KEY_ID_BYTES)).toString(
      'hex',
    );
  }

  /** Of the link that node `from` dials to node `to`; another one than of the way back. */
  linkKey(clusterId: string, from: number, to: number): Buffer {
    return this.#derive(clusterId, `holostore peer link ${from} ${to}`, LINK_KEY_BYTES);
  }

  /** Of the tags of UDP frames. */
  frameKey(clusterId: string): Buffer {
    return this.#derive(clusterId, 'holostore frames', FRAME_KEY_BYTES);
  }

  #derive(clusterId: string, purpose: string, bytes: number): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#bytes, clusterId, purpose, bytes));
  }
}

/** One line, without a line break. */
export function newSecret(): string {
  return randomBytes(SECRET_BYTES).toString('hex');
}

/**
 * The secrets of a file: a line each, blank lines and lines with `#` aside.
 *
 * @throws SecretError
 */
export function parseSecrets(text: string): readonly ClusterSecret[] {
  const lines = text.split('\n').map((line) => line.trim());
  const told = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (told.length === 0) throw new SecretError('holds no secret');
  if (told.length > SECRETS_MAX) {
    throw new SecretError(`holds ${told.length} secrets: at most ${SECRETS_MAX} are valid at once`);
  }
  const secrets = told.map((line) => {
    if (!/^[0-9a-f]{64}$/i.test(line)) {
      throw new SecretError('holds a line that is no secret of 64 hexadecimal digits');
    }
    return new ClusterSecret(Buffer.from(line, 'hex'));
  });
  if (secrets[0]?.id === secrets[1]?.id) throw new SecretError('holds the same secret twice');
  return secrets;
}

/**
 * The key of frames where there is no secret, which is where all members are on one machine: it
 * keeps clusters apart and proves nothing.
 */
export function openFrameKey(clusterId: string): Buffer {
  const digest = createHash('sha256').update(`holostore open frames ${clusterId}`).digest();
  return digest.subarray(0, FRAME_KEY_BYTES);
}
