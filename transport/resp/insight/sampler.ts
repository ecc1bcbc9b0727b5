/**
 * Draws a sample of a stream of events, about so many per second: all of a few, one in n of many.
 * Costs a subtraction and a comparison for an event that is not drawn.
 */
export class Sampler {
  readonly #perSecond: number;
  /** Events until the next one that is drawn; one stands for `#every` of them. */
  #left = 1;
  #every = 1;
  #weight = 1;
  /** Since the last adjustment: events that samples stood for, and samples. */
  #seen = 0;
  #taken = 0;
  #random = 1;

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
  }

  /** To be asked once for each event: whether it is drawn. */
  takes(): boolean {
    this.#left -= 1;
    if (this.#left > 0) return false;
    this.#weight = this.#every;
    this.#seen += this.#every;
    this.#taken += 1;
    // A burst after a quiet second must not be looked at whole.
    if (this.#taken % this.#perSecond === 0) this.#every *= 2;
    this.#left = 1 + Math.floor(this.draw() * (2 * this.#every - 1));
    return true;
  }

  /** Of how many events the last one that was drawn is one. */
  get weight(): number {
    return this.#weight;
  }

  /** To be called about every second: the events so far have come in so many milliseconds. */
  adjust(sinceMs: number): void {
    const perSecond = (this.#seen * 1_000) / sinceMs;
    this.#every = Math.max(1, Math.ceil(perSecond / this.#perSecond));
    this.#left = Math.min(this.#left, 2 * this.#every);
    this.#seen = 0;
    this.#taken = 0;
  }

  /** In [0, 1): random enough that no pattern of a pipeline matters (Numerical Recipes' LCG). */
  draw(): number {
    this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
    return this.#random / 2 ** 32;
  }
}
