/**
 * Frames to and from the members of the cluster as the actors see them. Delivery is at most once
 * and out of order; loss is repaired by the protocol. Production: UDP in its three tiers
 * (`udp-frame-path.ts`). Simulation: a seeded network.
 */
import type { QuorumNotifier, QuorumSlot } from '../count/quorum-notifier.ts';
import type { SipKey } from '../frame/siphash.ts';

/** The one group of a node: all other members. */
export const PEER_GROUP = 1;

export interface FramePath {
  /** Counts plain replies; they do not come to `onFrame` then. */
  readonly notifier: QuorumNotifier;
  /** Seals frames; another one after a change of keys. */
  readonly key: () => SipKey;
  readonly frameBytesMax: number;
  /**
   * An unsealed request to all other members, at the end of this turn at the latest; the frame is
   * the path's until then. `false`: it is not taken, and has to go another way.
   */
  sendGroup(frame: Uint8Array, slot: QuorumSlot | undefined): boolean;
  /** A sealed frame to one member, in the same way. */
  send(frame: Uint8Array, sender: number): boolean;
  /** Called several times a second. */
  refresh(): void;
  close(): void;
}

/** Where an actor's incarnation gets its path from. */
export interface FramePathSource {
  /**
   * The members of the set that frames are fanned out to, this node among them: node ids,
   * ascending. The sender of a frame is an index in it.
   */
  readonly members: readonly number[];
  /**
   * Calls back once, later: with the path, or with undefined when there is none now. `onFrame` is
   * called with frames that a known member has sealed; they may be kept.
   */
  open(
    onFrame: (frame: Uint8Array, sender: number) => void,
    onOpened: (path: FramePath | undefined) => void,
  ): void;
}
