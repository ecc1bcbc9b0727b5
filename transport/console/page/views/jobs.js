/** Jobs and actions of the cluster, as far as the nodes offer them. */
import { Action } from '../action.js';
import { NeedsRole } from '../asked.js';
import { html, useState } from '../html.js';
import { Card } from '../parts.js';
import { useConnection } from '../state.js';

/** Done by the node that serves the page itself. */
const OFFERED = [
  {
    action: 'trace.dump',
    title: 'Dump the trace',
    about:
      'The last events of this node, and the slow transactions, as a file for holoctl and Perfetto.',
  },
];

export function Jobs() {
  return html`<${NeedsRole}><${Shown} /><//>`;
}

function Shown() {
  const { welcome } = useConnection();
  const [chosen, choose] = useState(/** @type {typeof OFFERED[0] | undefined} */ (undefined));
  const [slot, setSlot] = useState('');
  return html`<div class="grid two">
    ${OFFERED.map(
      (
        each,
      ) => html`<${Card} title=${each.title} side=${html`<button onClick=${() => choose(each)}>Try</button>`}>
      <p>${each.about}</p><p class="muted">Done by node ${welcome?.node}; a line of audit is left in its log.</p>
    <//>`,
    )}
    <${Card} title="Split a range" side=${html`<button disabled=${slot === ''} onClick=${() =>
      choose({ action: 'range.split', title: 'Split', about: '' })}>Try</button>`}>
      <p>Two ranges instead of one, with the same members. Its progress is in Ranges.</p>
      <label class="field"><span>at slot</span><input type="number" min="1" max="16383" value=${slot}
        onInput=${(/** @type {any} */ event) => setSlot(event.target.value)} /></label>
    <//>
    ${chosen && html`<${Action} title=${chosen.title} args=${chosen.action === 'range.split' ? { action: chosen.action, slot: Number(slot) } : { action: chosen.action }} onClose=${() => choose(undefined)} />`}
  </div>`;
}
