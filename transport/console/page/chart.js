/** A time line by uPlot, in the colours of the page. */
import uPlot from 'uplot';
import { html, useEffect, useRef } from './html.js';

const HEIGHT = 150;

/**
 * @typedef {object} Series
 * @property {string} name
 * @property {string} color a custom property of the page: --series-1
 * @property {boolean} [filled]
 */

/**
 * @param {{
 *   title: string, series: Series[], data: number[][], format: (value: number) => string,
 *   theme: string, log?: boolean
 * }} props `data`: Unix seconds, then the values of each series
 */
export function Chart({ title, series, data, format, theme, log = false }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const plot = useRef(/** @type {uPlot | undefined} */ (undefined));
  useEffect(() => {
    const element = place.current;
    if (element === null) return undefined;
    const options = optionsOf(series, format, log, widthOf(element));
    const made = new uPlot(options, /** @type {uPlot.AlignedData} */ (data), element);
    plot.current = made;
    const watch = new ResizeObserver(() => {
      made.setSize({ width: widthOf(element), height: HEIGHT });
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
    };
  }, [theme]);
  useEffect(() => plot.current?.setData(/** @type {uPlot.AlignedData} */ (data)), [data]);
  const last = (/** @type {number} */ index) => format(data[index + 1]?.at(-1) ?? Number.NaN);
  return html`<section class="card">
    <header><h2>${title}</h2><span class="fill"></span>
      <div class="legend">${series.map(
        ({ name, color }, index) => html`<span>
          <i style=${{ background: `var(${color})` }}></i>${name} <b>${last(index)}</b>
        </span>`,
      )}</div>
    </header>
    <div class="chart" ref=${place} role="img" aria-label=${title}></div>
  </section>`;
}

/** Without its padding. @param {HTMLElement} element */
function widthOf(element) {
  const { paddingLeft, paddingRight } = getComputedStyle(element);
  return element.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight);
}

/**
 * @param {Series[]} series
 * @param {(value: number) => string} format
 * @param {boolean} log
 * @param {number} width
 * @returns {uPlot.Options}
 */
function optionsOf(series, format, log, width) {
  const color = (/** @type {string} */ name) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = {
    stroke: color('--muted'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui, sans-serif',
  };
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { points: { show: false }, drag: { x: false, y: false } },
    // Room for half of the last label.
    padding: [6, 22, 0, 0],
    scales: {
      x: { time: true },
      y: log
        ? { distr: 3, range: decades }
        : { range: (_plot, _min, max) => [0, Math.max(1, (max || 0) * 1.1)] },
    },
    axes: [
      { ...axis, size: 26, space: 70, values: timeLabels },
      {
        ...axis,
        size: 62,
        space: 34,
        values: (_plot, values) => values.map((value) => labelOf(value, format, log)),
      },
    ],
    series: [
      {},
      ...series.map(({ name, color: line, filled }) => ({
        label: name,
        stroke: color(line),
        width: 1.5,
        points: { show: false },
        ...(filled ? { fill: `${color(line)}22` } : {}),
      })),
    ],
  };
}

/**
 * @param {uPlot} _plot
 * @param {number[]} values
 */
function timeLabels(_plot, values) {
  return values.map((value) => new Date(value * 1_000).toLocaleTimeString('en-GB'));
}

/**
 * Whole powers of ten around what is shown.
 *
 * @param {uPlot} _plot
 * @param {number | null} min
 * @param {number | null} max
 * @returns {[number, number]}
 */
function decades(_plot, min, max) {
  const low = 10 ** Math.floor(Math.log10(min || 100));
  return [low, Math.max(10 ** Math.ceil(Math.log10(max || 1_000)), 10 * low)];
}

/**
 * Of a logarithmic axis, powers of ten alone are named.
 *
 * @param {number | null} value
 * @param {(value: number) => string} format
 * @param {boolean} log
 */
function labelOf(value, format, log) {
  return value === null || (log && Math.log10(value) % 1 !== 0) ? '' : format(value);
}
