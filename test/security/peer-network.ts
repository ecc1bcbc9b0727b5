/** Networks of nodes on the loopback, with secrets, for the tests of who may become a peer. */
import { type ConnectionOptions, connect } from 'node:tls';
import type { MemberEndpoint } from '../../transport/peer/handshake.ts';
import {
  type ClusterSecret,
  newSecret,
  parseSecrets,
} from '../../transport/peer/security/cluster-secret.ts';
import type { PeerSecurity } from '../../transport/peer/security/peer-security.ts';
import { SecretSecurity } from '../../transport/peer/security/secret-security.ts';
import type { TcpNetworkOptions } from '../../transport/peer/tcp-network.ts';
import {
  atEnd,
  CLUSTER,
  EventRecorder,
  type NodeOnLoopback,
  openNode,
} from '../transport/peer/loopback-nodes.ts';

export const SECRETS: readonly ClusterSecret[] = [newSecret(), newSecret()].flatMap(parseSecrets);

class FrameRecorder extends EventRecorder {
  readonly frames: string[] = [];
  onFrame(_peer: number, frame: Uint8Array): void {
    this.frames.push(Buffer.from(frame).toString('latin1'));
  }
}

export interface PeerNode extends NodeOnLoopback<FrameRecorder> {
  readonly security: PeerSecurity;
  /** Refused callers, by class, but for those that are 0. */
  refused(): Record<string, number>;
}

export function bySecret(
  nodeId: number,
  secrets: readonly ClusterSecret[] = SECRETS.slice(0, 1),
  clusterId = CLUSTER,
): SecretSecurity {
  return new SecretSecurity({ nodeId, clusterId, secrets, handshakeTimeoutMs: 400 });
}

export async function open(
  nodeId: number,
  security: PeerSecurity,
  members: readonly MemberEndpoint[] = [],
  changes: Partial<TcpNetworkOptions> = {},
): Promise<PeerNode> {
  const node = await openNode(nodeId, new FrameRecorder(), members, { security, ...changes });
  return {
    ...{ ...node, security },
    refused: () =>
      Object.fromEntries([...node.network.refusedCallers()].filter(([, count]) => count > 0)),
  };
}

/** Two nodes that have been told of each other. */
export async function pairOf(one: PeerSecurity, two: PeerSecurity): Promise<[PeerNode, PeerNode]> {
  const first = await open(1, one);
  const second = await open(2, two, [first.endpoint]);
  first.network.setPeer(second.endpoint);
  return [first, second];
}

/** As `talk`, over TLS of the test's choice; the text of the error where there is one. */
export async function talkTls(
  { endpoint: { host, port } }: PeerNode,
  options: ConnectionOptions,
  bytes: Uint8Array,
): Promise<{ readonly answer: Buffer; readonly error: string }> {
  const socket = connect({ host, port, checkServerIdentity: () => undefined, ...options });
  atEnd(() => socket.destroy());
  const chunks: Buffer[] = [];
  let error = '';
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', (cause: NodeJS.ErrnoException) => {
    error = cause.code ?? cause.message;
  });
  socket.once('secureConnect', () => socket.write(bytes));
  await new Promise((resolve) => socket.on('close', resolve));
  return { answer: Buffer.concat(chunks), error };
}
