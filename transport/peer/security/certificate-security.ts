/**
 * Peer links by certificates: TLS 1.3 in which both ends present one that an issuer of the cluster
 * has signed, and that names the node by a URI. Any issuer in the file is taken, so that one can
 * replace another. Sessions are not resumed.
 */
import { X509Certificate } from 'node:crypto';
import type { Server, Socket } from 'node:net';
import { connect, createSecureContext, type TLSSocket, type Server as TlsServer } from 'node:tls';
import type { Endpoint } from '../../endpoint.ts';
import { ANY_MEMBER, type PeerSecurity, type Refusal } from './peer-security.ts';
import { PEER_TLS, peerTlsServer } from './peer-tls.ts';
import { refusalOfDialled } from './tls-refusal.ts';

/** PEM. */
interface PeerCertificates {
  /** Of this node, and those between it and its issuer. */
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

interface Options {
  readonly nodeId: number;
  readonly certificates: PeerCertificates;
  /** Of the TLS handshake. */
  readonly handshakeTimeoutMs: number;
}

/** In the subject's alternative names of a node's certificate. */
export function nodeUri(id: number): string {
  return `holostore:node:${id}`;
}

export class CertificateSecurity implements PeerSecurity {
  readonly kind = 'certificates';
  readonly #options: Options;
  #material: PeerCertificates;
  #issuers: readonly X509Certificate[];
  #server: TlsServer | undefined;
  /** Of sockets whose other end has been verified. */
  readonly #peers = new WeakMap<Socket, X509Certificate>();

  /** @throws Error where certificate, key and issuers do not fit. */
  constructor(options: Options) {
    this.#options = options;
    this.#issuers = checked(options.certificates, options.nodeId);
    this.#material = options.certificates;
  }

  /** For links from now on; see `isCurrent` about those that are open. @throws Error */
  use(certificates: PeerCertificates): void {
    this.#issuers = checked(certificates, this.#options.nodeId);
    this.#material = certificates;
    this.#server?.setSecureContext({ ...PEER_TLS, ...certificates });
  }

  dial({ host, port }: Endpoint, node: number, connected: () => void): Socket {
    const socket = connect(
      {
        ...{ ...PEER_TLS, ...this.#material, host, port },
        // Peers are known by their number, wherever they are reached.
        checkServerIdentity: (_host, presented) => mismatch(presented.subjectaltname, node),
      },
      () => {
        this.#remember(socket);
        connected();
      },
    );
    socket.setNoDelay(true);
    return socket;
  }

  server(...listeners: Parameters<PeerSecurity['server']>): Server {
    this.#server = peerTlsServer(
      {
        ...this.#material,
        handshakeTimeout: this.#options.handshakeTimeoutMs,
        requestCert: true,
        // Refused below, where the reason is known.
        rejectUnauthorized: false,
      },
      { refusalOf: (socket) => this.#refusalOf(socket) },
      listeners,
    );
    return this.#server;
  }

  objection(socket: Socket, nodeId: number): string | undefined {
    const names = this.#peers.get(socket)?.subjectAltName;
    return mismatch(names, nodeId) && `it claims to be node ${nodeId}, but presents ${names}`;
  }

  refusalOf(error: NodeJS.ErrnoException): string | undefined {
    if (error.message.startsWith(WRONG_NODE)) return error.message;
    if (VERIFY_ERROR.test(error.code ?? '')) return `its certificate is refused: ${error.code}`;
    return refusalOfDialled(error, 'other issuers of certificates, or this one has expired');
  }

  isCurrent(socket: Socket): boolean {
    const presented = this.#peers.get(socket);
    return presented !== undefined && this.#issuers.some((issuer) => hasIssued(issuer, presented));
  }

  #refusalOf(socket: TLSSocket): Refusal | undefined {
    const presented = this.#remember(socket);
    if (presented === undefined) return { kind: 'secret', reason: 'it presents no certificate' };
    if (!socket.authorized) {
      const reason = `its certificate is refused: ${socket.authorizationError}`;
      return { kind: 'secret', reason };
    }
    if (mismatch(presented.subjectAltName, ANY_MEMBER) === undefined) return undefined;
    return { kind: 'identity', reason: 'its certificate is not that of a node' };
  }

  #remember(socket: TLSSocket): X509Certificate | undefined {
    const presented = socket.getPeerX509Certificate();
    if (presented !== undefined) this.#peers.set(socket, presented);
    return presented;
  }
}

const NODE_NAME = /^URI:holostore:node:(\d{1,10})$/;
const WRONG_NODE = 'its certificate is not that of';
/** OpenSSL's names of what is wrong with a chain. */
const VERIFY_ERROR = /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|INVALID_|PATH_LENGTH|ERR_TLS_CERT)/;

/** `node` may be `ANY_MEMBER`. `names` as Node prints them: `URI:…, DNS:…`. */
function mismatch(names: string | undefined, node: number): Error | undefined {
  // Node quotes what could be taken for several names.
  const plain = names?.includes('"') === true ? '' : (names ?? '');
  const ids = plain.split(', ').flatMap((name) => NODE_NAME.exec(name)?.[1] ?? []);
  if (ids.some((id) => node === ANY_MEMBER || Number(id) === node)) return undefined;
  const wanted = node === ANY_MEMBER ? 'a node' : `node ${node}`;
  return new Error(`${WRONG_NODE} ${wanted}: it has ${names ?? 'no names'}`);
}

function hasIssued(issuer: X509Certificate, presented: X509Certificate): boolean {
  if (issuer.fingerprint256 === presented.fingerprint256) return true;
  return presented.checkIssued(issuer) && presented.verify(issuer.publicKey);
}

/** The issuers. @throws Error */
function checked({ cert, key, ca }: PeerCertificates, nodeId: number): readonly X509Certificate[] {
  createSecureContext({ cert, key, ca });
  const own = new X509Certificate(cert);
  const wrong = mismatch(own.subjectAltName, nodeId);
  if (wrong !== undefined) throw wrong;
  const issuers = ca.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (issuers.length === 0) throw new Error('the file of issuers holds no certificate');
  return issuers.map((pem) => new X509Certificate(pem));
}
