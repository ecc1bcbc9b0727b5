/**
 * Allocates vote slots: a queue of free ones (the longest unused first, so that late replies meet
 * no other round) and their generations. Pure. Used by both quorum notifiers.
 */
import { GENERATION_MAX } from '../frame/frame.ts';

const SECONDS_BITS = 2 ** 32;
const GENERATIONS_PER_SECOND = 2 ** 16;

/**
 * A first generation for a process that starts now: restarts do not repeat generations as long as
 * fewer than 65,536 rounds per second are begun; if more are, replies still match by TxnId.
 */
export function firstGenerationAt(wallUs: number): number {
  const seconds = Math.floor(wallUs / 1e6) % SECONDS_BITS;
  return Math.max(1, seconds * GENERATIONS_PER_SECOND);
}

export class SlotAllocator {
  readonly #free: Uint16Array;
  readonly #generations: Float64Array;
  #head = 0;
  #count: number;
  #next: number;

  constructor(slots: number, firstGeneration: number) {
    this.#free = Uint16Array.from({ length: slots }, (_, index) => index);
    this.#generations = new Float64Array(slots);
    this.#count = slots;
    if (!Number.isInteger(firstGeneration) || firstGeneration < 1) {
      throw new RangeError(`a generation is a positive integer, not ${firstGeneration}`);
    }
    this.#next = firstGeneration;
  }

  get free(): number {
    return this.#count;
  }

  /** The slot's index, or -1 when all are taken. Its generation is new. */
  take(): number {
    if (this.#count === 0) return -1;
    const slot = this.#free[this.#head] as number;
    this.#head = (this.#head + 1) % this.#free.length;
    this.#count -= 1;
    this.#generations[slot] = this.#nextGeneration();
    return slot;
  }

  /** 0 when the slot is free. */
  generation(slot: number): number {
    return this.#generations[slot] ?? 0;
  }

  /** Whether that generation uses the slot. */
  isHeld(slot: number, generation: number): boolean {
    return generation !== 0 && this.#generations[slot] === generation;
  }

  /** False, and nothing happens, when the slot is not in use by that generation. */
  release(slot: number, generation: number): boolean {
    if (!this.isHeld(slot, generation)) return false;
    this.#generations[slot] = 0;
    this.#free[(this.#head + this.#count) % this.#free.length] = slot;
    this.#count += 1;
    return true;
  }

  /** Low sixteen bits of zero mean "disarmed" in the kernel's word, so those are left out. */
  #nextGeneration(): number {
    if (this.#next > GENERATION_MAX) this.#next = 1;
    if (this.#next % GENERATIONS_PER_SECOND === 0) this.#next += 1;
    return this.#next++;
  }
}
