/**
 * The proof between this node and its peers: certificates, the cluster's secret, or none where all
 * members are on this machine's loopback. Follows the files of it while the node runs. The secret
 * also makes the key of UDP frames.
 */
import type { Logger } from 'pino';
import { CertificateSecurity } from '../../../transport/peer/security/certificate-security.ts';
import {
  type ClusterSecret,
  openFrameKey,
} from '../../../transport/peer/security/cluster-secret.ts';
import { OPEN, type PeerSecurity } from '../../../transport/peer/security/peer-security.ts';
import { SecretSecurity } from '../../../transport/peer/security/secret-security.ts';
import type { NodeConfig } from '../settings/config.ts';
import { ConfigError } from '../settings/settings.ts';
import { readPem } from './client-tls.ts';
import { readSecrets, watchSecretFile } from './secret-file.ts';

const HANDSHAKE_MS_MAX = 2_000;

type PeerProofConfig = Pick<
  NodeConfig,
  'nodeId' | 'initialMembers' | 'clusterSecretFile' | 'peerTlsCert' | 'peerTlsKey' | 'peerTlsCa'
>;

export class PeerProof {
  readonly security: PeerSecurity;
  readonly #clusterId: string;
  readonly #config: PeerProofConfig;
  readonly #logger: Logger;
  readonly #bySecret: SecretSecurity | undefined;
  readonly #byCertificate: CertificateSecurity | undefined;
  #secrets: readonly ClusterSecret[] = [];
  #unwatch: readonly (() => void)[] = [];
  #changed: () => void = () => undefined;

  /** @throws ConfigError where a file cannot be used. */
  constructor(config: PeerProofConfig, clusterId: string, logger: Logger) {
    const { nodeId, clusterSecretFile: path } = config;
    this.#config = config;
    this.#clusterId = clusterId;
    this.#logger = logger;
    const handshakeTimeoutMs = HANDSHAKE_MS_MAX;
    if (path !== '') this.#secrets = readSecrets(path);
    if (config.peerTlsCert !== '') {
      this.#byCertificate = withReason(() => {
        const certificates = readCertificates(config);
        return new CertificateSecurity({ nodeId, certificates, handshakeTimeoutMs });
      });
      this.security = this.#byCertificate;
      this.#logger.info({}, `peers prove themselves by certificates (${config.peerTlsCert})`);
    } else if (path !== '') {
      const secrets = this.#secrets;
      this.#bySecret = new SecretSecurity({ nodeId, clusterId, secrets, handshakeTimeoutMs });
      this.security = this.#bySecret;
      this.#tell();
    } else {
      this.security = OPEN;
      if (config.initialMembers.length > 1) this.#warnOfOpenPeers();
    }
  }

  /**
   * Of the tags of UDP frames, 16 bytes each: the first seals, all are valid. None: there is no
   * secret to make them of.
   */
  get frameKeys(): readonly Uint8Array[] {
    if (this.security.kind === 'open') return [openFrameKey(this.#clusterId)];
    return this.#secrets.map((secret) => secret.frameKey(this.#clusterId));
  }

  /** Follows the files; `changed` is called when proofs are to be looked at anew. */
  follow(changed: () => void): void {
    this.#changed = changed;
    const { clusterSecretFile, peerTlsCert, peerTlsKey, peerTlsCa } = this.#config;
    const paths = [clusterSecretFile, peerTlsCert, peerTlsKey, peerTlsCa];
    this.#unwatch = paths
      .filter((path) => path !== '')
      .map((path) => watchSecretFile(path, () => this.reload()));
  }

  /** Reads the files again; those that cannot be used change nothing. */
  reload(): void {
    this.#reloadCertificates();
    this.#reloadSecrets();
  }

  #reloadCertificates(): void {
    const security = this.#byCertificate;
    if (security === undefined) return;
    try {
      withReason(() => security.use(readCertificates(this.#config)));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.error({ reason }, `the certificate for peers stays as it is: ${reason}`);
      return;
    }
    this.#logger.info({}, 'the certificate for peers was read again');
    this.#changed();
  }

  #reloadSecrets(): void {
    const { clusterSecretFile: path } = this.#config;
    if (path === '') return;
    let secrets: readonly ClusterSecret[];
    try {
      secrets = readSecrets(path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.error({ reason }, `the cluster secret stays as it is: ${reason}`);
      return;
    }
    if (idsOf(secrets) === idsOf(this.#secrets)) return;
    this.#secrets = secrets;
    this.#bySecret?.use(secrets);
    this.#tell();
    this.#changed();
  }

  close(): void {
    for (const unwatch of this.#unwatch) unwatch();
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

function readCertificates({ peerTlsCert, peerTlsKey, peerTlsCa }: PeerProofConfig) {
  return {
    cert: readPem('--peer-tls-cert', peerTlsCert),
    key: readPem('--peer-tls-key', peerTlsKey),
    ca: readPem('--peer-tls-ca', peerTlsCa),
  };
}

/** @throws ConfigError */
function withReason<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`--peer-tls-cert, -key and -ca cannot be used: ${reason}`);
  }
}

function idsOf(secrets: readonly ClusterSecret[]): string {
  return secrets.map(({ id }) => id).join(', ');
}
