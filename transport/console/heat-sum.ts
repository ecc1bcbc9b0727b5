/** The maps of slots by time of several nodes as one. Pure. */
import type { HeatMap } from '../resp/insight/slot-heat.ts';

/** Column by column, as of the newest; undefined without any. */
export function sumOfHeat(maps: readonly HeatMap[]): HeatMap | undefined {
  const [first] = maps;
  if (first === undefined) return undefined;
  const newest = Math.max(...maps.map((map) => map.newest));
  const { columnMs, columns, rows } = first;
  const sum = (kind: 'reads' | 'writes'): Uint8Array => {
    const cells = new Float32Array(columns * rows);
    for (const map of maps) {
      // A copy: that of another node is a view of its answer, at any offset.
      const own = new Float32Array(new Uint8Array(map[kind]).buffer);
      // A node whose last column is older has nothing in those after it.
      const shift = (newest - map.newest) * rows;
      for (let at = shift; at < own.length; at += 1) {
        cells[at - shift] = (cells[at - shift] as number) + (own[at] as number);
      }
    }
    return new Uint8Array(cells.buffer);
  };
  return { newest, columnMs, columns, rows, reads: sum('reads'), writes: sum('writes') };
}
