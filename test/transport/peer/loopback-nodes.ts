/** Networks of nodes on the loopback, for tests: opened, listened to, and closed at the end. */
import { connect } from 'node:net';
import { expect, vi } from 'vitest';
import type { MemberEndpoint, PeerHello } from '../../../transport/peer/handshake.ts';
import type { PeerHandler } from '../../../transport/peer/network.ts';
import { TcpNetwork, type TcpNetworkOptions } from '../../../transport/peer/tcp-network.ts';

export const CLUSTER = 'aa'.repeat(16);

/** Keeps what happens to links; frames are for the test. */
export abstract class EventRecorder implements PeerHandler {
  readonly events: string[] = [];
  abstract onFrame(peer: number, frame: Uint8Array): void;
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

export interface NodeOnLoopback<R extends PeerHandler> {
  readonly network: TcpNetwork;
  readonly seen: R;
  readonly log: string[];
  readonly endpoint: MemberEndpoint;
}

const closers: (() => void)[] = [];

/** To be called behind each test: closes all, the oldest first. */
export function closeAll(): void {
  for (const close of closers.splice(0)) close();
}

export function atEnd(close: () => void): void {
  closers.push(close);
}

/** Closes now what was opened last. */
export function closeLast(): void {
  closers.pop()?.();
}

export function helloOf(nodeId: number, changes: Partial<PeerHello> = {}): PeerHello {
  const diskId = nodeId.toString(16).padStart(2, '0').repeat(16);
  return {
    clusterId: CLUSTER,
    nodeId,
    diskId,
    incarnation: 1,
    unitWriteBytesMax: 1000,
    formedId: 'dd'.repeat(16),
    passwordProof: '00'.repeat(16),
    scriptMachine: 'aa'.repeat(16),
    ...changes,
  };
}

export async function openNode<R extends PeerHandler>(
  nodeId: number,
  seen: R,
  members: readonly MemberEndpoint[] = [],
  changes: Partial<TcpNetworkOptions> = {},
): Promise<NodeOnLoopback<R>> {
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
    ...changes,
  });
  atEnd(() => network.close());
  network.start(seen);
  const { port } = await network.listening();
  return { network, seen, log, endpoint: { id: nodeId, host: '127.0.0.1', port } };
}

export function until(condition: () => boolean, timeout = 5_000): Promise<void> {
  return vi.waitFor(() => expect(condition()).toBe(true), { timeout, interval: 2 });
}

/** Dials the port of a node, says something and collects what comes back until the end. */
export async function talk(
  { endpoint: { host, port } }: { readonly endpoint: MemberEndpoint },
  bytes: Uint8Array | string,
): Promise<Buffer> {
  const socket = connect(port, host);
  atEnd(() => socket.destroy());
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.write(bytes);
  await new Promise((resolve) => socket.on('close', resolve).on('error', () => undefined));
  return Buffer.concat(chunks);
}
