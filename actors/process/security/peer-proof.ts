/**
 * The proof between this node and its peers: the cluster's secret, or none where all members are on
 * this machine's loopback. Follows the file of the secret while the node runs.
 */
import type { Logger } from 'pino';
import {
  type ClusterSecret,
  openFrameKey,
} from '../../../transport/peer/security/cluster-secret.ts';
import { OPEN, type PeerSecurity } from '../../../transport/peer/security/peer-security.ts';
import { SecretSecurity } from '../../../transport/peer/security/secret-security.ts';
import type { NodeConfig } from '../settings/config.ts';
import { readSecrets, watchSecretFile } from './secret-file.ts';

const HANDSHAKE_MS_MAX = 2_000;

type PeerProofConfig = Pick<NodeConfig, 'nodeId' | 'initialMembers' | 'clusterSecretFile'>;

export class PeerProof {
  readonly security: PeerSecurity;
  /** Of the tags of UDP frames, 16 bytes. */
  readonly frameKey: Uint8Array;
  readonly #path: string;
  readonly #logger: Logger;
  readonly #bySecret: SecretSecurity | undefined;
  #secrets: readonly ClusterSecret[] = [];
  #unwatch: () => void = () => undefined;
  #changed: () => void = () => undefined;

  /** @throws ConfigError where the file cannot be used. */
  constructor(config: PeerProofConfig, clusterId: string, logger: Logger) {
    const { nodeId, clusterSecretFile: path } = config;
    this.#path = path;
    this.#logger = logger;
    if (path === '') {
      this.security = OPEN;
      this.frameKey = openFrameKey(clusterId);
      if (config.initialMembers.length > 1) this.#warnOfOpenPeers();
      return;
    }
    this.#secrets = readSecrets(path);
    this.#bySecret = new SecretSecurity({
      ...{ nodeId, clusterId, secrets: this.#secrets },
      handshakeTimeoutMs: HANDSHAKE_MS_MAX,
    });
    this.security = this.#bySecret;
    this.frameKey = (this.#secrets[0] as ClusterSecret).frameKey(clusterId);
    this.#tell();
  }

  /** Follows the file; `changed` is called when proofs are to be looked at anew. */
  follow(changed: () => void): void {
    this.#changed = changed;
    if (this.#path !== '') this.#unwatch = watchSecretFile(this.#path, () => this.reload());
  }

  /** Reads the file again; one that cannot be used changes nothing. */
  reload(): void {
    if (this.#bySecret === undefined) return;
    let secrets: readonly ClusterSecret[];
    try {
      secrets = readSecrets(this.#path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.error({ reason }, `the cluster secret stays as it is: ${reason}`);
      return;
    }
    if (idsOf(secrets) === idsOf(this.#secrets)) return;
    this.#secrets = secrets;
    this.#bySecret.use(secrets);
    this.#tell();
    this.#changed();
  }

  close(): void {
    this.#unwatch();
  }

  #tell(): void {
    const keys = idsOf(this.#secrets);
    const how = this.#secrets.length > 1 ? `valid are ${keys}, the first is used` : keys;
    this.#logger.info({ keys }, `peers prove themselves by the cluster secret ${how}`);
  }

  #warnOfOpenPeers(): void {
    this.#logger.warn(
      'SECURITY: there is no --cluster-secret-file: whoever can open a connection on the loopback ' +
        'of this machine can act as a member',
    );
  }
}

function idsOf(secrets: readonly ClusterSecret[]): string {
  return secrets.map(({ id }) => id).join(', ');
}
