/**
 * Node-to-node links as the actors see them: frames (opaque bytes) to and from peers by node id.
 * Delivery is at most once, and in order per link while it stays up; the protocol repairs
 * losses. Production: TCP (`tcp-network.ts`). Simulation: a seeded network.
 */
import type { MemberEndpoint } from './handshake.ts';

export interface PeerNetwork {
  start(handler: PeerHandler): void;
  /**
   * Queues one frame. `false`: the link is down or its queue is full, the frame is not sent. The
   * parts are owned by the network after the call.
   */
  send(peer: number, parts: readonly Uint8Array[]): boolean;
  /** Bytes accepted for the peer that have not left this process yet. */
  queuedBytes(peer: number): number;
  /** Another node, or another address of one. */
  setPeer?(peer: MemberEndpoint): void;
  /** The node is none of the cluster any more: its link ends, and it is refused. */
  removePeer?(peer: number): void;
  /** Ends the link to a peer that misbehaves, both directions; it may come back after a pause. */
  disconnect(peer: number, reason: string): void;
  close(): void;
}

export interface PeerHandler {
  /** `frame` may be kept: it is never written to again. */
  onFrame(peer: number, frame: Uint8Array): void;
  /** Frames to the peer can be sent from now on. */
  onUp(peer: number): void;
  /** `reason` is a sentence for people. Called only after `onUp`. */
  onDown(peer: number, reason: string): void;
  /** The peer was refused by name: wrong cluster, version, or a disk that is not its own. */
  onRefused(peer: number, reason: string): void;
}
