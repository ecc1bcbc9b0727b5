/**
 * Random numbers for commands: the same on every replica for the same place in the same
 * transaction. The generator is sfc32 (C. Doty-Humphrey, PractRand). Pure.
 */

const WARM_UP = 12;

export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** Of each word the lower 32 bits count. */
  constructor(a: number, b: number, c: number) {
    this.#a = a | 0;
    this.#b = b | 0;
    this.#c = c | 0;
    for (let i = 0; i < WARM_UP; i += 1) this.#next();
  }

  /** A whole number from 0 up to, and without, `end`, which is at most 2^32: each alike. */
  below(end: number): number {
    // Values behind the last whole multiple would make small numbers likelier.
    const fair = 0x1_0000_0000 - (0x1_0000_0000 % end);
    let value = this.#next();
    while (value >= fair) value = this.#next();
    return value % end;
  }

  #next(): number {
    const value = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + value;
    this.#c |= 0;
    return value >>> 0;
  }
}
