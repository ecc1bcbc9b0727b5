/**
 * The ranges of the cluster: slots by nodes, with generations, roles, sizes and load; and a map of
 * slots by time.
 *
 * @import { HeatSample, OfNodes, RangesSample } from '../../samples.ts'
 */
import { Problem } from '../asked.js';
import { bytes, count, rate } from '../format.js';
import { Heat } from '../heat-map.js';
import { html, useRef, useState } from '../html.js';
import { Badge, Card, Empty } from '../parts.js';
import { useLive } from '../state.js';

const SLOTS = 16_384;

/** @param {{ theme: string }} props */
export function Ranges({ theme }) {
  /** @type {{ nodes: OfNodes<RangesSample>, error?: string } | undefined} */
  const told = useLive('ranges');
  const [kind, setKind] = useState(/** @type {'reads' | 'writes'} */ ('writes'));
  /** @type {(HeatSample & { error?: string }) | undefined} */
  const heated = useLive('heat');
  const loads = useLoads(told);
  if (told === undefined) return html`<${Empty}>The nodes are being asked.<//>`;
  if (told.error !== undefined) return html`<${Problem} error=${told.error} />`;
  const samples = Object.entries(told.nodes).flatMap(([node, sample]) =>
    typeof sample === 'string' ? [] : [{ node: Number(node), ...sample }],
  );
  const topology = samples[0]?.topology;
  if (topology === undefined) return html`<${Empty}>No node has answered.<//>`;
  const digests = new Set(samples.map((sample) => sample.topology.digest));
  const kinds = /** @type {const} */ (['writes', 'reads']);
  return html`${digests.size > 1 && html`<div class="notice bad">The nodes do not agree on the topology.</div>`}
    <div class="grid">
      <${Card} title=${`Ranges of epoch ${topology.epoch}`} flush=${true}
        side=${html`<span class="muted">${topology.ranges.length} of at most ${topology.rangesMax} · level ${topology.behaviourLevel} · ${topology.digest.slice(0, 12)}</span>`}>
        <${Grid} topology=${topology} samples=${samples} loads=${loads} />
      <//>
      <${Card} title="Load by slot and time" side=${html`<div class="tabs">${kinds.map(
        (each) =>
          html`<button aria-pressed=${each === kind} onClick=${() => setKind(each)}>${each}</button>`,
      )}</div>`}>
        <${Problem} error=${heated?.error} />
        ${heated?.heat ? html`<${Heat} map=${heated.heat} kind=${kind} theme=${theme} />` : html`<${Empty}>${heated === undefined ? 'The nodes are being asked.' : 'No node serves clients yet.'}<//>`}
        <p class="muted">Of a sample of 250 commands a second on each node.</p>
      <//>
    </div>`;
}

/** @param {{ topology: any, samples: any[], loads: Map<string, number> }} props */
function Grid({ topology, samples, loads }) {
  return html`<table aria-label="ranges by nodes">
    <thead><tr><th>range</th><th>slots</th><th class="roomy"></th><th>state</th>
      ${topology.nodes.map((/** @type {any} */ { id, alive }) => html`<th>node ${id} ${!alive && html`<span class="bad">down</span>`}</th>`)}
    </tr></thead>
    <tbody>${topology.ranges.map((/** @type {any} */ range) => {
      const { range: number, generation, from, to, phase } = range;
      const left = `${(100 * from) / SLOTS}%`;
      const width = `${Math.max(1, (100 * (to - from)) / SLOTS)}%`;
      return html`<tr key=${`${number}.${generation}`}>
        <td><b>${number}</b><span class="muted">.${generation}</span></td>
        <td class="mono">${from}–${to - 1}</td>
        <td class="roomy"><span class="span"><i style=${{ left, width }}></i></span></td>
        <td><${Badge} tone=${phase === 'stable' ? 'good' : 'warn'}>${phase}<//></td>
        ${topology.nodes.map((/** @type {any} */ { id }) => html`<td>${placeOf(range, id, samples, loads)}</td>`)}
      </tr>`;
    })}</tbody>
  </table>`;
}

/**
 * The role of a node in a range, with what it holds and applies.
 *
 * @param {any} range
 * @param {number} node
 * @param {any[]} samples
 * @param {Map<string, number>} loads
 */
function placeOf({ range, generation, members, electorate }, node, samples, loads) {
  if (!members.includes(node)) return html`<span class="muted">–</span>`;
  const own = samples
    .find((sample) => sample.node === node)
    ?.topology.ranges.find(
      (/** @type {any} */ each) => each.range === range && each.generation === generation,
    );
  const role = electorate.includes(node) ? 'elector' : 'member';
  if (own?.keys === undefined) return html`<span class="muted">${role}, silent</span>`;
  const load = loads.get(`${node} ${range}.${generation}`);
  return html`${count(own.keys)} keys · ${bytes(own.bytes)} <span class="muted">· ${load === undefined ? '–' : rate(load)}/s · ${role}</span>`;
}

/**
 * Transactions applied per second, by node and range.
 *
 * @param {any} told
 * @returns {Map<string, number>}
 */
function useLoads(told) {
  const last = useRef(
    /** @type {{ told: any, atMs: number, counts: Map<string, number> }} */ ({
      told: undefined,
      atMs: 0,
      counts: new Map(),
    }),
  );
  const loads = useRef(new Map());
  if (told !== last.current.told && told?.nodes !== undefined) {
    const atMs = performance.now();
    const counts = new Map();
    for (const [node, sample] of Object.entries(told.nodes)) {
      for (const each of sample.topology?.ranges ?? []) {
        if (each.appliedSequence !== undefined)
          counts.set(`${node} ${each.range}.${each.generation}`, each.appliedSequence);
      }
    }
    const { counts: before, atMs: beforeMs } = last.current;
    loads.current = new Map(
      [...counts].flatMap(([name, value]) =>
        before.has(name)
          ? [[name, Math.max(0, value - (before.get(name) ?? 0)) / ((atMs - beforeMs) / 1_000)]]
          : [],
      ),
    );
    last.current = { told, atMs, counts };
  }
  return loads.current;
}
