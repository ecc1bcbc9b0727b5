/** The memory that this process uses, the highest sample so far, and what it may use. */
import { totalmem } from 'node:os';
import { getHeapStatistics } from 'node:v8';

/** Of the machine, or of the process' limit: files in memory, garbage and others need the rest. */
const MEMORY_SHARE = 2;

export class ProcessMemory {
  readonly startupBytes: number;
  #peakBytes: number;
  #last = process.memoryUsage();

  constructor() {
    this.startupBytes = allocatedOf(this.#last);
    this.#peakBytes = this.startupBytes;
  }

  /** Call it at intervals: a peak between two calls is not seen. */
  sample() {
    const usage = this.#usage();
    const allocatedBytes = allocatedOf(usage);
    this.#peakBytes = Math.max(this.#peakBytes, allocatedBytes);
    return {
      allocatedBytes,
      peakBytes: this.#peakBytes,
      startupBytes: this.startupBytes,
      reservedBytes: usage.heapTotal + usage.external,
      residentBytes: usage.rss,
    };
  }

  /** The query takes a file descriptor; when none is free, the last sample is returned again. */
  #usage(): NodeJS.MemoryUsage {
    try {
      this.#last = process.memoryUsage();
    } catch {
      // The next call asks again.
    }
    return this.#last;
  }
}

function allocatedOf({ heapUsed, external }: NodeJS.MemoryUsage): number {
  return heapUsed + external;
}

/** The limit of a node's memory where none is set. */
export function derivedMemoryBytes(): number {
  // The system reports a huge number, or none, where there is no limit.
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  const share = Math.floor(Math.min(totalmem(), limit) / MEMORY_SHARE);
  return Math.min(share, getHeapStatistics().heap_size_limit);
}
