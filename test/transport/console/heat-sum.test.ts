/** Maps of slots by time of several nodes, as one. */
import { expect, test } from 'vitest';
import { decodeCbor, encodeCbor } from '../../../transport/cbor.ts';
import { sumOfHeat } from '../../../transport/console/heat-sum.ts';
import { type HeatMap, SlotHeat } from '../../../transport/resp/insight/slot-heat.ts';

const COLUMN_US = 5_000_000;
const SLOT = 4_711;

/** Writes of one slot, by column; the map ends there. */
function mapOf(...columns: number[]) {
  const heat = new SlotHeat();
  for (const column of columns) heat.add(SLOT, true, 2, column * COLUMN_US);
  return heat.map((columns.at(-1) ?? 0) * COLUMN_US);
}

test('columns of the same time are added up, whatever the newest of each node is', () => {
  const told = decodeCbor(encodeCbor({ heat: mapOf(98, 100) })) as { heat: HeatMap };
  const sum = sumOfHeat([mapOf(100, 101), told.heat]);
  const cells = [...new Float32Array(sum?.writes.slice().buffer ?? new ArrayBuffer(0))];
  const rows = sum?.rows ?? 0;
  const byColumn = Array.from({ length: 60 }, (_, column) =>
    cells.slice(column * rows, (column + 1) * rows).reduce((total, cell) => total + cell, 0),
  );
  expect(sum?.newest).toBe(101);
  expect(byColumn.slice(-4)).toEqual([2, 0, 4, 2]);
  expect(byColumn.slice(0, -4).every((total) => total === 0)).toBe(true);
});

test('without a map there is none', () => {
  expect(sumOfHeat([])).toBeUndefined();
});
