/** Clients of all nodes, the commands that took long, and the channels. */
import { Action } from '../action.js';
import { NeedsRole, Problem, useAsked } from '../asked.js';
import { count, span } from '../format.js';
import { html, useState } from '../html.js';
import { Card, Table } from '../parts.js';
import { useConnection } from '../state.js';
import { shown } from '../text.js';

export function Clients() {
  return html`<${NeedsRole}><${Shown} /><//>`;
}

function Shown() {
  const { welcome } = useConnection();
  const { data, error } = useAsked('clients', {}, 2_000);
  const [filter, setFilter] = useState('');
  const [victim, setVictim] = useState(/** @type {any} */ (undefined));
  const rows = Object.entries(data?.nodes ?? {}).flatMap(([node, answer]) =>
    clientsIn(Number(node), answer),
  );
  const found = rows.filter((row) => row.text.includes(filter));
  const number = (
    /** @type {string} */ name,
    /** @type {string} */ field,
    /** @type {(value: number) => string} */ format,
  ) => ({
    name,
    kind: 'number',
    show: (/** @type {any} */ row) => format(Number(row[field])),
    by: (/** @type {any} */ row) => Number(row[field]),
  });
  const columns = [
    {
      name: 'node',
      show: (/** @type {any} */ { node }) => html`<b>${node}</b>`,
      by: (/** @type {any} */ { node }) => node,
    },
    number('id', 'id', (value) => String(value)),
    { name: 'address', kind: 'mono', show: (/** @type {any} */ { addr }) => addr },
    { name: 'user', show: (/** @type {any} */ { user }) => user },
    { name: 'name', kind: 'text', show: (/** @type {any} */ row) => row.name || row['lib-name'] },
    number('connected for', 'age', (value) => span(value * 1_000)),
    number('idle', 'idle', (value) => span(value * 1_000)),
    { name: 'last command', kind: 'mono', show: (/** @type {any} */ { cmd }) => cmd },
    { name: '', show: (/** @type {any} */ row) => killOf(row, welcome, setVictim) },
  ];
  const tools = html`<input class="filter" placeholder="filter  /" aria-label="filter clients" value=${filter}
    onInput=${(/** @type {any} */ event) => setFilter(event.target.value)} />`;
  return html`<${Problem} error=${error} />
    <div class="grid">
      <${Card} title=${`${count(found.length)} clients`} flush=${true} side=${tools}>
        <${Table} label="clients" columns=${columns} rows=${found.slice(0, 200)} order="id" keyOf=${(/** @type {any} */ row) => `${row.node} ${row.id}`}
          empty=${data === undefined ? 'The nodes are being asked.' : 'No client is like that.'} />
      <//>
    </div>
    <div class="grid two below"><${SlowLog} /><${Channels} /></div>
    ${
      victim &&
      html`<${Action} title="Kill" danger=${true} args=${{ action: 'client.kill', id: victim.id, node: victim.node }}
      onClose=${() => setVictim(undefined)} />`
    }`;
}

/** @param {any} row @param {any} welcome @param {(row: any) => void} choose */
function killOf(row, welcome, choose) {
  if (row.addr.startsWith('console')) return html`<span class="muted">console</span>`;
  const other = welcome?.nodes.find(
    (/** @type {any} */ { node }) => node === row.node && node !== welcome.node,
  );
  return html`<button class="danger small" title=${other ? `done by node ${row.node} alone` : ''} onClick=${() => choose(row)}>Kill</button>`;
}

/** Lines of CLIENT LIST. @param {number} node @param {any} answer @returns {any[]} */
function clientsIn(node, answer) {
  if (typeof answer !== 'object' || answer === null) return [];
  return String(answer.list)
    .split('\n')
    .filter((line) => line !== '')
    .map((text) => ({
      node,
      text,
      ...Object.fromEntries(
        text.split(' ').map((field) => {
          const at = field.indexOf('=');
          return [field.slice(0, at), field.slice(at + 1)];
        }),
      ),
    }));
}

function SlowLog() {
  const { data, error } = useAsked('slowLog', {}, 2_000);
  const rows = Object.entries(data?.nodes ?? {}).flatMap(([node, list]) =>
    Array.isArray(list) ? list.map((each) => ({ ...each, node })) : [],
  );
  const columns = [
    {
      name: 'at',
      show: (/** @type {any} */ { atSeconds }) =>
        new Date(atSeconds * 1_000).toLocaleTimeString('en-GB'),
      by: (/** @type {any} */ row) => row.atSeconds,
    },
    { name: 'node', show: (/** @type {any} */ { node }) => node },
    {
      name: 'took',
      kind: 'number',
      show: (/** @type {any} */ { tookUs }) => `${(tookUs / 1_000).toFixed(1)} ms`,
      by: (/** @type {any} */ row) => row.tookUs,
    },
    {
      name: 'command',
      kind: 'text mono',
      show: (/** @type {any} */ { words }) => words.map(shown).join(' '),
    },
  ];
  return html`<${Card} title="Slow log" flush=${true}><${Problem} error=${error} />
    <${Table} label="slow log" columns=${columns} rows=${rows.sort((a, b) => b.atSeconds - a.atSeconds).slice(0, 20)} order="at" descending=${true}
      keyOf=${(/** @type {any} */ row) => `${row.node} ${row.id}`} empty="No command has taken long (slowlog-log-slower-than)." /><//>`;
}

function Channels() {
  const { data, error } = useAsked('channels', {}, 2_000);
  const columns = [
    { name: 'channel', kind: 'text mono', show: (/** @type {any} */ { name }) => shown(name) },
    {
      name: 'subscribers',
      kind: 'number',
      show: (/** @type {any} */ { subscribers }) => count(subscribers),
      by: (/** @type {any} */ row) => row.subscribers,
    },
  ];
  return html`<${Card} title="Channels" flush=${true}><${Problem} error=${error} />
    <${Table} label="channels" columns=${columns} rows=${Array.isArray(data) ? data : []} keyOf=${(/** @type {any} */ { name }) => name}
      empty="No client subscribes to a channel." /><//>`;
}
