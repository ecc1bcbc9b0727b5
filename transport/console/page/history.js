/** The overviews of the last minutes, as the time lines show them. It outlives the views. */

const POINTS_MAX = 300;

/** @import { Overview } from '../samples.ts' */

/** One list per column; the first is Unix seconds. @type {Record<string, number[]>} */
let columns = {};

/**
 * @param {Overview} overview
 * @param {number} atMs
 */
export function remember(overview, atMs) {
  const { read, write, paths, errors } = overview;
  const rates = Object.values(overview.nodes).flatMap((node) =>
    typeof node === 'string' || node.rates === undefined ? [] : [node.rates],
  );
  const sum = (/** @type {'reads' | 'writes'} */ name) =>
    rates.reduce((all, each) => all + each[name], 0);
  add({
    at: atMs / 1_000,
    reads: sum('reads'),
    writes: sum('writes'),
    ...prefixed('read', read),
    ...prefixed('write', write),
    ...paths,
    errors: errors.reduce((all, [, count]) => all + count, 0),
  });
}

/** @param {string[]} names @returns {number[][]} */
export function columnsOf(names) {
  return names.map((name) => columns[name] ?? []);
}

/** @param {Record<string, number>} point */
function add(point) {
  const next = { ...columns };
  for (const [name, value] of Object.entries(point)) {
    next[name] = [...(columns[name] ?? []), value].slice(-POINTS_MAX);
  }
  columns = next;
}

/**
 * @param {string} family
 * @param {Overview['read']} quantiles
 */
function prefixed(family, { count, p50Us, p99Us, p999Us }) {
  // Without commands there is no latency: the line has a gap.
  const at = (/** @type {number} */ us) => (count === 0 ? /** @type {any} */ (null) : us);
  return { [`${family}50`]: at(p50Us), [`${family}99`]: at(p99Us), [`${family}999`]: at(p999Us) };
}
