/**
 * Peer links by the cluster's secret: TLS 1.3 with a pre-shared key (RFC 8446, section 2.2) and an
 * ephemeral exchange. The key is derived for one caller and one target, which the identity names: a
 * link that is reflected to its caller, or led to another member, has another key. Sessions are not
 * resumed.
 */
import type { Server, Socket } from 'node:net';
import { connect } from 'node:tls';
import type { Endpoint } from '../../endpoint.ts';
import type { ClusterSecret } from './cluster-secret.ts';
import {
  ANY_MEMBER,
  NO_CLUSTER,
  NO_NODE,
  type PeerSecurity,
  type Refusal,
} from './peer-security.ts';
import { PEER_TLS, peerTlsServer } from './peer-tls.ts';
import { refusalOfDialled } from './tls-refusal.ts';

/** Keys of the callback belong to SHA-256. */
const CIPHERS = 'TLS_AES_128_GCM_SHA256:PSK';
const NO_PROOF = 'it has not proven anything';
const VERSION = 'holostore-1';

interface Options {
  readonly nodeId: number;
  /** 32 hexadecimal digits. */
  readonly clusterId: string;
  /** One or two; the first is used for dialling. */
  readonly secrets: readonly ClusterSecret[];
  /** Of the TLS handshake. */
  readonly handshakeTimeoutMs: number;
}

interface Identity {
  readonly keyId: string;
  readonly clusterId: string;
  readonly from: number;
  readonly to: number;
}

export class SecretSecurity implements PeerSecurity {
  readonly kind = 'secret';
  readonly #options: Options;
  #secrets: readonly ClusterSecret[];
  /** Identities that sockets have proven, or are about to. */
  readonly #proofs = new WeakMap<Socket, Identity>();
  readonly #refusals = new WeakMap<Socket, Refusal>();
  /** By target: dials that failed in a row, so that both secrets are tried. */
  readonly #failed = new Map<number, number>();

  constructor(options: Options) {
    this.#options = options;
    this.#secrets = options.secrets;
  }

  /** From now on these are valid; see `isCurrent` about sockets that are open. */
  use(secrets: readonly ClusterSecret[]): void {
    this.#secrets = secrets;
    this.#failed.clear();
  }

  dial({ host, port }: Endpoint, node: number, connected: () => void): Socket {
    const { nodeId, clusterId } = this.#options;
    const failed = this.#failed.get(node) ?? 0;
    const secret = this.#secrets[failed % this.#secrets.length] as ClusterSecret;
    const identity = { keyId: secret.id, clusterId, from: nodeId, to: node };
    const psk = secret.linkKey(clusterId, nodeId, node);
    const socket = connect(
      {
        ...{ ...PEER_TLS, ciphers: CIPHERS, host, port },
        pskCallback: () => ({ psk, identity: identityText(identity) }),
        // The key has proven both ends; there is no certificate.
        checkServerIdentity: () => undefined,
      },
      () => {
        this.#failed.delete(node);
        connected();
      },
    );
    socket.setNoDelay(true);
    socket.once('error', () => {
      if (!socket.authorized) this.#failed.set(node, failed + 1);
    });
    this.#proofs.set(socket, identity);
    return socket;
  }

  server(...listeners: Parameters<PeerSecurity['server']>): Server {
    return peerTlsServer(
      {
        ciphers: CIPHERS,
        handshakeTimeout: this.#options.handshakeTimeoutMs,
        pskCallback: (socket, text) => this.#keyFor(socket, text),
      },
      {
        refusalOf: (socket) =>
          this.#proofs.has(socket) ? undefined : { kind: 'secret', reason: NO_PROOF },
        known: (socket) => this.#refusals.get(socket),
      },
      listeners,
    );
  }

  objection(socket: Socket, nodeId: number): string | undefined {
    const proof = this.#proofs.get(socket);
    if (proof === undefined) return NO_PROOF;
    if (proof.to === ANY_MEMBER) return 'it came to ask for the members, and not as a member';
    if (proof.from === nodeId) return undefined;
    return `it claims to be node ${nodeId}, but has the key of node ${proof.from}`;
  }

  refusalOf(error: NodeJS.ErrnoException): string | undefined {
    return refusalOfDialled(error, 'another cluster secret, or it is of another cluster');
  }

  isCurrent(socket: Socket): boolean {
    const keyId = this.#proofs.get(socket)?.keyId;
    return this.#secrets.some(({ id }) => id === keyId);
  }

  #keyFor(socket: Socket, text: string): Buffer | null {
    const identity = identityOf(text);
    const refuse = (kind: Refusal['kind'], reason: string): null => {
      this.#refusals.set(socket, { kind, reason });
      return null;
    };
    if (identity === undefined) return refuse('protocol', 'its identity is malformed');
    const { nodeId, clusterId } = this.#options;
    const { keyId, from, to } = identity;
    // A node that wants to join knows no more than the secret.
    const isJoining = identity.clusterId === NO_CLUSTER && to === ANY_MEMBER && from === NO_NODE;
    if (identity.clusterId !== clusterId && !isJoining) {
      return refuse('identity', `it belongs to cluster ${identity.clusterId}, not to this one`);
    }
    if (to !== nodeId && to !== ANY_MEMBER) {
      return refuse('identity', `node ${to} was dialled, but this is node ${nodeId}`);
    }
    if (from === nodeId) {
      return refuse('identity', `it claims to be node ${nodeId}, which is this node`);
    }
    const secret = this.#secrets.find(({ id }) => id === keyId);
    if (secret === undefined) {
      const known = this.#secrets.map(({ id }) => id).join(', ');
      return refuse('secret', `its cluster secret is ${keyId}, here is ${known}`);
    }
    this.#proofs.set(socket, identity);
    return secret.linkKey(identity.clusterId, from, to);
  }
}

function identityText({ keyId, clusterId, from, to }: Identity): string {
  return `${VERSION} ${keyId} ${clusterId} ${from} ${to}`;
}

function identityOf(text: string): Identity | undefined {
  const match = /^(\S+) ([0-9a-f]{16}) ([0-9a-f]{32}) (\d{1,10}) (\d{1,10})$/.exec(text);
  if (match === null || match[1] !== VERSION) return undefined;
  const [, , keyId = '', clusterId = '', from, to] = match;
  return { keyId, clusterId, from: Number(from), to: Number(to) };
}
