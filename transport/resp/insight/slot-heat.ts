/**
 * Reads and writes by slot and time, of the sample of commands that hot keys are found by: what
 * the console draws as a map. A ring of columns by the wall clock, so that those of several nodes
 * can be added up.
 */
import { CONFLICT_SLOTS } from '../../../storage/keyspace/slots.ts';

const COLUMN_MS = 5_000;
const COLUMNS = 60;
/** Each is as many neighbouring slots. */
const ROWS = 64;
/** Conflict slots are in the order of the slots that clients know. */
const SLOTS_PER_ROW = CONFLICT_SLOTS / ROWS;

export interface HeatMap {
  /** Number of the newest column: its time by the wall clock, in units of `columnMs`. */
  readonly newest: number;
  readonly columnMs: number;
  readonly columns: number;
  readonly rows: number;
  /** Commands, column by column, the oldest first: floats of four bytes, little endian. */
  readonly reads: Uint8Array;
  readonly writes: Uint8Array;
}

export class SlotHeat {
  readonly #reads = new Float32Array(COLUMNS * ROWS);
  readonly #writes = new Float32Array(COLUMNS * ROWS);
  #newest = 0;

  /** A command over a key of this conflict slot, which stands for `weight` of its kind. */
  add(slot: number, isWrite: boolean, weight: number, wallUs: number): void {
    this.#turnTo(columnAt(wallUs));
    const row = Math.floor(slot / SLOTS_PER_ROW);
    const at = (this.#newest % COLUMNS) * ROWS + row;
    const counts = isWrite ? this.#writes : this.#reads;
    counts[at] = (counts[at] as number) + weight;
  }

  map(wallUs: number): HeatMap {
    this.#turnTo(columnAt(wallUs));
    const first = (this.#newest + 1) % COLUMNS;
    const ordered = (counts: Float32Array): Uint8Array => {
      const all = new Float32Array(counts.length);
      all.set(counts.subarray(first * ROWS), 0);
      all.set(counts.subarray(0, first * ROWS), (COLUMNS - first) * ROWS);
      return new Uint8Array(all.buffer);
    };
    return {
      ...{ newest: this.#newest, columnMs: COLUMN_MS, columns: COLUMNS, rows: ROWS },
      ...{ reads: ordered(this.#reads), writes: ordered(this.#writes) },
    };
  }

  /** Columns of the time in between are empty; a clock that goes back stays where it was. */
  #turnTo(column: number): void {
    const passed = Math.min(COLUMNS, column - this.#newest);
    for (let next = column - passed + 1; next <= column; next += 1) {
      const from = (next % COLUMNS) * ROWS;
      this.#reads.fill(0, from, from + ROWS);
      this.#writes.fill(0, from, from + ROWS);
    }
    this.#newest = Math.max(this.#newest, column);
  }
}

function columnAt(wallUs: number): number {
  return Math.floor(wallUs / 1_000 / COLUMN_MS);
}
