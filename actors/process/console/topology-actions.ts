/**
 * Changes of the topology that a console asks for: the sentence that says what each does, the word
 * that confirms it, and the request. The meta group judges whether it can be done. Pure.
 */
import type { Args } from '../../../transport/console/console-protocol.ts';
import type { TopologyRequest } from '../../../transport/http/topology-report.ts';

interface TopologyPlan {
  readonly what: string;
  readonly confirm: string;
  readonly request: TopologyRequest;
}

/** Undefined: the action is another one. @throws Error whose message is the reason */
export function topologyPlan(args: Args): TopologyPlan | undefined {
  const action = String(args['action']);
  const [thing = '', verb = ''] = action.split('.', 2);
  if (action === 'range.split') {
    const slot = Number(args['slot']);
    if (!Number.isInteger(slot)) throw new Error('a range is split at the number of a slot');
    const what = `Split the range of slot ${slot} at that slot, in the whole cluster.`;
    return { what, confirm: `split ${slot}`, request: { what: 'split', slot } };
  }
  if (thing === 'range' && (verb === 'pause' || verb === 'resume' || verb === 'cancel')) {
    const range = Number(args['range']);
    if (!Number.isInteger(range)) throw new Error('a range is named by its number');
    const what = `${named(verb)} the change of range ${range}, in the whole cluster.`;
    return { what, confirm: `${verb} ${range}`, request: { what: verb, range } };
  }
  if (thing === 'controller' && (verb === 'pause' || verb === 'resume')) {
    const controller = String(args['controller']);
    const what = `${named(verb)} the controller of ${controller}, in the whole cluster.`;
    const request: TopologyRequest = { what: `${verb}-controller`, controller };
    return { what, confirm: `${verb} ${controller}`, request };
  }
  return undefined;
}

function named(verb: string): string {
  return verb.charAt(0).toUpperCase() + verb.slice(1);
}
