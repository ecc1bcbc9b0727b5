/** Keys: a scan by pattern, one key with its beginning and its changes; the hot and the big ones. */
import { Action } from '../action.js';
import { NeedsRole, Problem, useAsked } from '../asked.js';
import { bytes, count, rate, span } from '../format.js';
import { html, useState } from '../html.js';
import { Badge, Card, Empty, Table } from '../parts.js';
import { linkTo } from '../state.js';
import { bytesOf, shown, shownLines } from '../text.js';

/** Of a value that is edited here: the node takes no longer texts. */
const VALUE_BYTES_MAX = 4_096;
const TYPES = ['', 'string', 'hash', 'list', 'set', 'zset', 'stream'];

/** @param {{ args: Record<string, string> }} props */
export function Keys({ args }) {
  return html`<${NeedsRole}><div class=${args['key'] === undefined ? 'grid' : 'grid side'}>
    <${Scan} args=${args} />
    ${args['key'] !== undefined && html`<${Key} key=${args['key'] + (args['database'] ?? '')} args=${args} />`}
    </div><div class="grid two below"><${Hot} /><${Big} /></div><//>`;
}

/** @param {{ args: Record<string, string> }} props */
function Scan({ args }) {
  const { pattern = '*', type = '', database = '0', cursor = '0' } = args;
  const { data, error, again } = useAsked('keys', {
    pattern: bytesOf(pattern),
    type,
    database: Number(database),
    cursor,
  });
  const [wanted, setWanted] = useState(pattern);
  const go = (/** @type {Record<string, string | undefined>} */ change) => {
    location.hash = linkTo('keys', { pattern, type, database, cursor: '0', ...change });
  };
  const rows = (data?.keys ?? []).map((/** @type {string} */ key, /** @type {number} */ index) => ({
    key,
    type: data.types[index],
    ttlMs: data.ttlsMs[index],
    size: data.sizes[index],
  }));
  const columns = [
    {
      name: 'key',
      kind: 'text mono',
      show: (/** @type {any} */ { key }) => shown(key),
      by: (/** @type {any} */ { key }) => key,
    },
    {
      name: 'type',
      show: (/** @type {any} */ row) => html`<${Badge}>${row.type}<//>`,
      by: (/** @type {any} */ row) => row.type,
    },
    {
      name: 'expires',
      show: (/** @type {any} */ row) => ttlOf(row.ttlMs),
      by: (/** @type {any} */ row) => row.ttlMs,
    },
    {
      name: 'size',
      kind: 'number',
      show: (/** @type {any} */ row) => bytes(row.size ?? Number.NaN),
      by: (/** @type {any} */ row) => row.size ?? 0,
    },
  ];
  const submit = (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    go({ pattern: wanted });
  };
  const tools = html`<form class="tools" onSubmit=${submit}>
    <input class="filter" placeholder="pattern  /" aria-label="pattern" value=${wanted} onInput=${(/** @type {any} */ event) => setWanted(event.target.value)} />
    <select aria-label="type" value=${type} onChange=${(/** @type {any} */ event) => go({ type: event.target.value })}>
      ${TYPES.map((each) => html`<option value=${each}>${each || 'any type'}</option>`)}
    </select>
    <select aria-label="database" value=${database} onChange=${(/** @type {any} */ event) => go({ database: event.target.value })}>
      ${Array.from({ length: 16 }, (_, index) => html`<option value=${index}>db ${index}</option>`)}
    </select>
    <button type="button" onClick=${again}>Refresh</button></form>`;
  return html`<${Card} title="Keys" flush=${true} tall=${true} side=${tools}>
    <${Problem} error=${error} />
    <${Table} label="keys" columns=${columns} rows=${rows} keyOf=${(/** @type {any} */ { key }) => key}
      picked=${args['key'] === undefined ? undefined : bytesOf(args['key'])}
      onPick=${(/** @type {any} */ { key }) => {
        location.hash = linkTo('keys', { pattern, type, database, cursor, key: shown(key) });
      }}
      empty=${data === undefined ? 'The node is being asked.' : 'No such key in this part of the scan.'} />
    <div class="foot">
      <button disabled=${cursor === '0'} onClick=${() => go({ cursor: '0' })}>From the start</button>
      <button disabled=${data === undefined || data.cursor === '0'} onClick=${() => go({ cursor: data.cursor })}>Next part</button>
    </div>
  <//>`;
}

/** @param {number} ttlMs */
function ttlOf(ttlMs) {
  return ttlMs < 0 ? html`<span class="muted">never</span>` : `in ${span(ttlMs)}`;
}

/** @param {{ args: Record<string, string> }} props */
function Key({ args }) {
  const name = args['key'] ?? '';
  const place = { key: bytesOf(name), database: Number(args['database'] ?? 0) };
  const { data, error, again } = useAsked('key', place);
  const [edited, setEdited] = useState(/** @type {string | undefined} */ (undefined));
  const [action, setAction] = useState(
    /** @type {{ title: string, args: any, danger?: boolean } | undefined} */ (undefined),
  );
  const isText = data?.type === 'string' && typeof data.preview === 'string';
  const isWhole = isText && data.length <= data.preview.length;
  const value = bytesOf(edited ?? '');
  const isTooLong = value.length > VALUE_BYTES_MAX;
  const close = () => {
    setAction(undefined);
    again();
  };
  return html`<${Card} title=${html`<span class="mono">${name}</span>`} side=${html`<a href=${linkTo('keys', { ...args, key: undefined })}>close</a>`}>
    <${Problem} error=${error} />
    ${data?.type === 'none' && html`<${Empty}>It is not there.<//>`}
    ${
      data &&
      data.type !== 'none' &&
      html`<dl>
      <dt>type</dt><dd>${data.type}</dd>
      <dt>length</dt><dd>${count(data.length)}</dd>
      <dt>size</dt><dd>${bytes(data.bytes)}</dd>
      <dt>expires</dt><dd>${ttlOf(data.ttlMs)}</dd>
    </dl>
    ${
      isText
        ? html`<textarea rows="8" aria-label="value" readonly=${!isWhole} value=${edited ?? shownLines(data.preview)}
          onInput=${(/** @type {any} */ event) => setEdited(event.target.value)}></textarea>
          ${!isWhole && html`<p class="muted">The first ${count(data.preview.length)} of ${count(data.length)} bytes: too long to edit here.</p>`}
          ${isTooLong && html`<p class="bad" role="alert">${count(value.length)} bytes: at most ${count(VALUE_BYTES_MAX)} are set here.</p>`}`
        : html`<pre class="preview">${previewOf(data)}</pre>`
    }
    <div class="foot">
      ${
        isWhole &&
        html`<button disabled=${edited === undefined || isTooLong} onClick=${() =>
          setAction({
            title: 'Set',
            args: { action: 'key.set', ...place, value },
          })}>Set the value</button>`
      }
      <button onClick=${() => setAction({ title: data.ttlMs < 0 ? 'Expire' : 'Persist', args: { action: 'key.expire', ...place, ttlMs: data.ttlMs < 0 ? 3_600_000 : 0 } })}>
        ${data.ttlMs < 0 ? 'Expire in an hour' : 'Never expire'}</button>
      <button class="danger" onClick=${() => setAction({ title: 'Delete', args: { action: 'key.delete', ...place }, danger: true })}>Delete</button>
    </div>`
    }
    ${action && html`<${Action} ...${action} onClose=${close} />`}
  <//>`;
}

/** The beginning of a collection, an element a line. @param {any} data */
function previewOf({ type, preview }) {
  const isScanned = type === 'hash' || type === 'set';
  const items = isScanned ? preview?.[1] : preview;
  if (!Array.isArray(items)) return JSON.stringify(preview);
  if (type === 'stream')
    return items.map(([id, fields]) => `${id}  ${fields.map(shown).join(' ')}`).join('\n');
  if (type === 'list' || type === 'set') return items.map(shown).join('\n');
  const lines = [];
  for (let at = 0; at < items.length; at += 2)
    lines.push(`${shown(items[at])}  →  ${shown(items[at + 1])}`);
  return lines.join('\n');
}

function Hot() {
  const { data, error } = useAsked('hotKeys', {}, 2_000);
  const rows = Object.entries(data?.nodes ?? {}).flatMap(([node, list]) =>
    Array.isArray(list) ? list.map((each) => ({ ...each, node })) : [],
  );
  const columns = [
    { name: 'key', kind: 'text mono', show: (/** @type {any} */ { key }) => shown(key) },
    { name: 'db', kind: 'number', show: (/** @type {any} */ { database }) => database },
    {
      name: 'node',
      kind: 'number',
      show: (/** @type {any} */ { node }) => node,
      by: (/** @type {any} */ { node }) => node,
    },
    {
      name: 'commands/s',
      kind: 'number',
      show: (/** @type {any} */ { perSecond }) => rate(perSecond),
      by: (/** @type {any} */ { perSecond }) => perSecond,
    },
  ];
  return html`<${Card} title="Hot keys" flush=${true}><${Problem} error=${error} />
    <${Table} label="hot keys" columns=${columns} rows=${rows.sort((a, b) => b.perSecond - a.perSecond).slice(0, 15)} order="commands/s" descending=${true}
      keyOf=${(/** @type {any} */ { key, database, node }) => `${node} ${database} ${key}`} empty="No key is named often." /><//>`;
}

function Big() {
  const { data, error, again } = useAsked('bigKeys', {});
  const rows = [...(data?.largest ?? [])].sort((a, b) => b.bytes - a.bytes).slice(0, 15);
  const columns = [
    { name: 'key', kind: 'text mono', show: (/** @type {any} */ { key }) => shown(key) },
    { name: 'type', show: (/** @type {any} */ { type }) => type },
    {
      name: 'size',
      kind: 'number',
      show: (/** @type {any} */ row) => bytes(row.bytes),
      by: (/** @type {any} */ row) => row.bytes,
    },
  ];
  return html`<${Card} title="Big keys" flush=${true} side=${html`<button onClick=${again}>Search again</button>`}><${Problem} error=${error} />
    <${Table} label="big keys" columns=${columns} rows=${rows} order="size" descending=${true}
      keyOf=${(/** @type {any} */ { key, database }) => `${database} ${key}`} empty=${data === undefined ? 'The node is looking.' : 'There are no keys.'} /><//>`;
}
