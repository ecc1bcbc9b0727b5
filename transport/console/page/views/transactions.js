/** Slow, recovered and sampled transactions of all nodes, and one of them as a picture. */
import { NeedsRole, Problem, useAsked } from '../asked.js';
import { count } from '../format.js';
import { html, useState } from '../html.js';
import { Badge, Card, Table } from '../parts.js';
import { connection, linkTo } from '../state.js';
import { Story } from '../story.js';
import { bytesOf } from '../text.js';

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
    show: (/** @type {any} */ { tookMs }) =>
      tookMs === undefined ? '' : `${tookMs.toFixed(2)} ms`,
    by: (/** @type {any} */ { tookMs }) => tookMs ?? -1,
  },
  {
    name: 'commands',
    kind: 'number',
    show: (/** @type {any} */ { commands }) => (commands === undefined ? '' : count(commands)),
    by: (/** @type {any} */ { commands }) => commands ?? -1,
  },
  {
    name: 'is',
    show: (/** @type {any} */ { is }) => html`<${Badge} tone=${TONES[is] ?? 'plain'}>${is}<//>`,
    by: (/** @type {any} */ { is }) => is,
  },
];
/** @type {Record<string, string>} */
const TONES = { slow: 'warn', recovered: 'bad', Applied: 'good', Invalidated: 'bad' };
const EVERY_MS = 2_000;
/** Its group, and its time, flags, node and store. */
const TXN_ID = /^\d+\.\d+\/\d+\.\d+\.\d+\.\d+$/;

/**
 * Of all nodes, each transaction once: as its coordinator has kept it, or in the state in which the
 * node has it that knows it best.
 *
 * @param {Record<string, any>} nodes
 */
function rowsOf(nodes) {
  /** @type {Map<string, any>} */
  const found = new Map();
  for (const list of Object.values(nodes)) {
    for (const each of Array.isArray(list) ? list : []) {
      const known = found.get(each.txn);
      if (known?.why !== undefined || (known?.state === 'Applied' && each.why === undefined))
        continue;
      const node = Number(each.txn.split('.').at(-2));
      found.set(each.txn, { ...each, node, is: each.why ?? each.state });
    }
  }
  return [...found.values()];
}

/** @param {{ args: Record<string, string> }} props */
function Shown({ args }) {
  const { txn, key } = args;
  const question = key === undefined ? 'slow' : 'txnsOfKey';
  const { data, error } = useAsked(
    question,
    key === undefined ? {} : { key: bytesOf(key) },
    EVERY_MS,
  );
  const [asked, setAsked] = useState(key ?? '');
  const search = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const isId = TXN_ID.test(asked.trim());
    location.hash = linkTo('transactions', isId ? { key, txn: asked.trim() } : { key: asked });
  };
  const tools = html`<form class="tools" onSubmit=${search}>
    <input class="filter" placeholder="TxnId or key  /" aria-label="search by TxnId or key" value=${asked}
      onInput=${(/** @type {any} */ event) => setAsked(event.target.value)} />
    ${key !== undefined && html`<a href=${linkTo('transactions', { txn })} onClick=${() => setAsked('')}>all keys</a>`}</form>`;
  const title =
    key === undefined
      ? 'Slow, recovered and sampled transactions'
      : html`Transactions on <span class="mono">${key}</span>`;
  return html`<${Problem} error=${error} />
    <div class="grid">
      ${txn && html`<${Picture} key=${txn} txn=${txn} back=${linkTo('transactions', { key })} />`}
      <${Card} title=${title} flush=${true} tall=${true} side=${tools}>
        <${Table} label="transactions" columns=${COLUMNS} rows=${rowsOf(data?.nodes ?? {})} order="began" descending=${true} picked=${txn}
          keyOf=${(/** @type {any} */ row) => row.txn} onPick=${(/** @type {any} */ row) => {
            location.hash = linkTo('transactions', { key, txn: row.txn });
          }} empty=${data === undefined ? 'The nodes are being asked.' : key === undefined ? 'None yet: those of --trace-slow-ms and longer are kept.' : 'No node knows one: what all replicas have applied is forgotten, but for slow ones.'} />
        ${key !== undefined && html`<p class="note muted">What replicas still know, and kept ones. Found by conflict slot: keys with the same hash tag may share one.</p>`}
      <//>
    </div>`;
}

/** @param {{ txn: string, back: string }} props */
function Picture({ txn, back }) {
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
    <a href=${back}>close</a>`;
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
