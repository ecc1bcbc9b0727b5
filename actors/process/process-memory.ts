/** The memory that this process uses, and the highest sample so far. */
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

/** `1.50M`, as INFO writes numbers for people. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  const units = ['K', 'M', 'G', 'T'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(2)}${units[unit]}`;
}
