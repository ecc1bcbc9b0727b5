/** Picks the node that a view is about. */
import { html } from './html.js';

/** @param {{ node: number, overview: any, link: (node: number) => string }} props */
export function NodeTabs({ node, overview, link }) {
  const ids = Object.keys(overview?.nodes ?? { [node]: '' }).map(Number);
  return html`<div class="tabs" role="group" aria-label="node">${ids.map(
    (id) => html`<button key=${id} aria-pressed=${id === node}
      onClick=${() => {
        location.hash = link(id);
      }}>Node ${id}</button>`,
  )}</div>`;
}
