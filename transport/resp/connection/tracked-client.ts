/** CLIENT TRACKING of one connection: what it has asked for, what it reads, what it is told. */
import type { Arguments } from '../../../storage/arguments.ts';
import { keysAmong } from '../../../storage/commands/command.ts';
import type { GatewayCore } from '../gateway-core.ts';
import type { StoreRoute } from '../routes.ts';
import { ClientTracking, type Invalidated } from '../tracking/client-tracking.ts';
import type { TrackingOptions } from '../tracking/tracking-options.ts';
import { type ClientState, isSubscriber } from './client-state.ts';

export class TrackedClient {
  readonly #core: GatewayCore;
  readonly #client: ClientState;
  readonly #push: (bytes: Uint8Array) => void;
  #tracking: ClientTracking | undefined;

  constructor(core: GatewayCore, client: ClientState, push: (bytes: Uint8Array) => void) {
    this.#core = core;
    this.#client = client;
    this.#push = push;
  }

  get tracking(): ClientTracking | undefined {
    return this.#tracking;
  }

  track(options: TrackingOptions | undefined): void {
    const { tracking, clients } = this.#core;
    const now = this.#tracking;
    if (now !== undefined && options !== undefined) return tracking.change(now, options);
    if (now !== undefined) tracking.remove(now);
    this.#tracking = undefined;
    if (options === undefined) return;
    const deliver = (keys: Invalidated, redirect: number): void => {
      if (redirect === 0) return this.invalidate(keys, false);
      const other = clients.byId(redirect);
      if (other === undefined) this.#redirectBroken(redirect);
      else other.invalidate(keys, true);
    };
    this.#tracking = new ClientTracking({ id: this.#client.id, deliver }, options);
    tracking.add(this.#tracking);
  }

  invalidate(keys: Invalidated, isRedirected: boolean): void {
    const { protocol } = this.#client;
    const isHeard = protocol === 3 || (isRedirected && isSubscriber(this.#client));
    if (isHeard) this.#push(this.#core.tracking.messages.render(protocol, keys));
  }

  #redirectBroken(redirect: number): void {
    if (this.#tracking !== undefined) this.#tracking.isBroken = true;
    if (this.#client.protocol === 3) {
      this.#push(this.#core.tracking.messages.renderBroken(redirect));
    }
  }

  /** A command is about to leave for the store. */
  reads({ command }: StoreRoute, args: Arguments, isInMulti: boolean): void {
    const tracking = this.#tracking;
    if (tracking === undefined) return;
    // A script may read all keys that it names.
    const reads = command.kind === 'read' || command.group === 'scripting';
    if (reads && typeof command.keys !== 'string' && tracking.takesNext()) {
      for (const i of keysAmong(command.keys, args)) {
        this.#core.tracking.reads(tracking, args.text(i));
      }
    }
    if (!isInMulti) tracking.endCaching();
  }
}
