/**
 * TLS for Redis clients and for the admin port: reads the files of the settings, and again when one
 * of them changes or the node is told to (SIGHUP). Files that cannot be used later on leave the
 * certificate as it is.
 */
import { readFileSync, unwatchFile, watchFile } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Logger } from 'pino';
import { fileErrorText } from '../../../transport/file-error.ts';
import { TlsListener, type TlsMaterial } from '../../../transport/tls-server.ts';
import type { NodeConfig } from '../settings/config.ts';
import { ConfigError } from '../settings/settings.ts';

const LOOK_EVERY_MS = 1_000;

type TlsConfig = Pick<
  NodeConfig,
  'tlsCertFile' | 'tlsKeyFile' | 'tlsCaCertFile' | 'tlsAuthClients'
>;
type TlsUses = Pick<NodeConfig, 'listenRedisTls' | 'adminTls'>;

export class ClientTls {
  readonly listener: TlsListener;
  readonly #config: TlsConfig;
  readonly #logger: Logger;
  readonly #changed = (): void => this.reload();

  /** `undefined`: no port uses it. @throws ConfigError where a file cannot be used. */
  static ofConfig(config: TlsConfig & TlsUses, logger: Logger): ClientTls | undefined {
    const isUsed = config.listenRedisTls !== undefined || config.adminTls;
    return isUsed ? new ClientTls(config, logger) : undefined;
  }

  /** @throws ConfigError where a file cannot be used. */
  constructor(config: TlsConfig, logger: Logger) {
    this.#config = config;
    this.#logger = logger;
    this.listener = new TlsListener(readMaterial(config), config.tlsAuthClients, (source, reason) =>
      logger.debug({ source, reason }, `a TLS client was refused: ${reason} (from ${source})`),
    );
    for (const path of pathsOf(config)) {
      watchFile(path, { interval: LOOK_EVERY_MS, persistent: false }, this.#changed);
    }
  }

  /** For connections from now on. */
  reload(): void {
    try {
      this.listener.use(readMaterial(this.#config));
      this.#logger.info({}, 'the certificate for clients was read again');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#logger.error({ reason }, `the certificate stays as it is: ${reason}`);
    }
  }

  close(): void {
    for (const path of pathsOf(this.#config)) unwatchFile(path, this.#changed);
  }
}

function pathsOf({ tlsCertFile, tlsKeyFile, tlsCaCertFile }: TlsConfig): string[] {
  return [tlsCertFile, tlsKeyFile, tlsCaCertFile].filter((path) => path !== '');
}

function readMaterial(config: TlsConfig): TlsMaterial {
  const material = {
    cert: readPem('--tls-cert-file', config.tlsCertFile),
    key: readPem('--tls-key-file', config.tlsKeyFile),
    ca:
      config.tlsCaCertFile === '' ? undefined : readPem('--tls-ca-cert-file', config.tlsCaCertFile),
  };
  try {
    createSecureContext(material);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(`--tls-cert-file and --tls-key-file cannot be used: ${reason}`);
  }
  return material;
}

/** @throws ConfigError that names the flag. */
export function readPem(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(`${flag} ${path}: ${fileErrorText(error)}`);
  }
}
