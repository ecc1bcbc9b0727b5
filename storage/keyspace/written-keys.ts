/**
 * The keys that transactions have written since they were last asked for, in one group: clients of
 * this node may have read them, and keep what they have read. No replica depends on it.
 */

/** `all`: databases were emptied, or have other numbers now. */
export type Written = readonly string[] | 'all';

export class WrittenKeys {
  #keys = new Set<string>();
  #isAll = false;

  add(key: string): void {
    if (!this.#isAll) this.#keys.add(key);
  }

  addAll(): void {
    this.#isAll = true;
    this.#keys.clear();
  }

  /** `undefined`: none. */
  take(): Written | undefined {
    if (this.#isAll) {
      this.#isAll = false;
      return 'all';
    }
    if (this.#keys.size === 0) return undefined;
    const keys = [...this.#keys];
    this.#keys.clear();
    return keys;
  }
}
