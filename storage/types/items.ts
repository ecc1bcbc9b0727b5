/** A list as commands see it, in whatever form it is. */
export interface Items {
  readonly length: number;
  /** The item at an index, which must be there. */
  at(index: number): string;
  pushLeft(item: string): void;
  pushRight(item: string): void;
  /** Replaces the item at an index, which must be there. */
  set(index: number, item: string): void;
  /** Puts an item before the one at an index. */
  insert(index: number, item: string): void;
  /** Removes `count` items from an index on; they must be there. */
  remove(index: number, count: number): void;
  /** Visits `count` items from an index on; they must be there. Change nothing meanwhile. */
  ascend(index: number, count: number, visit: (item: string) => void): void;
  /** The index of the first of `count` items from an index on that passes a test. */
  find(index: number, count: number, test: (item: string) => boolean): number | undefined;
  /** The same downwards. */
  findLast(index: number, count: number, test: (item: string) => boolean): number | undefined;
}
