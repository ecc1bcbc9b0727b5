/**
 * How small messages travel between the nodes: the tier, why no higher one, and where time goes.
 *
 * @import { HoloFastSample, OfNodes } from '../../samples.ts'
 */
import { count, micros } from '../format.js';
import { html } from '../html.js';
import { Badge, Card, Empty, Table } from '../parts.js';
import { useLive } from '../state.js';

export function HoloFast() {
  /** @type {{ nodes: OfNodes<HoloFastSample>, error?: string } | undefined} */
  const told = useLive('holofast');
  if (told === undefined) return html`<${Empty}>The nodes are being asked.<//>`;
  if (told.error !== undefined) return html`<${Empty}>${told.error}<//>`;
  const nodes = Object.entries(told.nodes);
  return html`<div class="grid three">
    ${nodes.map(([id, sample]) => html`<${Tier} key=${id} id=${id} sample=${sample} />`)}
    ${nodes.map(([id, sample]) => html`<${Phases} key=${`p${id}`} id=${id} sample=${sample} />`)}
  </div>`;
}

/** @param {{ id: string, sample: HoloFastSample | string }} props */
function Tier({ id, sample }) {
  if (typeof sample === 'string') {
    return html`<${Card} title=${`Node ${id}`} side=${html`<${Badge} tone="bad">down<//>`}>${sample}<//>`;
  }
  const { tier = 'off', reason = '', mode = '', quorums = 0, counters = {} } = sample.status ?? {};
  return html`<${Card} title=${`Node ${id}`} side=${html`<${Badge} tone=${tier === 'kernel' ? 'good' : 'plain'}>${tier}<//>`}>
    <dl>
      <dt>setting</dt><dd>${mode}</dd>
      <dt>why</dt><dd>${reason || 'it is the highest tier'}</dd>
      <dt>kernel quorums</dt><dd>${count(quorums)}</dd>
      ${Object.entries(counters).map(([name, value]) => html`<dt>${name}</dt><dd>${count(value)}</dd>`)}
    </dl>
  <//>`;
}

/** @param {{ id: string, sample: HoloFastSample | string }} props */
function Phases({ id, sample }) {
  if (typeof sample === 'string') return null;
  const of = (/** @type {'p50Us' | 'p99Us' | 'p999Us'} */ name) => ({
    kind: 'number',
    show: (/** @type {HoloFastSample['phases'][0]} */ row) =>
      micros(row.count ? row[name] : undefined),
  });
  const columns = [
    { name: 'phase', show: (/** @type {any} */ row) => row.phase },
    { name: 'p50', ...of('p50Us') },
    { name: 'p99', ...of('p99Us') },
    { name: 'p99.9', ...of('p999Us') },
  ];
  return html`<${Card} title=${`Where time goes on node ${id}`} flush=${true}
    side=${html`<span class="muted">since the start</span>`}>
    <${Table} label=${`phases of node ${id}`} columns=${columns} rows=${sample.phases}
      keyOf=${(/** @type {any} */ row) => row.phase} />
  <//>`;
}
