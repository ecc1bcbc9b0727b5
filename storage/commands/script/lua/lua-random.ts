/** The generator of `drand48`, behind math.random and math.randomseed of Redis (rand.c). Pure. */

const MULTIPLIER = 0x5_deec_e66dn;
const INCREMENT = 0xbn;
const MASK = (1n << 48n) - 1n;
const SEED_LOW = 0x330en;
const RANDOM_MAX = 0x7fff_ffff;

export class ScriptRandom {
  #state: bigint;

  /** Of the number the lower 32 bits count. */
  constructor(seed: number) {
    this.#state = (BigInt(seed >>> 0) << 16n) | SEED_LOW;
  }

  /** From 0 up to, and without, 1. */
  next(): number {
    this.#state = (this.#state * MULTIPLIER + INCREMENT) & MASK;
    const drawn = Number(this.#state >> 17n);
    return (drawn % RANDOM_MAX) / RANDOM_MAX;
  }
}
