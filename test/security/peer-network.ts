/** Networks of nodes on the loopback, with secrets, for the tests of who may become a peer. */
import { connect as connectTcp } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { expect, vi } from 'vitest';
import type { MemberEndpoint, PeerHello } from '../../transport/peer/handshake.ts';
import type { PeerHandler } from '../../transport/peer/network.ts';
import {
  type ClusterSecret,
  newSecret,
  parseSecrets,
} from '../../transport/peer/security/cluster-secret.ts';
import type { PeerSecurity } from '../../transport/peer/security/peer-security.ts';
import { SecretSecurity } from '../../transport/peer/security/secret-security.ts';
import { TcpNetwork, type TcpNetworkOptions } from '../../transport/peer/tcp-network.ts';

export const CLUSTER = 'aa'.repeat(16);
export const SECRETS: readonly ClusterSecret[] = [newSecret(), newSecret()].flatMap(parseSecrets);

export class Recorder implements PeerHandler {
  readonly frames: string[] = [];
  readonly events: string[] = [];
  onFrame(_peer: number, frame: Uint8Array): void {
    this.frames.push(Buffer.from(frame).toString('latin1'));
  }
  onUp(peer: number): void {
    this.events.push(`up ${peer}`);
  }
  onDown(peer: number, reason: string): void {
    this.events.push(`down ${peer}: ${reason}`);
  }
  onRefused(peer: number, reason: string): void {
    this.events.push(`refused ${peer}: ${reason}`);
  }
  count(start: string): number {
    return this.events.filter((event) => event.startsWith(start)).length;
  }
}

export interface PeerNode {
  readonly network: TcpNetwork;
  readonly security: PeerSecurity;
  readonly seen: Recorder;
  readonly log: string[];
  readonly endpoint: MemberEndpoint;
  /** Refused callers, by class, but for those that are 0. */
  refused(): Record<string, number>;
}

const closers: (() => void)[] = [];

export function closeAll(): void {
  for (const close of closers.splice(0)) close();
}

export function atEnd(close: () => void): void {
  closers.push(close);
}

export function helloOf(nodeId: number, changes: Partial<PeerHello> = {}): PeerHello {
  const diskId = nodeId.toString(16).padStart(2, '0').repeat(16);
  return {
    clusterId: CLUSTER,
    nodeId,
    diskId,
    incarnation: 1,
    unitWriteBytesMax: 1000,
    topologyDigest: 'dd'.repeat(16),
    ...changes,
  };
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
  const log: string[] = [];
  const network = new TcpNetwork({
    self: helloOf(nodeId),
    listen: { host: '127.0.0.1', port: 0 },
    members,
    verifyPeer: () => undefined,
    log: { warn: (_fields, message) => log.push(message) },
    jitter: () => 0,
    redialDelayMsMin: 5,
    redialDelayMsMax: 40,
    linkTimeoutMs: 400,
    handshakeTimeoutMs: 400,
    security,
    ...changes,
  });
  closers.push(() => network.close());
  const seen = new Recorder();
  network.start(seen);
  const { port } = await network.listening();
  return {
    ...{ network, security, seen, log, endpoint: { id: nodeId, host: '127.0.0.1', port } },
    refused: () =>
      Object.fromEntries([...network.refusedCallers()].filter(([, count]) => count > 0)),
  };
}

/** Two nodes that have been told of each other. */
export async function pairOf(one: PeerSecurity, two: PeerSecurity): Promise<[PeerNode, PeerNode]> {
  const first = await open(1, one);
  const second = await open(2, two, [first.endpoint]);
  first.network.setMember(second.endpoint);
  return [first, second];
}

export function until(condition: () => boolean, timeout = 5_000): Promise<void> {
  return vi.waitFor(() => expect(condition()).toBe(true), { timeout, interval: 2 });
}

/** Connects, says something, and returns what comes back until the end. */
export async function talk(
  { endpoint: { host, port } }: PeerNode,
  bytes: Uint8Array | string,
): Promise<Buffer> {
  const socket = connectTcp(port, host);
  closers.push(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.write(bytes);
  await new Promise((resolve) => socket.on('close', resolve).on('error', () => undefined));
  return Buffer.concat(chunks);
}

/** The same over TLS of the test's choice; the text of the error where there is one. */
export async function talkTls(
  { endpoint: { host, port } }: PeerNode,
  options: ConnectionOptions,
  bytes: Uint8Array,
): Promise<{ readonly answer: Buffer; readonly error: string }> {
  const socket = connectTls({ host, port, checkServerIdentity: () => undefined, ...options });
  closers.push(() => socket.destroy());
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
