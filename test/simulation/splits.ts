/**
 * Ends groups at random slots while everything else goes on: the simulator is the controller. It
 * gives each attempt fresh names, has any node propose it again and again until the group has ended,
 * and now and then makes two attempts on one group, of which one has an effect.
 */
import type { EndOfGroup } from '../../actors/accord/local/effects.ts';
import type { GroupDescriptor } from '../../actors/accord/topology/group.ts';
import { groupKey } from '../../actors/accord/topology/group-id.ts';
import type { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import type { SimGroup } from './sim-group.ts';
import type { SimNode } from './sim-node.ts';
import type { VirtualScheduler } from './virtual-scheduler.ts';

interface SplitsOptions {
  readonly rng: SeededRng;
  readonly scheduler: VirtualScheduler;
  readonly nodes: readonly SimNode[];
  readonly groups: readonly SimGroup[];
  /** Pause between two attempts, at most. */
  readonly everyMsMax: number;
  /** Makes a successor known to all who look on. */
  readonly add: (descriptor: GroupDescriptor, parent: SimGroup) => void;
  readonly count: (what: string) => void;
  readonly note: (what: string) => void;
}

interface Attempt {
  readonly parent: SimGroup;
  readonly successors: readonly GroupDescriptor[];
  /** The incarnations at its beginning. */
  readonly nodes: readonly SimNode['node'][];
}

const GROUPS_MAX = 12;
const RIVAL_RATE = 0.25;
const PROPOSE_MS_MAX = 120;
/** Above those of the groups at the beginning. */
const FIRST_RANGE = 1_000;

export class Splits {
  readonly #options: SplitsOptions;
  readonly #open: Set<SimGroup>;
  readonly #attempts: Attempt[] = [];
  /** By attempt: the nodes that have executed it. */
  readonly #executedBy = new Map<Attempt, Set<number>>();
  #lastRange = FIRST_RANGE;
  #quiet = false;

  constructor(options: SplitsOptions) {
    this.#options = options;
    this.#open = new Set(options.groups);
  }

  begin(): void {
    const { rng, scheduler, everyMsMax } = this.#options;
    scheduler.after(rng.next() * everyMsMax, () => {
      if (this.#quiet) return;
      this.#attempt();
      this.begin();
    });
  }

  stop(): void {
    this.#quiet = true;
  }

  #attempt(): void {
    const { rng, count, note } = this.#options;
    const busy = new Set(this.#attempts.map(({ parent }) => parent));
    const free = [...this.#open].filter((group) => !busy.has(group) && widthOf(group) > 1);
    const parent = free[Math.floor(rng.next() * free.length)];
    if (parent === undefined || this.#open.size >= GROUPS_MAX) return;
    note(`group ${groupKey(parent.descriptor.id)} is to end`);
    count('split begun');
    this.#propose(parent);
    if (rng.next() >= RIVAL_RATE) return;
    count('split with a rival');
    this.#propose(parent);
  }

  #propose(parent: SimGroup): void {
    const { rng, nodes, add } = this.#options;
    const { id, fromSlot, toSlot, members, machine } = parent.descriptor;
    const at = fromSlot + 1 + Math.floor(rng.next() * (toSlot - fromSlot - 1));
    const successors = [
      [fromSlot, at],
      [at, toSlot],
    ].map(([from = 0, to = 0]): GroupDescriptor => {
      this.#lastRange += 1;
      const electors = parent.group.quorums.slow + Math.floor(rng.next() * 2);
      return {
        id: { range: this.#lastRange, generation: id.generation + 1 },
        ...{ fromSlot: from, toSlot: to, members, machine },
        electorate: members.slice(0, electors),
      };
    });
    for (const descriptor of successors) add(descriptor, parent);
    const attempt = { parent, successors, nodes: nodes.map(({ node }) => node) };
    this.#attempts.push(attempt);
    this.#repeat(attempt);
  }

  #repeat(attempt: Attempt): void {
    const { rng, scheduler, nodes } = this.#options;
    const { parent, successors } = attempt;
    if (!this.#open.has(parent)) return;
    const node = nodes[Math.floor(rng.next() * nodes.length)]?.node;
    node?.close(parent.descriptor.id, successors);
    scheduler.after(rng.next() * PROPOSE_MS_MAX, () => this.#repeat(attempt));
  }

  /** A node has executed the end of a group. */
  executed(node: number, { group, successors }: EndOfGroup): void {
    const { count, groups, nodes } = this.#options;
    const name = groupKey((successors[0] as GroupDescriptor).id);
    const attempt = this.#attempts.find(({ successors: [first] }) => {
      return first !== undefined && groupKey(first.id) === name;
    });
    if (attempt === undefined) throw new Error(`nobody ends ${groupKey(group)} like this`);
    if (this.#open.delete(attempt.parent)) {
      const names = successors.map(({ id }) => groupKey(id));
      for (const each of groups) {
        if (names.includes(groupKey(each.descriptor.id))) this.#open.add(each);
      }
    }
    const executedBy = this.#executedBy.get(attempt) ?? new Set();
    this.#executedBy.set(attempt, executedBy);
    if (executedBy.has(node)) return;
    executedBy.add(node);
    if (executedBy.size < nodes.length) return;
    count('split completed');
    const isWhole = nodes.every((each, at) => each.node === attempt.nodes[at]);
    if (!isWhole) count('split cut off in the middle');
  }
}

function widthOf({ descriptor: { fromSlot, toSlot } }: SimGroup): number {
  return toSlot - fromSlot;
}
