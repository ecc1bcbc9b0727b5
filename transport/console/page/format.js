/** Numbers, times and sizes as people read them. Pure. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** @param {number} value */
export function count(value) {
  if (!Number.isFinite(value)) return '–';
  if (Math.abs(value) < 10_000) return value.toLocaleString('en', { maximumFractionDigits: 0 });
  return value.toLocaleString('en', { notation: 'compact', maximumFractionDigits: 1 });
}

/** Per second. @param {number} value */
export function rate(value) {
  if (!Number.isFinite(value)) return '–';
  if (value > 0 && value < 10) return value.toFixed(1);
  return count(value);
}

/** @param {number} bytes */
export function bytes(bytes) {
  if (!Number.isFinite(bytes)) return '–';
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(value < 10 && unit > 0 ? 1 : 0)} ${UNITS[unit]}`;
}

/** A duration; undefined where it is not known. @param {number | undefined} us */
export function micros(us) {
  if (us === undefined || !Number.isFinite(us)) return '–';
  if (us < 1_000) return `${Math.round(us)} µs`;
  const ms = us / 1_000;
  return ms < 1_000 ? `${short(ms)} ms` : `${short(ms / 1_000)} s`;
}

/** @param {number} ms */
export function span(ms) {
  const seconds = Math.floor(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const hours = Math.floor(seconds / 3_600);
  if (hours < 48) return `${hours} h ${Math.floor((seconds % 3_600) / 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** @param {number} share between 0 and 1 */
export function percent(share) {
  return Number.isFinite(share) ? `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %` : '–';
}

/** Three digits, and none that say nothing. @param {number} value */
function short(value) {
  return String(Number(value.toPrecision(3)));
}
