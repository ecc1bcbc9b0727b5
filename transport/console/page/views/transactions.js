/** Slow, recovered and sampled transactions of all nodes, and one of them as a picture. */
import { NeedsRole, Problem, useAsked } from '../asked.js';
import { count } from '../format.js';
import { html, useState } from '../html.js';
import { Badge, Card, Table } from '../parts.js';
import { connection, linkTo } from '../state.js';
import { Story } from '../story.js';

/** @param {{ args: Record<string, string> }} props */
export function Transactions({ args }) {
  return html`<${NeedsRole}><${Shown} args=${args} /><//>`;
}

const COLUMNS = [
  {
    name: 'began',
    show: (/** @type {any} */ { atUs }) => timeOf(atUs),
    by: (/** @type {any} */ { atUs }) => atUs,
  },
  { name: 'transaction', kind: 'mono', show: (/** @type {any} */ { txn }) => txn },
  {
    name: 'node',
    kind: 'number',
    show: (/** @type {any} */ { node }) => node,
    by: (/** @type {any} */ { node }) => node,
  },
  {
    name: 'took',
    kind: 'number',
    show: (/** @type {any} */ { tookMs }) => `${tookMs.toFixed(2)} ms`,
    by: (/** @type {any} */ { tookMs }) => tookMs,
  },
  {
    name: 'commands',
    kind: 'number',
    show: (/** @type {any} */ { commands }) => count(commands),
    by: (/** @type {any} */ { commands }) => commands,
  },
  {
    name: 'kept as',
    show: (/** @type {any} */ { why }) => html`<${Badge} tone=${TONES[why] ?? 'plain'}>${why}<//>`,
    by: (/** @type {any} */ { why }) => why,
  },
];
/** @type {Record<string, string>} */
const TONES = { slow: 'warn', recovered: 'bad' };

/** @param {{ args: Record<string, string> }} props */
function Shown({ args }) {
  const { data, error } = useAsked('slow', {}, 2_000);
  const rows = Object.entries(data?.nodes ?? {}).flatMap(([node, list]) =>
    Array.isArray(list) ? list.map((each) => ({ ...each, node: Number(node) })) : [],
  );
  const txn = args['txn'];
  const [asked, setAsked] = useState('');
  const search = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    location.hash = linkTo('transactions', { txn: asked.trim() });
  };
  const tools = html`<form onSubmit=${search}>
    <input class="filter" placeholder="TxnId  /" aria-label="search a transaction by its id" value=${asked}
      onInput=${(/** @type {any} */ event) => setAsked(event.target.value)} /></form>`;
  return html`<${Problem} error=${error} />
    <div class="grid">
      ${txn && html`<${Picture} key=${txn} txn=${txn} />`}
      <${Card} title="Slow, recovered and sampled transactions" flush=${true} tall=${true} side=${tools}>
        <${Table} label="transactions" columns=${COLUMNS} rows=${rows} order="began" descending=${true} picked=${txn}
          keyOf=${(/** @type {any} */ row) => row.txn} onPick=${(/** @type {any} */ row) => {
            location.hash = linkTo('transactions', { txn: row.txn });
          }} empty=${data === undefined ? 'The nodes are being asked.' : 'None yet: those of --trace-slow-ms and longer are kept.'} />
      <//>
    </div>`;
}

/** @param {{ txn: string }} props */
function Picture({ txn }) {
  const { data, error } = useAsked('transaction', { txn });
  const [problem, setProblem] = useState(/** @type {string | undefined} */ (undefined));
  const download = async () => {
    try {
      const { text } = await connection.ask('perfetto', { txn });
      save(text, `${txn.replaceAll('/', '-')}.perfetto.json`);
    } catch (failure) {
      setProblem(/** @type {Error} */ (failure).message);
    }
  };
  const tools = html`<button onClick=${download}>For Perfetto</button>
    <a href=${linkTo('transactions')}>close</a>`;
  return html`<${Card} title=${data?.title ?? `transaction ${txn}`} side=${tools}>
    <${Problem} error=${error ?? problem} />
    ${data && html`<${Story} story=${data} />`}
    ${data === undefined && error === undefined && html`<p class="muted">The nodes are being asked.</p>`}
  <//>`;
}

/** @param {string} text @param {string} name */
function save(text, name) {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

/** @param {number} us */
function timeOf(us) {
  const at = new Date(us / 1_000);
  return `${at.toLocaleTimeString('en-GB')}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}
