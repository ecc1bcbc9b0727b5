/** What the gateway needs of the rest of the node. */

import type { InfoSections } from './info.ts';
import type { SettingsRegistry } from './settings-registry.ts';

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
