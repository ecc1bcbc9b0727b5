/**
 * Nodes that join while everything else goes on: any node is asked for an id, again where the
 * answer is lost; the node starts once some node knows it, serves clients by handing on what they
 * ask, and dies and comes back like the others. Checks that it is recorded where it is.
 */
import type { MetaState } from '../../actors/meta/meta-state.ts';
import { nodeOfJoin } from '../../actors/meta/nodes.ts';
import type { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { placeOf, type SimNode } from './sim-node.ts';
import type { VirtualScheduler } from './virtual-scheduler.ts';

interface JoinsOptions {
  readonly rng: SeededRng;
  readonly scheduler: VirtualScheduler;
  /** Those that join are the last ones. */
  readonly nodes: readonly SimNode[];
  readonly joiners: number;
  /** Some are asked to leave, and may be on their way in the end. */
  readonly mayLeave: boolean;
  readonly count: (what: string) => void;
}

const ASK_MS = 300;
/** After so many tries each pause is twice as long as the one before, so often. */
const TRIES_FAST = 10;
const DOUBLED_MAX = 5;

export class Joins {
  readonly #options: JoinsOptions;
  #state: MetaState | undefined;

  constructor(options: JoinsOptions) {
    this.#options = options;
  }

  begin(): void {
    this.#ask(0);
  }

  /** One after the other: the first to ask has the first id. */
  #ask(joiner: number, tries = 0): void {
    const { rng, scheduler, nodes, joiners, count } = this.#options;
    if (joiner >= joiners) return;
    const members = nodes.slice(0, nodes.length - joiners);
    const node = nodes[members.length + joiner] as SimNode;
    if (this.#joined(joiner)) {
      count('node joined');
      node.start();
      return this.#ask(joiner + 1);
    }
    // Also those that have joined before: they hand it on.
    const all = nodes.slice(0, members.length + joiner);
    const asked = all[Math.floor(rng.next() * all.length)]?.node;
    const command = { type: 'Join', joinId: nameOf(joiner), ...placeOf(node.id) } as const;
    asked?.changeTopology(command, () => undefined);
    const doubled = Math.min(Math.max(0, tries - TRIES_FAST), DOUBLED_MAX);
    const pauseMs = rng.next() * ASK_MS * 2 ** doubled;
    scheduler.after(pauseMs, () => this.#ask(joiner, tries + 1));
  }

  #joined(joiner: number): boolean {
    return (
      this.#state !== undefined && nodeOfJoin(this.#state.topology, nameOf(joiner)) !== undefined
    );
  }

  seen(state: MetaState): void {
    if (state.topology.epoch < (this.#state?.topology.epoch ?? 0)) return;
    this.#state = state;
  }

  /** Why the topology does not show all nodes where they are; undefined: it does. */
  get open(): string | undefined {
    const { nodes } = this.#options;
    for (const { id, node, incarnation } of nodes) {
      const known = this.#state?.topology.nodes.find((each) => each.id === id);
      const isThere = this.#options.mayLeave
        ? known?.state !== 'joining'
        : known?.state === 'active';
      if (known === undefined || !isThere) return `node ${id} is ${known?.state ?? 'unknown'}`;
      const { port } = known;
      if (port !== incarnation) return `node ${id} is at ${incarnation}, and recorded at ${port}`;
      const { epoch = 0 } = node?.topology.state?.topology ?? {};
      const { epoch: newest = 0 } = this.#state?.topology ?? {};
      if (epoch < newest) return `node ${id} is at epoch ${epoch}, others at ${newest}`;
      if ((node?.connected.size ?? 0) < nodes.length - 1) return `node ${id} lacks links`;
    }
    return undefined;
  }
}

function nameOf(joiner: number): string {
  return String(joiner).padStart(32, '0');
}
