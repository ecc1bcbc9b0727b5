/**
 * Slots by time, coloured by load: what all nodes have seen.
 *
 * @import { HeatMap } from '../../resp/insight/slot-heat.ts'
 */
import { rate } from './format.js';
import { html, useEffect, useRef, useState } from './html.js';

const SLOTS = 16_384;
const HEIGHT = 256;

/** @param {{ map: HeatMap, kind: 'reads' | 'writes', theme: string }} props */
export function Heat({ map, kind, theme }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [at, setAt] = useState(
    /** @type {{ column: number, row: number } | undefined} */ (undefined),
  );
  const sum = {
    ...map,
    cells: new Float32Array(map[kind].slice().buffer),
  };
  useEffect(() => draw(canvas.current, sum), [map, kind, theme]);
  const moved = (/** @type {MouseEvent} */ event) => {
    const box = /** @type {HTMLElement} */ (event.currentTarget).getBoundingClientRect();
    setAt({
      column: Math.min(
        sum.columns - 1,
        Math.floor(((event.clientX - box.left) / box.width) * sum.columns),
      ),
      row: Math.min(sum.rows - 1, Math.floor(((event.clientY - box.top) / box.height) * sum.rows)),
    });
  };
  return html`<div class="heat">
    <div class="axis"><span>slot 0</span><span>${SLOTS / 2}</span><span>${SLOTS - 1}</span></div>
    <canvas ref=${canvas} height=${HEIGHT} role="img" aria-label=${`${kind} by slot and time`}
      onMouseMove=${moved} onMouseLeave=${() => setAt(undefined)}></canvas>
    <div class="axis time"><span>${(sum.columns * sum.columnMs) / 60_000} min ago</span><span>${told(sum, at)}</span><span>now</span></div>
  </div>`;
}

/** @typedef {{ columns: number, rows: number, columnMs: number, cells: Float32Array }} Sum */

/**
 * @param {Sum} sum
 * @param {{ column: number, row: number } | undefined} at
 */
function told({ rows, columns, columnMs, cells }, at) {
  if (at === undefined)
    return `most: ${rate((Math.max(...cells) / columnMs) * 1_000)}/s in ${SLOTS / rows} slots`;
  const first = (at.row * SLOTS) / rows;
  const ago = ((columns - 1 - at.column) * columnMs) / 1_000;
  const value = ((cells[at.column * rows + at.row] ?? 0) / columnMs) * 1_000;
  return `slots ${first}–${first + SLOTS / rows - 1}, ${ago} s ago: ${rate(value)}/s`;
}

/**
 * @param {HTMLCanvasElement | null} canvas
 * @param {Sum} sum
 */
function draw(canvas, { columns, rows, cells }) {
  const context = canvas?.getContext('2d');
  if (canvas === null || !context) return;
  canvas.width = columns * 8;
  const styles = getComputedStyle(document.documentElement);
  const [cold, hot] = [styles.getPropertyValue('--heat-0'), styles.getPropertyValue('--heat-1')];
  const most = Math.max(1, ...cells);
  context.fillStyle = cold;
  context.fillRect(0, 0, canvas.width, HEIGHT);
  context.fillStyle = hot;
  const height = HEIGHT / rows;
  for (let column = 0; column < columns; column += 1) {
    for (let row = 0; row < rows; row += 1) {
      const value = cells[column * rows + row] ?? 0;
      if (value === 0) continue;
      // The logarithm shows what is warm beside what is hot.
      context.globalAlpha = 0.08 + 0.92 * (Math.log1p(value) / Math.log1p(most));
      context.fillRect(column * 8, row * height, 8, height);
    }
  }
  context.globalAlpha = 1;
}
