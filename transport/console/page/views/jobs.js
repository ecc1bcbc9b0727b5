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
  return html`<div class="grid two">
    ${OFFERED.map(
      (
        each,
      ) => html`<${Card} title=${each.title} side=${html`<button onClick=${() => choose(each)}>Try</button>`}>
      <p>${each.about}</p><p class="muted">Done by node ${welcome?.node}; a line of audit is left in its log.</p>
    <//>`,
    )}
    <${Card} title="Changes of the topology">
      <p>This cluster offers none while it runs: its ranges are those that it was formed with.</p>
    <//>
    ${chosen && html`<${Action} title=${chosen.title} args=${{ action: chosen.action }} onClose=${() => choose(undefined)} />`}
  </div>`;
}
