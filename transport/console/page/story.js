/**
 * A transaction on one time axis over all nodes: a lane per node, a point per fact, an arrow per
 * message; beneath it the facts as text. A point and its line belong together.
 *
 * @import { TransactionAnswer } from '../console-traces.ts'
 */
import { html, useState } from './html.js';

const WIDTH = 1_000;
const LANE = 54;
const TOP = 26;
const LEFT = 56;

/** @param {{ story: TransactionAnswer }} props */
export function Story({ story }) {
  const { nodes, rows, startUs, errorUs, missing } = story;
  const [chosen, choose] = useState(-1);
  const endUs = Math.max(startUs + 1, ...rows.map(({ t }) => t));
  const x = (/** @type {number} */ t) =>
    LEFT + ((t - startUs) / (endUs - startUs)) * (WIDTH - LEFT - 14);
  const y = (/** @type {number} */ node) => TOP + LANE * nodes.indexOf(node) + LANE / 2;
  const height = TOP + LANE * nodes.length;
  const gone = Object.entries(missing);
  return html`<div class="story">
    <svg viewBox=${`0 0 ${WIDTH} ${height}`} role="img" aria-label="the transaction on a time axis">
      ${ticks(endUs - startUs).map(
        (us) => html`<g class="tick">
        <line x1=${x(startUs + us)} x2=${x(startUs + us)} y1=${TOP - 6} y2=${height} />
        <text x=${x(startUs + us)} y="12">${(us / 1_000).toFixed(us < 10_000 ? 1 : 0)} ms</text>
      </g>`,
      )}
      ${nodes.map(
        (node) => html`<g class="lane">
        <line x1=${LEFT} x2=${WIDTH - 10} y1=${y(node)} y2=${y(node)} />
        <text x="4" y=${y(node) + 4}>node ${node}</text>
      </g>`,
      )}
      ${rows.map((row, index) => {
        const { node, from } = row;
        if (from === undefined || row.sentT === undefined || !nodes.includes(from)) return null;
        return html`<line key=${`m${index}`} class=${`message ${chosen === index ? 'chosen' : ''}`}
          x1=${x(Math.max(row.sentT, startUs))} y1=${y(from)} x2=${x(row.t)} y2=${y(node)} />`;
      })}
      ${rows.map(
        ({ t, node, text }, index) => html`<circle key=${`p${index}`}
        class=${`${kindOf(text)} ${chosen === index ? 'chosen' : ''}`} cx=${x(t)} cy=${y(node)} r=${chosen === index ? 6 : 4}
        onMouseEnter=${() => choose(index)}><title>${text}</title></circle>`,
      )}
    </svg>
    <div class="legend"><span><i class="step"></i>step</span><span><i class="message"></i>message received</span>
      <span><i class="log"></i>log</span><span><i class="end"></i>decided, executed, answered</span>
      <span>times of different nodes are accurate to ± ${(errorUs / 1_000).toFixed(3)} ms</span></div>
    ${gone.length > 0 && html`<p class="warn">Not in the picture: ${gone.map(([node, why]) => `node ${node} (${why})`).join(', ')}</p>`}
    <ol class="facts">${rows.map(
      ({ t, text }, index) => html`<li key=${index} class=${chosen === index ? 'chosen' : ''}
      onMouseEnter=${() => choose(index)}><span class="muted">${((t - startUs) / 1_000).toFixed(3)} ms</span> ${text}</li>`,
    )}</ol>
  </div>`;
}

/** @param {string} text */
function kindOf(text) {
  if (/: log: /.test(text)) return 'log';
  if (/ from node /.test(text)) return 'message';
  return /decided|executed|answered|recover|invalid/.test(text) ? 'end' : 'step';
}

/** Some round distances from the start. @param {number} lengthUs @returns {number[]} */
function ticks(lengthUs) {
  const step =
    [100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 2e6, 5e6].find(
      (each) => lengthUs / each <= 10,
    ) ?? 1e7;
  return Array.from({ length: Math.floor(lengthUs / step) + 1 }, (_, index) => index * step);
}
