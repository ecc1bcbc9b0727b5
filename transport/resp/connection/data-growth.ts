/** Bytes that the unit of one client may add to the data; they count while it is under way. */
import type { Arguments } from '../../../storage/arguments.ts';
import type { MemoryBudget } from '../memory-budget.ts';
import type { StoreRoute } from '../routes.ts';

export class DataGrowth {
  readonly #memory: MemoryBudget;
  #bytes = 0;
  /** Slot and growth of the last command that grows. */
  #slot = -1;
  #last = 0;

  constructor(memory: MemoryBudget) {
    this.#memory = memory;
  }

  /** `bytesOf`: of the value of the key in argument `i`. `false`: there is no memory for it. */
  admits({ command, firstKey }: StoreRoute, args: Arguments, bytesOf: (i: number) => number) {
    const { growth, growsAt = firstKey } = command;
    if (growth === undefined && !this.#memory.isFull) return true;
    const slot = args.slot(growsAt);
    const bytes = growth?.(args, bytesOf) ?? 0;
    // The growth of a value counts once, however often the value is written.
    const more = Math.max(0, slot === this.#slot ? bytes - this.#last : bytes);
    if (!this.#memory.mayGrow(more)) return false;
    this.#slot = slot;
    this.#last = Math.max(bytes, this.#last);
    this.#bytes += more;
    this.#memory.growingBytes += more;
    return true;
  }

  /** Until the next look at the stores, their sum lacks what was added. */
  done(): void {
    this.#memory.storeBytes += this.#bytes;
    this.end();
  }

  end(): void {
    this.#memory.growingBytes -= this.#bytes;
    this.#bytes = 0;
    this.#slot = -1;
    this.#last = 0;
  }
}
