/** The services of the node that the gateway uses. */

import type { AclFile } from '../access/acl-file.ts';
import type { ProtectedMode } from '../access/protected-mode.ts';
import type { InfoSections } from './info.ts';
import type { SettingsRegistry } from './settings-registry.ts';

/** Both slots included. */
interface SlotInterval {
  readonly first: number;
  readonly last: number;
}

/** One node as cluster clients see it. */
export interface ClusterNode {
  /** 40 hexadecimal digits. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly self: boolean;
  readonly online: boolean;
  /** The ranges that it is shown to serve. */
  readonly slots: readonly SlotInterval[];
}

/** The cluster as this node knows it. */
interface ClusterView {
  /** Of the topology. */
  readonly epoch: number;
  /** At least this node. */
  readonly nodes: readonly ClusterNode[];
}

/** The part of the node's clock that commands need. */
interface GatewayClock {
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
  /** Memory that the allocator holds, used or not. */
  readonly reservedBytes: number;
  readonly residentBytes: number;
  /** Decided transactions kept for other nodes. */
  readonly retainedBytes: number;
  /** Keys and values in memory. */
  readonly datasetBytes: number;
  readonly keys: number;
}

/** Supplied by the node that builds the gateway. */
export interface GatewayServices {
  readonly clock: GatewayClock;
  readonly settings: SettingsRegistry;
  readonly protectedMode: ProtectedMode;
  /** Settings of the cluster that have been changed, as this node knows them. */
  clusterSettings(): ReadonlyMap<string, string>;
  /** Whether no later version of them can be in force elsewhere. */
  hasLease(): boolean;
  /** Of them. */
  clusterVersion(): number;
  /** Of `--requirepass`, SHA-256; empty: there is none. */
  readonly passwordHash: string;
  /** Of `--aclfile`. */
  readonly aclFile: AclFile | undefined;
  /** Whether every node that is up has this version of them. */
  settingsHeld(version: number): boolean;
  /** Sections of INFO from the node; the gateway adds its own fields. */
  info(): InfoSections;
  /** `k=v` pairs separated by blanks. */
  holoStats(): string;
  /** Prometheus text format. */
  holoMetrics(): string;
  cluster(): ClusterView;
  memory(): MemoryUse;
  /** Bytes that all stores hold: cache, unflushed changes, retained transactions, replies. */
  storeBytes(): number;
  /** Of the value of a key, if it is in memory. */
  bytesOf(database: number, key: string): number;
  /** Transactions that this node has applied: shown as the replication offset. */
  replicationOffset(): number;
  /** When the store was last written out: Unix time. */
  lastSaveSeconds(): number;
  /** A unit of the sample has spent so long in this phase. */
  phase(phase: 'parse' | 'reply', ms: number): void;
  /** A line of `redis.log`, with the number of its level. */
  scriptLog(level: number, text: string): void;
  /** Resets the services' counters for INFO. */
  resetCounters(): void;
  /** How many other nodes are certain to have every acknowledged write (for WAIT). */
  replicasAcknowledged(): number;
}
