/**
 * The one random number generator: sfc32 (Chris Doty-Humphrey, PractRand), 128 bits of state.
 * Production seeds it from the operating system, tests and the simulator from a number that they
 * print. Not for secrets.
 */
import type { Rng } from './ports.ts';

const WARM_UP_ROUNDS = 12;

export class SeededRng implements Rng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** The seed is a safe integer; all of its 53 bits count. */
  constructor(seed: number) {
    this.#a = 0x9e3779b9;
    this.#b = Math.floor(seed / 2 ** 32) | 0;
    this.#c = seed | 0;
    for (let round = 0; round < WARM_UP_ROUNDS; round += 1) this.next();
  }

  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  }

  /** An independent stream, for a part that must not shift the draws of the others. */
  fork(): SeededRng {
    return new SeededRng(
      Math.floor(this.next() * 2 ** 32) * 2 ** 21 + Math.floor(this.next() * 2 ** 21),
    );
  }
}
