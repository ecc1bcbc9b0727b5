/**
 * The memory of a node against its one limit, `maxmemory`, judged where commands come in. Clients
 * have a share of it, for what they have sent and what they have not read. At the limit, commands
 * that grow data are refused; above their share, the clients that hold most are paused, then
 * disconnected. Pure.
 */
import type { GatewayLimits } from './limits.ts';

/** Of the whole limit, unless `maxmemory-clients` says more exactly. */
const CLIENTS_SHARE = 4;
/** A client that holds less is never paused or disconnected for it. */
export const GREEDY_BYTES_MIN = 256 * 1024;

export class MemoryBudget {
  /** Bytes that clients hold here: input, MULTI blocks, units in progress, output. */
  clientBytes = 0;
  /** Of all stores, as of the last look. */
  storeBytes = 0;
  /** Bytes that commands in progress may add, far beyond their own. */
  growingBytes = 0;
  readonly #limits: GatewayLimits;

  constructor(limits: GatewayLimits) {
    this.#limits = limits;
  }

  get bytesMax(): number {
    return this.#limits.memoryBytesMax || this.#limits.derivedMemoryBytes;
  }

  get clientBytesMax(): number {
    return this.#limits.clientMemoryBytesMax || Math.floor(this.bytesMax / CLIENTS_SHARE);
  }

  get usedBytes(): number {
    return this.clientBytes + this.storeBytes + this.growingBytes;
  }

  /** Data may not grow. */
  get isFull(): boolean {
    return this.usedBytes > this.bytesMax;
  }

  /** Clients hold more than their share. */
  get isCrowded(): boolean {
    return this.clientBytes > this.clientBytesMax;
  }

  mayGrow(bytes: number): boolean {
    return this.usedBytes + bytes <= this.bytesMax;
  }
}
