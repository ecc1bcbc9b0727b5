/**
 * The interface of the gateway towards its connections. `gateway.ts` implements it; tests and
 * benchmarks may implement less.
 */

import type { AccessControl } from '../access/access-control.ts';
import type { ClientPause } from './client-pause.ts';
import type { ReplyWriter } from './codec/encoder.ts';
import type { ClientDirectory } from './connection/client-state.ts';
import type { Part, ReplyCredit, UnitId } from './connection/part.ts';
import type { Placement } from './connection/placement.ts';
import type { GatewayCounters } from './counters.ts';
import type { GatewayServices } from './gateway-services.ts';
import type { CommandInsight } from './insight/insight.ts';
import type { Monitors } from './insight/monitors.ts';
import type { GatewayLimits } from './limits.ts';
import type { MemoryBudget } from './memory-budget.ts';
import type { PubSub } from './pubsub/pubsub.ts';
import type { Subscriber } from './pubsub/subscriptions.ts';
import type { Routes } from './routes.ts';
import type { ScriptRequests } from './scripts/script-requests.ts';
import type { TrackingTable } from './tracking/tracking-table.ts';
import type { WaitedFor, Waiters, WaitingClient } from './waiting/waiters.ts';

/** A connection as its gateway calls back to it. */
export interface GatewayClient extends Subscriber {
  /** Sends what the turn has left. */
  flush(): void;
  /** Submits again what was refused; `false`: there still is no room. */
  retry(): boolean;
}

export interface GatewayCore {
  readonly limits: GatewayLimits;
  readonly services: GatewayServices;
  readonly clients: ClientDirectory;
  readonly routes: Routes;
  readonly access: AccessControl;
  readonly counters: GatewayCounters;
  readonly memory: MemoryBudget;
  readonly insight: CommandInsight;
  readonly pubsub: PubSub;
  readonly waiters: Waiters;
  readonly scripts: ScriptRequests;
  readonly tracking: TrackingTable;
  readonly monitors: Monitors;
  readonly pause: ClientPause;
  /** The node is about to be stopped: commands that have not begun are refused. */
  readonly isDraining: boolean;
  /** The pause lasts so long, from now on. */
  pauseClients(ms: number, isForAll: boolean): void;
  /** One writer for all connections: each leaves it empty. */
  readonly writer: ReplyWriter;
  readonly placement: Placement;
  /** Passes a part to the coordinator; `false`: no room, and `refused` follows. */
  submit(part: Part): boolean;
  giveCredit(credit: ReplyCredit): void;
  /** The client waits for keys; `deadlineMs` is monotonic. `isNew`: it has not tried yet. */
  waitFor(client: WaitingClient, waitedFor: WaitedFor, deadlineMs: number, isNew: boolean): void;
  /** The client of the unit, or of one before it, waits no longer. */
  stopWaiting(client: WaitingClient, unit: UnitId): void;
  /** An attempt that was given up has found nothing after all. */
  forgetWait(unit: UnitId): void;
  /** The client is gone, and with it what the command under way takes. */
  orphaned(unit: UnitId): void;
  /** The rest of the part's replies is not wanted. */
  abandon(part: Pick<Part, 'unit' | 'part'>): void;
  /** `connection.flush()` is to be called once, at the end of the turn. */
  requestFlush(connection: GatewayClient): void;
  /** `connection.retry()` is to be called when the coordinator may have room. */
  refused(connection: GatewayClient): void;
  /** The connection is closed and will call nothing more. */
  removed(connection: GatewayClient): void;
}
