/**
 * What a command is that the gateway answers itself, and what it may touch: its client, and the
 * services below. Nothing here reaches the store; connections run these in the order of the
 * pipeline, so that the replies keep their place.
 */

import type { ReplyWriter } from './codec/encoder.ts';
import type { ClientDirectory, ClientState } from './connection/client-state.ts';
import type { GatewayCounters } from './counters.ts';
import type { InfoSections } from './info.ts';
import type { Routes } from './routes.ts';
import type { SettingsRegistry } from './settings-registry.ts';

export interface LocalCommand {
  /** In upper case; a subcommand as `CLIENT|LIST`. */
  readonly name: string;
  /** Number of arguments with the name; negative: at least so many. */
  readonly arity: number;
  readonly flags: readonly string[];
  readonly categories: readonly string[];
  readonly group: string;
  readonly summary: string;
  readonly since: string;
  readonly complexity: string;
  /** Runs only when all before it is answered: it changes how replies look, or asks for it. */
  readonly afterAll?: boolean;
  /** Runs at once inside a MULTI block instead of being queued. */
  readonly immediate?: boolean;
  /** Of a command like CLIENT. The store may have further ones (OBJECT ENCODING). */
  readonly subcommands?: readonly LocalCommand[];
  /** Writes one whole reply, or none. `args[0]` is the name as it was sent. */
  run(context: LocalContext, args: readonly string[], out: ReplyWriter): void;
}

/** One node as cluster clients see it. */
export interface ClusterNode {
  /** 40 hexadecimal digits. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly self: boolean;
  readonly online: boolean;
}

/** The part of the node's clock that commands need. */
export interface GatewayClock {
  /** Whole microseconds since the Unix epoch. */
  wallUs(): number;
  /** Milliseconds that never go backwards. */
  monotonicMs(): number;
}

/** Bytes of this process. */
export interface MemoryUse {
  readonly allocatedBytes: number;
  readonly peakBytes: number;
  readonly startupBytes: number;
  /** What the allocator has of the system, used or not. */
  readonly reservedBytes: number;
  readonly residentBytes: number;
  /** Decided transactions that are kept for other nodes. */
  readonly retainedBytes: number;
  /** Keys and values that are held in memory. */
  readonly datasetBytes: number;
  readonly keys: number;
}

/** What the gateway is given by those who build it. */
export interface GatewayServices {
  readonly clock: GatewayClock;
  readonly settings: SettingsRegistry;
  /** Sections of INFO that others know; the gateway adds its own fields. */
  info(): InfoSections;
  /** `k=v` pairs separated by blanks. */
  holoStats(): string;
  /** Prometheus text format. */
  holoMetrics(): string;
  /** At least this node. */
  cluster(): readonly ClusterNode[];
  memory(): MemoryUse;
  /** Transactions that this node has applied: as good as a replication offset. */
  replicationOffset(): number;
  /** When the store was last written out: Unix time. */
  lastSaveSeconds(): number;
  /** What the services count for INFO begins at zero again. */
  resetCounters(): void;
  /** How many other nodes surely have every write that was acknowledged (for WAIT). */
  replicasAcknowledged(): number;
}

export interface LocalContext {
  readonly client: ClientState;
  readonly services: GatewayServices;
  readonly clients: ClientDirectory;
  readonly routes: Routes;
  readonly counters: GatewayCounters;
  /** The command runs as part of a MULTI block, at EXEC. */
  readonly inExec: boolean;
  /** A MULTI block is open. */
  readonly inMulti: boolean;
  /** `false` when a block is open already. */
  beginMulti(): boolean;
  /** `false` without an open block. */
  discardMulti(): boolean;
  /** Answers the open block; writes to `out` only what needs no store. */
  exec(out: ReplyWriter): void;
  /** Takes no further request and closes when everything up to here is answered. */
  closeAfterReplies(): void;
}

/** The commands' texts are Redis' own; this one it uses where a transaction cannot take them. */
export const NOT_IN_MULTI = 'ERR Command not allowed inside a transaction';
