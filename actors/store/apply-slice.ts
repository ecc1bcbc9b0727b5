/**
 * How much an executor applies at once: behind a slice, the other actors of the node have a turn.
 * The clock is read after each command at first, and less often while commands are fast: reading
 * it costs as much as a small SET.
 */

/** The bounds of a slice: commands, and time. */
const SLICE_COMMANDS_MAX = 16_384;
const SLICE_MS = 10;
/** Commands between two looks at the clock; each may be as slow as the slowest. */
const CLOCK_EVERY_MAX = 16;
/** Commands that took less than this since the last look are fast. */
const FAST_MS = 0.25;

export class ApplySlice {
  readonly #nowMs: () => number;
  readonly #commandsMax: number;
  #commands = 0;
  #endMs = 0;
  #readMs = 0;
  #clockEvery = 1;
  #untilClock = 0;

  /** `nowMs`: the monotonic clock. */
  constructor(nowMs: () => number, commandsMax = SLICE_COMMANDS_MAX) {
    this.#nowMs = nowMs;
    this.#commandsMax = commandsMax;
  }

  begin(): void {
    this.#readMs = this.#nowMs();
    this.#endMs = this.#readMs + SLICE_MS;
    this.#commands = this.#commandsMax;
    this.#clockEvery = 1;
    this.#untilClock = 1;
  }

  /** A command was applied. */
  ran(): void {
    this.#commands -= 1;
    this.#untilClock -= 1;
  }

  get isOver(): boolean {
    if (this.#commands <= 0) return true;
    if (this.#untilClock > 0) return false;
    const nowMs = this.#nowMs();
    const isFast = nowMs - this.#readMs < FAST_MS;
    this.#clockEvery = isFast ? Math.min(2 * this.#clockEvery, CLOCK_EVERY_MAX) : 1;
    this.#untilClock = this.#clockEvery;
    this.#readMs = nowMs;
    return nowMs >= this.#endMs;
  }
}
