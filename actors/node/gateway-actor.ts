/**
 * Gateway: owns the connections of Redis clients. Socket events call the connections directly (they
 * only parse and submit); this actor keeps their time, writes out at the end of a turn, and closes
 * them all when it ends.
 */

import { Gateway } from '../../transport/resp/gateway.ts';
import type { GatewayServices } from '../../transport/resp/gateway-services.ts';
import type { GatewayLimits } from '../../transport/resp/limits.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import type { CoordinatorActorMessage } from '../store/messages.ts';

export type GatewayMessage =
  | { readonly type: 'Deferred'; readonly run: () => void }
  | { readonly type: 'Listening' }
  | { readonly type: 'CannotListen'; readonly error: Error }
  | { readonly type: 'StopAccepting' }
  | { readonly type: 'Tick' };

/** Where clients come from: TCP in production, the simulator's own sockets there. */
interface ClientListener {
  stopAccepting(): void;
}

export interface GatewayActorOptions {
  readonly services: () => GatewayServices;
  readonly limits: Partial<GatewayLimits>;
  readonly coordinator: ActorRef<CoordinatorActorMessage>;
  /** `done` is called once, with an error when clients cannot come. */
  readonly listen: (gateway: Gateway, done: (error: Error | undefined) => void) => ClientListener;
  readonly onGateway: (gateway: Gateway, listening: boolean) => void;
}

const TICK_MS = 100;

export function gatewayActor(
  context: ActorContext<GatewayMessage>,
  options: GatewayActorOptions,
): Behavior<GatewayMessage> {
  const { coordinator } = options;
  const self = context.thisIncarnation;
  const gateway = new Gateway({
    services: options.services(),
    limits: options.limits,
    submit: (unit): boolean => coordinator.tell({ type: 'Unit', unit }),
    defer: (run) => {
      // The gateway does it at its next tick, if not now.
      tellOrDrop(self, { type: 'Deferred', run });
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
      switch (message.type) {
        case 'Deferred':
          return message.run();
        case 'Listening':
          return options.onGateway(gateway, true);
        case 'CannotListen':
          return context.fatal(message.error);
        case 'StopAccepting':
          return listener.stopAccepting();
        case 'Tick':
          return gateway.onTick();
      }
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
