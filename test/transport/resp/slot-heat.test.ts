/** The map of slots by time: columns by the wall clock, the oldest first. */
import { expect, test } from 'vitest';
import { slotOfText } from '../../../storage/keyspace/slots.ts';
import { type HeatMap, SlotHeat } from '../../../transport/resp/insight/slot-heat.ts';

/** `[column from the newest, row, count]` of all cells that are not empty. */
function cells(bytes: Uint8Array, { columns, rows }: HeatMap): number[][] {
  const counts = new Float32Array(bytes.slice().buffer);
  return [...counts].flatMap((count, at) =>
    count === 0 ? [] : [[columns - 1 - Math.floor(at / rows), at % rows, count]],
  );
}

const START_US = 1_790_000_000_000_000;
const COLUMN_US = 5_000_000;
/** CRC16 of `foo` is slot 12182, of `{foo}bar` too: row 47 of 64. */
const FOO_ROW = 47;

test('reads and writes are counted by slot, with their weight', () => {
  const heat = new SlotHeat();
  heat.add(slotOfText('foo'), true, 3, START_US);
  heat.add(slotOfText('{foo}bar'), true, 1, START_US + 1);
  heat.add(slotOfText('foo'), false, 2, START_US);
  const map = heat.map(START_US);
  expect(map.newest).toBe(START_US / COLUMN_US);
  expect(cells(map.writes, map)).toEqual([[0, FOO_ROW, 4]]);
  expect(cells(map.reads, map)).toEqual([[0, FOO_ROW, 2]]);
});

test('columns move on with the time, and are forgotten after five minutes', () => {
  const heat = new SlotHeat();
  heat.add(slotOfText('foo'), true, 1, START_US);
  heat.add(slotOfText('foo'), true, 5, START_US + 2 * COLUMN_US);
  const later = heat.map(START_US + 3 * COLUMN_US);
  expect(cells(later.writes, later)).toEqual([
    [3, FOO_ROW, 1],
    [1, FOO_ROW, 5],
  ]);
  const last = heat.map(START_US + 60 * COLUMN_US);
  expect(cells(last.writes, last)).toEqual([[58, FOO_ROW, 5]]);
  const none = heat.map(START_US + 1_000 * COLUMN_US);
  expect(cells(none.writes, none)).toEqual([]);
});

test('a clock that goes back adds to the newest column', () => {
  const heat = new SlotHeat();
  heat.add(slotOfText('foo'), true, 1, START_US);
  heat.add(slotOfText('foo'), true, 1, START_US - 10 * COLUMN_US);
  const map = heat.map(START_US - 10 * COLUMN_US);
  expect(cells(map.writes, map)).toEqual([[0, FOO_ROW, 2]]);
});
