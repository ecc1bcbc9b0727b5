/**
 * The supervision tree of one node, live: what waits, how fast, how busy, what failed; one actor's
 * messages as they pass.
 *
 * @import { ActorsSample } from '../../samples.ts'
 */
import { Problem, useAsked } from '../asked.js';
import { count, micros, percent, rate, span } from '../format.js';
import { html, useRef, useState } from '../html.js';
import { NodeTabs } from '../node-tabs.js';
import { Badge, Bar, Card, Empty, Table } from '../parts.js';
import { linkTo, useConnection, useLive } from '../state.js';

/**
 * @typedef {object} Row an actor or a supervisor, at its place in the tree
 * @property {any} actor
 * @property {number} level
 * @property {number} perSecond
 * @property {number} busy
 */

/** @param {{ args: Record<string, string>, overview: any }} props */
export function Actors({ args, overview }) {
  const { welcome } = useConnection();
  const node = Number(args['node'] ?? welcome?.node ?? 1);
  /** @type {(ActorsSample & { error?: string }) | string | undefined} */
  const sample = useLive('actors', { node });
  const [filter, setFilter] = useState('');
  const rates = useRates(sample);
  const isThere = typeof sample === 'object' && sample.error === undefined;
  const rows = isThere ? rowsOf(sample.tree, 0, rates) : [];
  const found = rows.filter(({ actor }) => actor.path.includes(filter));
  const pick = (/** @type {Row} */ { actor }) => {
    location.hash = linkTo('actors', {
      node,
      path: actor.path === args['path'] ? undefined : actor.path,
    });
  };
  const tools = html`<input class="filter" placeholder="filter  /" aria-label="filter actors"
    value=${filter} onInput=${(/** @type {any} */ event) => setFilter(event.target.value)} />`;
  return html`<${NodeTabs} node=${node} overview=${overview} link=${(/** @type {number} */ id) => linkTo('actors', { node: id })} />
    ${!isThere && sample !== undefined && html`<${Problem} error=${typeof sample === 'string' ? sample : sample.error} />`}
    <div class=${args['path'] ? 'grid side' : 'grid'}>
      <${Card} title="Supervision tree" flush=${true} side=${tools}>
        <${Table} label="actors" columns=${COLUMNS} rows=${found} picked=${args['path']}
          keyOf=${(/** @type {Row} */ { actor }) => actor.path} onPick=${pick}
          empty=${sample === undefined ? 'The node is being asked.' : 'No actor has that name.'} />
      <//>
      ${args['path'] && html`<${Actor} key=${node + args['path']} node=${node} path=${args['path']} rows=${rows} />`}
      ${isThere && html`<${DeadLetters} letters=${sample.deadLetters} nowMs=${sample.monotonicMs} />`}
    </div>`;
}

const COLUMNS = [
  { name: 'actor', show: nameOf, by: (/** @type {Row} */ { actor }) => actor.path },
  { name: 'state', show: (/** @type {Row} */ { actor }) => stateOf(actor) },
  numeric(
    'waiting',
    ({ actor }) => actor.depth,
    ({ actor }) => count(actor.depth),
  ),
  numeric(
    'messages/s',
    ({ perSecond }) => perSecond,
    ({ perSecond }) => rate(perSecond),
  ),
  {
    name: 'busy',
    by: (/** @type {Row} */ { busy }) => busy,
    show: (/** @type {Row} */ { actor, busy }) =>
      actor.kind === 'actor' ? html`<${Bar} share=${busy}>${percent(busy)}<//>` : '',
  },
  numeric(
    'handled',
    ({ actor }) => actor.processed,
    ({ actor }) => count(actor.processed),
  ),
  numeric(
    'restarts',
    ({ actor }) => actor.restarts,
    ({ actor }) => html`<span class=${actor.restarts > 0 ? 'warn' : ''}>${actor.restarts}</span>`,
  ),
  {
    name: 'last error',
    kind: 'text',
    show: (/** @type {Row} */ { actor }) => actor.lastCrash?.error ?? '',
  },
];

/**
 * @param {string} name
 * @param {(row: Row) => number} by
 * @param {(row: Row) => unknown} show
 */
function numeric(name, by, show) {
  return {
    name,
    kind: 'number',
    by: (/** @type {Row} */ row) => (row.actor.kind === 'actor' ? by(row) : -1),
    show: (/** @type {Row} */ row) =>
      row.actor.kind === 'actor' || name === 'restarts' ? show(row) : '',
  };
}

/** @param {Row} row */
function nameOf({ actor, level }) {
  const name = actor.path.slice(actor.path.lastIndexOf('/') + 1);
  return html`<span class=${`tree level-${Math.min(level, 4)}`}>${
    actor.kind === 'actor'
      ? name
      : html`<b>${name}</b> <span class="muted">${actor.strategy}</span>`
  }</span>`;
}

/** @param {any} actor */
function stateOf(actor) {
  const tone = actor.state === 'running' ? 'good' : actor.state === 'retired' ? 'bad' : 'warn';
  return html`<${Badge} tone=${tone}>${actor.isSuspended ? 'suspended' : actor.state}<//>`;
}

/**
 * Messages per second and share of the time, by path, from the last two samples.
 *
 * @param {any} sample
 * @returns {Map<string, { perSecond: number, busy: number }>}
 */
function useRates(sample) {
  const last = useRef(/** @type {any} */ (undefined));
  const rates = useRef(new Map());
  if (sample !== last.current && sample?.tree !== undefined) {
    const before = new Map(actorsIn(last.current?.tree).map((actor) => [actor.path, actor]));
    const seconds = (sample.monotonicMs - (last.current?.monotonicMs ?? 0)) / 1_000;
    rates.current = new Map(
      actorsIn(sample.tree).map((actor) => {
        const { processed, busyMs } = before.get(actor.path) ?? actor;
        const perSecond = Math.max(0, actor.processed - processed) / seconds;
        return [
          actor.path,
          { perSecond, busy: Math.max(0, actor.busyMs - busyMs) / seconds / 1_000 },
        ];
      }),
    );
    last.current = sample;
  }
  return rates.current;
}

/** @param {any} inspection @returns {any[]} */
function actorsIn(inspection) {
  if (inspection === undefined) return [];
  return inspection.kind === 'actor' ? [inspection] : inspection.children.flatMap(actorsIn);
}

/**
 * @param {any} inspection
 * @param {number} level
 * @param {Map<string, { perSecond: number, busy: number }>} rates
 * @returns {Row[]}
 */
function rowsOf(inspection, level, rates) {
  if (inspection === undefined) return [];
  const { perSecond = 0, busy = 0 } = rates.get(inspection.path) ?? {};
  const own = { actor: inspection, level, perSecond, busy };
  const children = inspection.children ?? [];
  return [own, ...children.flatMap((/** @type {any} */ child) => rowsOf(child, level + 1, rates))];
}

/** @param {{ node: number, path: string, rows: Row[] }} props */
function Actor({ node, path, rows }) {
  const { data, error } = useAsked('actor', { node, path }, 1_000);
  const actor = rows.find((row) => row.actor.path === path)?.actor;
  const columns = [
    {
      name: 'time',
      show: (/** @type {any} */ { t }) => new Date(t / 1_000).toLocaleTimeString('en-GB'),
    },
    { name: 'message', kind: 'mono', show: (/** @type {any} */ { msg }) => msg },
    {
      name: 'from',
      kind: 'text',
      show: (/** @type {any} */ { from }) => from.slice(from.indexOf('/') + 1),
    },
    { name: 'took', kind: 'number', show: (/** @type {any} */ { durUs }) => micros(durUs) },
  ];
  return html`<div class="grid">
    <${Card} title=${path} side=${html`<a href=${linkTo('actors', { node })}>close</a>`}>
      <${Problem} error=${error} />
      ${
        actor?.kind === 'actor' &&
        html`<dl>
        <dt>incarnation</dt><dd>${actor.incarnation}</dd>
        <dt>mailbox</dt><dd>${count(actor.depth)} of ${count(actor.mailboxMax)}</dd>
        <dt>turns</dt><dd>${count(actor.turns)}, busy for ${span(actor.busyMs)}</dd>
        ${actor.lastCrash && html`<dt>last error</dt><dd class="bad">${actor.lastCrash.error}</dd>`}
      </dl>`
      }
      ${data?.description && html`<pre>${data.description}</pre>`}
    <//>
    <${Card} title="Messages" flush=${true} side=${html`<span class="muted">one in 256, and what follows from it</span>`}>
      <${Table} label="messages" columns=${columns} rows=${data?.messages ?? []}
        keyOf=${(/** @type {any} */ { t, msg, from }) => `${t}${msg}${from}`} empty="none in the sample yet" />
    <//>
  </div>`;
}

/** @param {{ letters: readonly any[], nowMs: number }} props */
function DeadLetters({ letters, nowMs }) {
  if (letters.length === 0)
    return html`<${Card} title="Dead letters"><${Empty}>Every message has arrived.<//><//>`;
  const columns = [
    { name: 'ago', show: (/** @type {any} */ { atMs }) => span(nowMs - atMs) },
    { name: 'to', kind: 'text', show: (/** @type {any} */ { to }) => to },
    { name: 'message', kind: 'mono', show: (/** @type {any} */ { message }) => message },
    { name: 'why', show: (/** @type {any} */ { reason }) => reason },
  ];
  return html`<${Card} title="Dead letters" flush=${true} wide=${true}>
    <${Table} label="dead letters" columns=${columns} rows=${letters} keyOf=${(/** @type {any} */ { serial }) => `${serial}`} />
  <//>`;
}
