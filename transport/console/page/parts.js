/** Small pieces that several views are made of. */
import { html, useState } from './html.js';

/**
 * @typedef {object} Column
 * @property {string} name
 * @property {(row: any) => unknown} show
 * @property {(row: any) => string | number} [by] what it is sorted by
 * @property {string} [kind] a class: number, text, mono, wrap
 */

/**
 * @param {{ title: unknown, side?: unknown, flush?: boolean, wide?: boolean, tall?: boolean, children?: unknown }} props
 * `tall`: scrolls within itself
 */
export function Card({ title, side, flush, wide, tall, children }) {
  return html`<section class=${`card ${wide ? 'wide' : ''}`}>
    <header><h2>${title}</h2><span class="fill"></span>${side}</header>
    <div class=${`${flush ? 'flush' : 'body'} ${tall ? 'tall' : ''}`}>${children}</div>
  </section>`;
}

/** @param {{ name: string, value: unknown, more?: unknown, tone?: string }} props */
export function Stat({ name, value, more, tone = '' }) {
  return html`<div class="stat">
    <div class="name">${name}</div>
    <div class=${`value ${tone}`}>${value}</div>
    <div class="more">${more ?? '\u00a0'}</div>
  </div>`;
}

/** @param {{ tone?: string, title?: string, children?: unknown }} props */
export function Badge({ tone = 'plain', title, children }) {
  return html`<span class=${`badge ${tone}`} title=${title}>${children}</span>`;
}

/** @param {{ share: number, children?: unknown }} props `share` between 0 and 1 */
export function Bar({ share, children }) {
  const tone = share > 0.95 ? 'bad' : share > 0.85 ? 'warn' : '';
  const width = `${Math.min(100, Math.max(0, 100 * (share || 0)))}%`;
  return html`<span class="bar"><i class=${tone} style=${{ width }}></i></span>${children}`;
}

/** @param {{ children?: unknown }} props */
export function Empty({ children }) {
  return html`<div class="empty">${children}</div>`;
}

/**
 * A table that is sorted by its heads.
 *
 * @param {{
 *   columns: Column[], rows: any[], keyOf: (row: any) => string, order?: string, descending?: boolean,
 *   onPick?: (row: any) => void, picked?: string, empty?: string, label: string
 * }} props
 */
export function Table(props) {
  const { columns, rows, keyOf, onPick, picked, empty = 'nothing', label } = props;
  const [order, setOrder] = useState(props.order ?? '');
  const [isDown, setDown] = useState(props.descending ?? false);
  const by = columns.find(({ name }) => name === order)?.by;
  const sorted = by === undefined ? rows : [...rows].sort((a, b) => compare(by(a), by(b), isDown));
  const sort = (/** @type {string} */ name) => {
    if (name === order) return setDown(!isDown);
    setOrder(name);
    setDown(true);
  };
  if (rows.length === 0) return html`<${Empty}>${empty}<//>`;
  return html`<table aria-label=${label}>
    <thead><tr>${columns.map((column) => {
      const { name, kind = '' } = column;
      const state = name === order ? (isDown ? 'descending' : 'ascending') : undefined;
      const mark = state === undefined ? '' : isDown ? ' ↓' : ' ↑';
      const head = column.by
        ? html`<button onClick=${() => sort(name)}>${name}${mark}</button>`
        : name;
      return html`<th class=${kind} aria-sort=${state}>${head}</th>`;
    })}</tr></thead>
    <tbody>${sorted.map((row) => {
      const key = keyOf(row);
      const pick = onPick && (() => onPick(row));
      return html`<tr key=${key} class=${pick ? 'link' : ''} aria-selected=${key === picked}
        tabIndex=${pick ? 0 : undefined} onClick=${pick}
        onKeyDown=${(/** @type {KeyboardEvent} */ event) => event.key === 'Enter' && pick?.()}>
        ${columns.map(({ kind = '', show }) => html`<td class=${kind}>${show(row)}</td>`)}
      </tr>`;
    })}</tbody>
  </table>`;
}

/**
 * @param {string | number} a
 * @param {string | number} b
 * @param {boolean} isDown
 */
function compare(a, b, isDown) {
  const order = typeof a === 'number' && typeof b === 'number' ? a - b : `${a}` < `${b}` ? -1 : 1;
  return isDown ? -order : order;
}
