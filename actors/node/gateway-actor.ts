/**
 * Gateway: owns the connections of Redis clients. Socket events call the connections directly
 * (they only parse and submit); this actor hands them the answers to their parts, keeps their time,
 * writes out at the end of a turn, and closes them all when it ends.
 */

import type { Part, ReplyFlow, StoreNews } from '../../transport/resp/connection/part.ts';
import type { Placement } from '../../transport/resp/connection/placement.ts';
import { Gateway } from '../../transport/resp/gateway.ts';
import type { GatewayServices } from '../../transport/resp/gateway-services.ts';
import type { GatewayLimits } from '../../transport/resp/limits.ts';
import type { PubSubMessage } from '../../transport/resp/pubsub/pubsub-message.ts';
import { tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';

export type GatewayMessage =
  | StoreNews
  /** From the gateway of a peer. */
  | { readonly type: 'PubSub'; readonly peer: number; readonly message: PubSubMessage }
  | { readonly type: 'PeerUp' | 'PeerDown'; readonly peer: number }
  /** A connection has something to write. */
  | { readonly type: 'Wake' }
  | { readonly type: 'Listening' }
  | { readonly type: 'CannotListen'; readonly error: Error }
  | { readonly type: 'StopAccepting' }
  /** The time of a client that waits is over. */
  | { readonly type: 'Deadline' }
  | { readonly type: 'Tick' };

/** Where clients come from: TCP in production, the simulator's own sockets there. */
interface ClientListener {
  stopAccepting(): void;
}

export interface GatewayActorOptions {
  readonly services: () => GatewayServices;
  readonly self: number;
  readonly limits: Partial<GatewayLimits>;
  readonly placement: Placement;
  /** To the store of the part's group; `false`: too much waits there. */
  readonly submit: (part: Part) => boolean;
  /** To the stores, which outlive this actor: its end is told too. */
  readonly flow: (message: ReplyFlow) => void;
  /** To the gateways of the peers that are up; what finds no room is lost. */
  readonly toPeer: (peer: number, message: PubSubMessage) => void;
  readonly connected: () => ReadonlySet<number>;
  /** The node is about to be stopped. */
  readonly isDraining: () => boolean;
  /** `done` is called once, with an error when clients cannot come. */
  readonly listen: (gateway: Gateway, done: (error: Error | undefined) => void) => ClientListener;
  readonly onGateway: (gateway: Gateway, listening: boolean) => void;
}

const TICK_MS = 100;
/** Connections of one incarnation: none has the number of one before it. */
const CONNECTIONS_EACH = 2 ** 32;

type ForGateway = Exclude<
  GatewayMessage,
  { readonly type: 'Listening' | 'CannotListen' | 'StopAccepting' | 'Tick' }
>;

export function gatewayActor(
  context: ActorContext<GatewayMessage>,
  options: GatewayActorOptions,
): Behavior<GatewayMessage> {
  const { submit, flow, placement, connected, toPeer } = options;
  const self = context.thisIncarnation;
  let isInTurn = false;
  const gateway = new Gateway({
    services: options.services(),
    limits: options.limits,
    placement,
    firstConnection: (context.incarnation - 1) * CONNECTIONS_EACH + 1,
    submit,
    flow,
    peers: { self: options.self, incarnation: context.incarnation, connected, send: toPeer },
    wakeIn: (ms) => context.timers.start('deadline', ms, { type: 'Deadline' }),
    wake: () => {
      // The gateway writes at its next tick, if not now.
      if (!isInTurn) tellOrDrop(self, { type: 'Wake' });
    },
  });
  context.timers.startPeriodic('tick', TICK_MS, { type: 'Tick' });
  options.onGateway(gateway, false);
  const listener = options.listen(gateway, (error) => {
    // Refused only when this incarnation has ended, and its listener with it.
    tellOrDrop(self, error === undefined ? { type: 'Listening' } : { type: 'CannotListen', error });
  });

  return {
    receive(message) {
      isInTurn = true;
      switch (message.type) {
        case 'Listening':
          return options.onGateway(gateway, true);
        case 'CannotListen':
          return context.fatal(message.error);
        case 'StopAccepting':
          return listener.stopAccepting();
        case 'Tick':
          gateway.drain(options.isDraining());
          return gateway.onTick();
        default:
          return receiveFor(gateway, message);
      }
    },
    turnEnd() {
      isInTurn = false;
      gateway.flush();
    },
    stopped() {
      listener.stopAccepting();
      gateway.close();
    },
    describe: () => ({
      clients: gateway.size,
      refusedUnits: gateway.refusedUnits,
      commands: gateway.counters.commands,
    }),
  };
}

function receiveFor(gateway: Gateway, message: ForGateway): void {
  switch (message.type) {
    case 'PartReplies':
    case 'PartFailed':
    case 'RepliesLost':
    case 'KeysReady':
    case 'WaitsLost':
    case 'KeysChanged':
    case 'ScriptsLogged':
    case 'ScriptsDenied':
    case 'KeysWritten':
      return gateway.answered(message);
    case 'PubSub':
      return gateway.pubsub.receive(message.peer, message.message);
    case 'PeerUp':
      return gateway.pubsub.peerUp(message.peer);
    case 'PeerDown':
      return gateway.pubsub.peerDown(message.peer);
    case 'Wake':
      return;
    case 'Deadline':
      return gateway.onDeadline();
  }
}
