/**
 * The cluster at one look: rates, latencies, paths, nodes, and what is to be mended.
 *
 * @import { Overview as Data, OverviewNode } from '../../samples.ts'
 */
import { Chart } from '../chart.js';
import { bytes, count, micros, percent, rate, span } from '../format.js';
import { columnsOf } from '../history.js';
import { html } from '../html.js';
import { Badge, Bar, Card, Empty, Stat, Table } from '../parts.js';

/** @param {{ overview: Data | undefined, theme: string }} props */
export function Overview({ overview, theme }) {
  if (overview === undefined) return html`<${Empty}>The nodes are being asked.<//>`;
  return html`<${Stats} overview=${overview} />
    <${Findings} findings=${overview.findings} />
    <div class="grid two">
      <${Chart} title="Commands per second" theme=${theme} format=${rate}
        data=${columnsOf(['at', 'reads', 'writes'])} series=${[
          { name: 'reads', color: '--series-2', filled: true },
          { name: 'writes', color: '--series-1', filled: true },
        ]} />
      <${Chart} title="Transactions" theme=${theme} format=${rate}
        data=${columnsOf(['at', 'fast', 'slow', 'recovered', 'invalidated'])} series=${[
          { name: 'fast', color: '--series-2', filled: true },
          { name: 'slow', color: '--series-3' },
          { name: 'recovered', color: '--series-4' },
          { name: 'invalidated', color: '--bad' },
        ]} />
      <${Latency} title="Latency of writes" family="write" theme=${theme} />
      <${Latency} title="Latency of reads" family="read" theme=${theme} />
      <${Nodes} overview=${overview} />
      <${RoundTrips} overview=${overview} />
      <${Errors} overview=${overview} />
    </div>`;
}

/** @param {{ title: string, family: string, theme: string }} props */
function Latency({ title, family, theme }) {
  return html`<${Chart} title=${title} theme=${theme} format=${micros} log=${true}
    data=${columnsOf(['at', `${family}50`, `${family}99`, `${family}999`])} series=${[
      { name: 'p50', color: '--series-2' },
      { name: 'p99', color: '--series-1' },
      { name: 'p99.9', color: '--series-3' },
    ]} />`;
}

/** @param {{ overview: Data }} props */
function Stats({ overview }) {
  const all = Object.values(overview.nodes);
  const nodes = all.filter((node) => typeof node !== 'string');
  const ready = nodes.filter(({ status }) => status.notReady === undefined).length;
  const sum = (/** @type {(node: OverviewNode) => number} */ of) =>
    nodes.reduce((total, node) => total + of(node), 0);
  const decided = overview.paths.fast + overview.paths.slow;
  const keys = Math.max(0, ...nodes.map(({ status }) => status.keys));
  return html`<div class="stats">
    <${Stat} name="nodes ready" value=${`${ready} of ${all.length}`} tone=${ready < all.length ? 'bad' : ''}
      more=${`${count(sum(({ status }) => status.clients))} clients`} />
    <${Stat} name="reads/s" value=${rate(sum(({ rates }) => rates?.reads ?? 0))}
      more=${`p99 ${micros(overview.read.count ? overview.read.p99Us : undefined)}`} />
    <${Stat} name="writes/s" value=${rate(sum(({ rates }) => rates?.writes ?? 0))}
      more=${`p99 ${micros(overview.write.count ? overview.write.p99Us : undefined)}`} />
    <${Stat} name="fast path" value=${decided > 0 ? percent(overview.paths.fast / decided) : '–'}
      more=${`${rate(decided)} transactions/s`} />
    <${Stat} name="keys" value=${count(keys)} more="on the fullest node" />
    <${Stat} name="memory" value=${bytes(sum(({ memory }) => memory.rssBytes))}
      more=${`${bytes(sum(({ disk }) => disk.logBytes))} of logs`} />
  </div>`;
}

/** @param {{ findings: Data['findings'] }} props */
function Findings({ findings }) {
  const wrong = findings.filter(({ kind }) => kind === 'wrong');
  if (wrong.length === 0) return null;
  return html`<div class="notice bad" role="alert">${wrong.map(
    ({ place, what, advice }) => html`<div key=${place + what}>
      <b>${place}:</b> ${what}. <span class="muted">${advice}</span>
    </div>`,
  )}</div>`;
}

/** @param {{ overview: Data }} props */
function Nodes({ overview }) {
  const rows = Object.entries(overview.nodes).map(([id, node]) => ({ id: Number(id), node }));
  const of =
    (/** @type {(node: OverviewNode) => unknown} */ show) =>
    (/** @type {{ node: OverviewNode | string }} */ { node }) =>
      typeof node === 'string' ? html`<span class="muted">–</span>` : show(node);
  const columns = [
    {
      name: 'node',
      show: (/** @type {any} */ { id }) => html`<b>${id}</b>`,
      by: (/** @type {any} */ { id }) => id,
    },
    { name: 'state', show: (/** @type {any} */ { node }) => stateOf(node) },
    { name: 'version', show: of(({ status }) => status.version) },
    { name: 'up for', show: of(({ status }) => span(status.uptimeMs)) },
    { name: 'reads/s', kind: 'number', show: of(({ rates }) => rate(rates?.reads ?? Number.NaN)) },
    {
      name: 'writes/s',
      kind: 'number',
      show: of(({ rates }) => rate(rates?.writes ?? Number.NaN)),
    },
    {
      name: 'CPU',
      show: of(
        ({ rates }) =>
          html`<${Bar} share=${(rates?.cpu ?? 0) / 100}>${percent((rates?.cpu ?? Number.NaN) / 100)}<//>`,
      ),
    },
    {
      name: 'memory',
      show: of(
        ({ memory }) =>
          html`<${Bar} share=${memory.maxBytes ? memory.storeBytes / memory.maxBytes : 0}>${bytes(memory.rssBytes)}<//>`,
      ),
    },
    {
      name: 'disk',
      show: of(
        ({ disk }) =>
          html`<${Bar} share=${disk.bytes ? 1 - disk.freeBytes / disk.bytes : 0}>${bytes(disk.freeBytes)} free<//>`,
      ),
    },
    {
      name: 'clock',
      kind: 'number',
      show: of(({ clockAheadMs }) =>
        clockAheadMs === undefined
          ? '–'
          : `${clockAheadMs >= 0 ? '+' : ''}${clockAheadMs.toFixed(2)} ms`,
      ),
    },
    { name: 'keys', kind: 'number', show: of(({ status }) => count(status.keys)) },
    { name: 'clients', kind: 'number', show: of(({ status }) => count(status.clients)) },
    {
      name: 'restarts',
      kind: 'number',
      show: of(
        ({ restarts }) => html`<span class=${restarts > 0 ? 'warn' : ''}>${restarts}</span>`,
      ),
    },
    { name: 'HoloFast', show: of(({ status }) => status.holofast?.tier ?? '–') },
  ];
  return html`<${Card} title="Nodes" flush=${true} wide=${true}>
    <${Table} label="nodes" columns=${columns} rows=${rows} keyOf=${(/** @type {any} */ { id }) => `${id}`} />
  <//>`;
}

/** @param {OverviewNode | string} node */
function stateOf(node) {
  if (typeof node === 'string') return html`<${Badge} tone="bad" title=${node}>down<//>`;
  const { notReady } = node.status;
  if (notReady !== undefined) return html`<${Badge} tone="warn" title=${notReady}>not ready<//>`;
  return html`<${Badge} tone="good">ready<//>`;
}

/** @param {{ overview: Data }} props */
function RoundTrips({ overview }) {
  const ids = Object.keys(overview.nodes);
  return html`<${Card} title="Round trips between nodes" flush=${true}
    side=${html`<span class="muted">shortest of the last 8 s</span>`}>
    <table aria-label="round trips">
      <thead><tr><th>from \\ to</th>${ids.map((id) => html`<th class="number">${id}</th>`)}</tr></thead>
      <tbody>${Object.entries(overview.nodes).map(
        ([from, node]) =>
          html`<tr key=${from}><td><b>${from}</b></td>${ids.map(
            (to) => html`<td class="number">${roundTrip(node, Number(from), Number(to))}</td>`,
          )}</tr>`,
      )}</tbody>
    </table>
  <//>`;
}

/**
 * @param {OverviewNode | string} node
 * @param {number} from
 * @param {number} to
 */
function roundTrip(node, from, to) {
  if (from === to || typeof node === 'string') return html`<span class="muted">·</span>`;
  const link = node.links.find(({ peer }) => peer === to);
  if (link?.up !== true) return html`<span class="bad">down</span>`;
  return micros(link.roundTripUs);
}

/** @param {{ overview: Data }} props */
function Errors({ overview }) {
  /** @type {Map<string, number>} */
  const totals = new Map();
  for (const node of Object.values(overview.nodes)) {
    if (typeof node === 'string') continue;
    for (const [code, total] of node.errors) totals.set(code, (totals.get(code) ?? 0) + total);
  }
  const now = new Map(overview.errors);
  const rows = [...totals].map(([code, total]) => ({ code, total, now: now.get(code) ?? 0 }));
  const columns = [
    {
      name: 'error',
      kind: 'mono',
      show: (/** @type {any} */ row) => row.code,
      by: (/** @type {any} */ row) => row.code,
    },
    {
      name: 'per second',
      kind: 'number',
      show: (/** @type {any} */ row) => rate(row.now),
      by: (/** @type {any} */ row) => row.now,
    },
    {
      name: 'since the start',
      kind: 'number',
      show: (/** @type {any} */ row) => count(row.total),
      by: (/** @type {any} */ row) => row.total,
    },
  ];
  return html`<${Card} title="Error replies by kind" flush=${true}>
    <${Table} label="errors" columns=${columns} rows=${rows} order="since the start" descending=${true}
      keyOf=${(/** @type {any} */ row) => row.code} empty="No client has got an error." />
  <//>`;
}
