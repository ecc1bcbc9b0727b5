/**
 * How many clients of this node wait for a key, as the other nodes are told it: more at once, fewer
 * only when it stays so for a while, since most clients that were served wait again soon.
 */

interface Count {
  now: number;
  told: number;
  /** The highest since the last tick. */
  recent: number;
}

export class WaitingCounts {
  readonly #counts = new Map<string, Count>();

  /** `true`: the other nodes are to be told. */
  set(name: string, now: number): boolean {
    const count = this.#counts.get(name) ?? { now: 0, told: 0, recent: 0 };
    count.now = now;
    count.recent = Math.max(count.recent, now);
    this.#counts.set(name, count);
    if (now <= count.told) return false;
    count.told = now;
    return true;
  }

  told(name: string): number {
    return this.#counts.get(name)?.told ?? 0;
  }

  names(): string[] {
    return [...this.#counts.keys()];
  }

  /** Returns the names whose counts have fallen. */
  onTick(): string[] {
    const fallen: string[] = [];
    for (const [name, count] of this.#counts) {
      if (count.recent < count.told) {
        count.told = count.recent;
        fallen.push(name);
      }
      count.recent = count.now;
      if (count.told === 0 && count.now === 0) this.#counts.delete(name);
    }
    return fallen;
  }
}
