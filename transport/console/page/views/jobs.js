/**
 * Jobs and actions of the cluster: what is being done to its ranges and what has been done, who
 * drives it, and what can be asked for.
 *
 * @import { OfNodes, RangesSample } from '../../samples.ts'
 */
import { Action } from '../action.js';
import { NeedsRole } from '../asked.js';
import { span } from '../format.js';
import { html, useState } from '../html.js';
import { Badge, Card, Table } from '../parts.js';
import { linkTo, useClock, useConnection, useLive } from '../state.js';

/** @typedef {{ title: string, args: Record<string, string | number>, danger?: boolean }} Chosen */

export function Jobs() {
  return html`<${NeedsRole}><${Shown} /><//>`;
}

function Shown() {
  const { welcome } = useConnection();
  const [chosen, choose] = useState(/** @type {Chosen | undefined} */ (undefined));
  const [slot, setSlot] = useState('');
  const topology = useTopology();
  const byNode = html`<p class="muted">Done by node ${welcome?.node}; a line of audit is left in its log.</p>`;
  return html`<div class="grid">
    <${Changes} topology=${topology} choose=${choose} />
    <div class="grid two">
      <${Card} title="Split a range" side=${html`<button disabled=${slot === ''} onClick=${() =>
        choose({
          title: 'Split',
          args: { action: 'range.split', slot: Number(slot) },
        })}>Try</button>`}>
        <p>Two ranges instead of one, with the same members.</p>
        <label class="field"><span>at slot</span><input type="number" min="1" max="16383" value=${slot}
          onInput=${(/** @type {any} */ event) => setSlot(event.target.value)} /></label>
        ${byNode}
      <//>
      <${Card} title="Dump the trace" side=${html`<button onClick=${() =>
        choose({ title: 'Dump the trace', args: { action: 'trace.dump' } })}>Try</button>`}>
        <p>The last events of this node, and the slow transactions, as a file for holoctl and Perfetto.</p>
        ${byNode}
      <//>
    </div>
    <${Controllers} topology=${topology} choose=${choose} />
    <${Ended} topology=${topology} />
    ${chosen && html`<${Action} ...${chosen} onClose=${() => choose(undefined)} />`}
  </div>`;
}

/** As the node that serves the page has it, or another one. @returns {any} */
function useTopology() {
  const { welcome } = useConnection();
  /** @type {{ nodes: OfNodes<RangesSample>, error?: string } | undefined} */
  const told = useLive('ranges');
  const samples = told?.nodes ?? {};
  const own = samples[welcome?.node ?? 0];
  const found = typeof own === 'object' ? own : Object.values(samples).find(isSample);
  return typeof found === 'object' ? found.topology : undefined;
}

/** @param {unknown} sample */
function isSample(sample) {
  return typeof sample === 'object';
}

/** @param {{ topology: any, choose: (chosen: Chosen) => void }} props */
function Changes({ topology, choose }) {
  const nowMs = useClock(1_000);
  const rows = (topology?.ranges ?? []).filter((/** @type {any} */ range) => range.change);
  const button = (/** @type {any} */ { range, change }, /** @type {string} */ title) =>
    html`<button class=${`small ${title === 'Cancel' ? 'danger' : ''}`} onClick=${() =>
      choose({
        title: `${title} change ${change.number}`,
        args: { action: `range.${title.toLowerCase()}`, range },
        danger: title === 'Cancel',
      })}>${title}</button>`;
  const columns = [
    { name: 'change', show: (/** @type {any} */ { change }) => html`<b>${change.number}</b>` },
    {
      name: 'what',
      show: (/** @type {any} */ { change, range }) =>
        html`${change.kind} <a href=${linkTo('ranges')}>range ${range}</a>
          ${change.atSlot === undefined ? `to nodes ${change.members.join(' ')}` : `at slot ${change.atSlot}`}`,
    },
    {
      name: 'state',
      show: (/** @type {any} */ { change, phase }) =>
        html`<${Badge} tone="warn">${change.isPaused ? 'paused' : phase}<//>`,
    },
    {
      name: 'for',
      show: (/** @type {any} */ { change }) => span(Math.max(0, nowMs - change.startedUs / 1_000)),
    },
    { name: 'by', kind: 'text', show: (/** @type {any} */ { change }) => change.by },
    {
      name: '',
      show: (/** @type {any} */ row) =>
        row.phase !== 'closing' &&
        html`<span class="tools">${button(row, row.change.isPaused ? 'Resume' : 'Pause')}${button(row, 'Cancel')}</span>`,
    },
  ];
  return html`<${Card} title="Changes under way" flush=${true}>
    <${Table} label="changes under way" columns=${columns} rows=${rows} keyOf=${(/** @type {any} */ { change }) => `${change.number}`}
      empty=${topology === undefined ? 'The nodes are being asked.' : 'No range is being changed.'} />
  <//>`;
}

/** The leases by which one node at a time drives changes. @param {{ topology: any, choose: (chosen: Chosen) => void }} props */
function Controllers({ topology, choose }) {
  const columns = [
    { name: 'drives', show: (/** @type {any} */ { domain }) => domain },
    {
      name: 'state',
      show: (/** @type {any} */ { isPaused, holder }) =>
        html`<${Badge} tone=${isPaused ? 'warn' : holder === 0 ? 'plain' : 'good'}>${
          isPaused ? 'paused' : holder === 0 ? 'free' : 'held'
        }<//>`,
    },
    {
      name: 'node',
      kind: 'number',
      show: (/** @type {any} */ { holder }) => (holder === 0 ? '–' : holder),
    },
    { name: 'term', kind: 'number', show: (/** @type {any} */ { term }) => term },
    {
      name: '',
      show: (/** @type {any} */ { domain, isPaused }) => {
        const title = isPaused ? 'Resume' : 'Pause';
        return html`<button class="small" onClick=${() =>
          choose({
            title: `${title} ${domain}`,
            args: { action: `controller.${title.toLowerCase()}`, controller: domain },
          })}>${title}</button>`;
      },
    },
  ];
  return html`<${Card} title="Controllers" flush=${true}>
    <${Table} label="controllers" columns=${columns} rows=${topology?.controllers ?? []} keyOf=${(/** @type {any} */ { domain }) => domain}
      empty="None is known." />
  <//>`;
}

/** @param {{ topology: any }} props */
function Ended({ topology }) {
  const columns = [
    {
      name: 'change',
      show: (/** @type {any} */ { number }) => html`<b>${number}</b>`,
      by: (/** @type {any} */ { number }) => number,
    },
    { name: 'what', show: (/** @type {any} */ { kind }) => kind },
    {
      name: 'outcome',
      show: (/** @type {any} */ { outcome }) =>
        html`<${Badge} tone=${outcome === 'done' ? 'good' : 'warn'}>${outcome}<//>`,
    },
    {
      name: 'ended',
      show: (/** @type {any} */ { endedUs }) => new Date(endedUs / 1_000).toLocaleString('en-GB'),
    },
    {
      name: 'took',
      show: (/** @type {any} */ { startedUs, endedUs }) => span((endedUs - startedUs) / 1_000),
    },
    { name: 'by', kind: 'text', show: (/** @type {any} */ { by }) => by },
  ];
  return html`<${Card} title="Ended changes" flush=${true} tall=${true}>
    <${Table} label="ended changes" columns=${columns} rows=${topology?.jobs ?? []} order="change" descending=${true}
      keyOf=${(/** @type {any} */ { number }) => `${number}`} empty="No change has ended." />
  <//>`;
}
