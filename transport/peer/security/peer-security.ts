/**
 * How the two ends of a peer link prove who they are before the first greeting. Plain TCP proves
 * nothing: it is for peers on the loopback.
 */
import type { Server, Socket } from 'node:net';
import type { Endpoint } from '../../endpoint.ts';
import { TCP } from '../../socket-factory.ts';

/** Classes of refused callers, for metrics. */
export const REFUSALS = ['protocol', 'secret', 'identity', 'timeout', 'crowd'] as const;
export type RefusalKind = (typeof REFUSALS)[number];

export interface Refusal {
  readonly kind: RefusalKind;
  /** A sentence for the log. */
  readonly reason: string;
}

/** The target of a caller that only asks for the members, and does not know whom it reaches. */
export const ANY_MEMBER = 0;

/** In place of the cluster's id and of its own, of a caller that wants to join. */
export const NO_CLUSTER = '0'.repeat(32);
export const NO_NODE = 0;

export interface PeerSecurity {
  readonly kind: 'open' | 'secret' | 'certificates';
  /** Connects to a node, or to `ANY_MEMBER`; `connected` when both ends have proven themselves. */
  dial(target: Endpoint, node: number, connected: () => void): Socket;
  /** `accepted` when both ends have proven themselves; a refused socket is destroyed. */
  server(
    accepted: (socket: Socket) => void,
    refused: (socket: Socket, refusal: Refusal) => void,
  ): Server;
  /** Why the other end of an accepted socket may not speak as this node. */
  objection(socket: Socket, nodeId: number): string | undefined;
  /** Reads the error of a dialled socket; undefined: it tells nothing about the other end. */
  refusalOf(error: NodeJS.ErrnoException): string | undefined;
  /** Whether a socket's proof would still be taken. */
  isCurrent(socket: Socket): boolean;
}

export const OPEN: PeerSecurity = {
  kind: 'open',
  dial: (target, _node, connected) => TCP.dial(target, connected),
  server: (accepted) => TCP.server({ noDelay: true }, accepted),
  objection: () => undefined,
  refusalOf: () => undefined,
  isCurrent: () => true,
};
