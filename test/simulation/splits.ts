/**
 * Has the nodes split groups at random slots while everything else goes on, as people would: any
 * node is asked for a split, now and then two are for one group, and some are paused, resumed or
 * cancelled on the way. What is done about it is the nodes' own business; they die in the middle.
 * Checks that no group ends which the topology did not let close.
 */
import type { EndOfGroup } from '../../actors/accord/local/effects.ts';
import type { GroupDescriptor } from '../../actors/accord/topology/group.ts';
import { type GroupId, groupKey, isMetaGroup } from '../../actors/accord/topology/group-id.ts';
import type { MetaCommand } from '../../actors/meta/meta-command.ts';
import type { MetaState } from '../../actors/meta/meta-state.ts';
import { type Act, successorsOf } from '../../actors/meta/range-manager.ts';
import { type Change, type TopologyRange, withMeta } from '../../actors/meta/topology.ts';
import type { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import type { SimGroup } from './sim-group.ts';
import type { SimNode } from './sim-node.ts';
import type { VirtualScheduler } from './virtual-scheduler.ts';

interface SplitsOptions {
  readonly rng: SeededRng;
  readonly scheduler: VirtualScheduler;
  readonly nodes: readonly SimNode[];
  /** All that ever were, that of the table too. */
  readonly groups: () => readonly SimGroup[];
  /** Pause between two splits, at most. */
  readonly everyMsMax: number;
  /** Members change; otherwise groups are divided. */
  readonly moves: boolean;
  /** Those of the meta group too. */
  readonly movesMeta?: boolean;
  /** Makes a successor known to all who look on. */
  readonly add: (descriptor: GroupDescriptor, parent: SimGroup) => void;
  /** Power loss of a node, which comes back soon. */
  readonly crash: (node: SimNode) => void;
  readonly count: (what: string) => void;
  readonly note: (what: string) => void;
  readonly violation: (what: string) => void;
}

interface Attempt {
  readonly change: number;
  readonly kind: Change['kind'];
  readonly parent: GroupId;
  readonly members: ReadonlySet<number>;
  /** The incarnations at its beginning. */
  readonly nodes: readonly SimNode['node'][];
  readonly executedBy: Set<number>;
  /** A node has applied that it is closing. */
  isClosing: boolean;
}

const GROUPS_MAX = 12;
const RIVAL_RATE = 0.25;
const PAUSE_RATE = 0.2;
const CANCEL_RATE = 0.1;
/** A node dies as it is about to do something. */
const CRASH_RATE = 0.05;
const CRASHES_MAX = 6;
/** A node dies as it has left a group. */
const LEAVE_CRASH_RATE = 0.3;
const RESUME_MS_MAX = 400;
/** Of moves: of a member of the meta group, where they change. */
const META_RATE = 0.3;
/** Of moves: all ranges of a node, while all others stay. */
const LEAVE_RATE = 0.3;
/** Of those that are to leave: one that only hands its leases on, and stays. */
const DRAIN_RATE = 0.3;
/** Where a node leaves already, people change their minds. */
const COME_BACK_RATE = 0.5;

export class Splits {
  readonly #options: SplitsOptions;
  /** By the number of the change. */
  readonly #attempts = new Map<number, Attempt>();
  /** The newest state that a node has applied. */
  #state: MetaState | undefined;
  /** By domain and term. */
  readonly #holders = new Map<string, number>();
  readonly #kind: 'move' | 'split';
  #crashes = 0;
  #quiet = false;

  constructor(options: SplitsOptions) {
    this.#options = options;
    this.#kind = options.moves ? 'move' : 'split';
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
    this.#resumeAll();
    if (this.#options.movesMeta === true) this.#takeBack();
  }

  #attempt(): void {
    const { rng, count, moves } = this.#options;
    const ranges = this.#state?.topology.ranges ?? [];
    const free = ranges.filter((range) => range.change === undefined && widthOf(range) > 1);
    const range = free[Math.floor(rng.next() * free.length)];
    if (range === undefined || ranges.length >= GROUPS_MAX) return;
    if (moves && rng.next() < LEAVE_RATE) return this.#askToLeave();
    if (this.#options.movesMeta === true && rng.next() < META_RATE) return this.#askToMoveMeta();
    const ask = moves ? this.#askToMove : this.#ask;
    ask(range);
    if (rng.next() >= RIVAL_RATE) return;
    count(`${this.#kind} with a rival`);
    ask(range);
  }

  #askToMoveMeta(): void {
    const { meta } = this.#state?.topology ?? {};
    if (meta !== undefined && meta.change === undefined) this.#askToMove(meta);
  }

  /** From any member to any other node. */
  readonly #askToMove = ({ id, members }: TopologyRange): void => {
    const { rng, nodes, count } = this.#options;
    const others = nodes.filter((node) => !members.includes(node.id));
    const from = members[Math.floor(rng.next() * members.length)];
    const to = others[Math.floor(rng.next() * others.length)]?.id;
    if (from === undefined || to === undefined) return;
    const move = { type: 'Move', range: id, from, to, by: 'somebody' } as const;
    this.#change(move, () => count('move begun'));
  };

  /** One node at a time, so that there are others for its ranges; or it stays after all. */
  #askToLeave(): void {
    const { rng, nodes, count } = this.#options;
    const known = this.#state?.topology.nodes ?? [];
    const leaving = known.find(({ state }) => state !== 'active');
    if (leaving !== undefined) {
      if (rng.next() >= COME_BACK_RATE) return;
      const back = { type: 'Recommission', id: leaving.id } as const;
      return this.#change(back, () => count('node recommissioned'));
    }
    const [id, replacement] = [rng.next(), rng.next()].map(
      (drawn) => nodes[Math.floor(drawn * nodes.length)]?.id ?? 0,
    ) as [number, number];
    if (rng.next() < DRAIN_RATE) {
      return this.#change({ type: 'Drain', id }, () => count('node drained'));
    }
    const isNamed = rng.next() < 0.5 && id !== replacement;
    const leave = isNamed
      ? ({ type: 'Replace', id, replacement } as const)
      : ({ type: 'Decommission', id } as const);
    this.#change(leave, () => count(isNamed ? 'node replaced' : 'node decommissioned'));
  }

  readonly #ask = ({ id, fromSlot, toSlot }: TopologyRange): void => {
    const { rng, count } = this.#options;
    const atSlot = fromSlot + 1 + Math.floor(rng.next() * (toSlot - fromSlot - 1));
    this.#change({ type: 'Split', range: id, atSlot, by: 'somebody' }, () => count('split begun'));
  };

  /** Of any node; what becomes of it, the topology shows. */
  #change(command: MetaCommand, done: () => void = () => undefined): void {
    const { rng, nodes } = this.#options;
    const node = nodes[Math.floor(rng.next() * nodes.length)]?.node;
    node?.changeTopology(command, ({ type }) => {
      if (type === 'done') done();
    });
  }

  /** A node has applied another state of the topology. */
  seen(state: MetaState): void {
    const { topology } = state;
    this.#checkLeases(state);
    if (topology.epoch < (this.#state?.topology.epoch ?? 0)) return;
    this.#state = state;
    for (const range of withMeta(topology)) {
      if (range.change === undefined) continue;
      const attempt = this.#attempts.get(range.change.number) ?? this.#found(range, range.change);
      if (range.change.phase === 'closing') this.#closes(attempt, range.change);
      // A change that was paused as late as that is resumed by nobody else.
      if (this.#quiet && range.change.isPaused) this.#resumeSoon();
    }
  }

  /** In one term nobody else holds the lease. */
  #checkLeases({ leases }: MetaState): void {
    for (const { domain, term, holder } of leases) {
      const name = `${domain} ${term}`;
      const before = this.#holders.get(name) ?? holder;
      this.#holders.set(name, before);
      if (before === holder) continue;
      this.#options.violation(`nodes ${before} and ${holder} hold the lease ${name}`);
    }
  }

  #found(range: TopologyRange, change: Change): Attempt {
    const { rng, nodes, count, note } = this.#options;
    if (isMetaGroup(range.id)) count('change of the meta group');
    note(`group ${groupKey(range.id)} is to end`);
    const attempt = {
      ...{ change: change.number, kind: change.kind, parent: range.id, isClosing: false },
      members: new Set(range.members),
      nodes: nodes.map(({ node }) => node),
      executedBy: new Set<number>(),
    };
    this.#attempts.set(change.number, attempt);
    const name = { range: range.id, change: change.number };
    if (change.kind === 'renewal') return attempt;
    if (rng.next() < CANCEL_RATE) {
      this.#change({ type: 'Cancel', ...name }, () => count(`${this.#kind} cancelled`));
    } else if (rng.next() < PAUSE_RATE) {
      this.#change({ type: 'Pause', ...name }, () => count(`${this.#kind} paused`));
      this.#resumeSoon();
    }
    return attempt;
  }

  /** From now on its successors are those that they will be. */
  #closes(attempt: Attempt, change: Change): void {
    if (attempt.isClosing) return;
    attempt.isClosing = true;
    const { groups, add } = this.#options;
    const name = groupKey(attempt.parent);
    const parent = groups().find(({ descriptor }) => groupKey(descriptor.id) === name);
    if (parent === undefined) throw new Error(`nobody knows ${name}`);
    for (const descriptor of successorsOf(change)) add(descriptor, parent);
  }

  #resumeSoon(): void {
    const { rng, scheduler } = this.#options;
    scheduler.after(rng.next() * RESUME_MS_MAX, () => this.#resumeAll());
  }

  /** All that are paused, as far as it is known; until none is, it is tried again. */
  #resumeAll(): void {
    const { scheduler } = this.#options;
    const all = this.#state === undefined ? [] : withMeta(this.#state.topology);
    const paused = all.flatMap(({ id, change }) =>
      change?.isPaused === true ? [{ range: id, change: change.number }] : [],
    );
    for (const name of paused) this.#change({ type: 'Resume', ...name });
    if (paused.length > 0) scheduler.after(RESUME_MS_MAX, () => this.#resumeAll());
  }

  /** All but one node stay after all: of five, three can be members. */
  #takeBack(): void {
    const { scheduler } = this.#options;
    const nodes = this.#state?.topology.nodes ?? [];
    const away = nodes.filter(({ state }) => state !== 'active' && state !== 'joining');
    const leaver = away.find(({ state }) => state === 'decommissioning');
    for (const { id } of away) {
      if (id !== leaver?.id) this.#change({ type: 'Recommission', id });
    }
    scheduler.after(RESUME_MS_MAX, () => this.#takeBack());
  }

  /** A node is about to do something: it may die before it has. */
  acts(node: SimNode, act: Act): void {
    const { rng, scheduler, crash, count } = this.#options;
    const what = act.type === 'Close' ? act.type : act.command.type;
    count(`act ${what}`);
    if (this.#quiet || this.#crashes >= CRASHES_MAX || rng.next() >= CRASH_RATE) return;
    this.#crashes += 1;
    count(`crash at ${what}`);
    // Some of what the act leads to has left, or nothing.
    scheduler.after(rng.next() * 4, () => crash(node));
  }

  /** A node has executed the end of a group. */
  executed(node: number, { group, successors }: EndOfGroup): void {
    const { count, nodes, violation } = this.#options;
    const attempt = [...this.#attempts.values()].find(
      ({ parent, isClosing }) => isClosing && groupKey(parent) === groupKey(group),
    );
    if (attempt === undefined) {
      return violation(`node ${node} ends ${groupKey(group)}, which is not closing`);
    }
    const { executedBy } = attempt;
    if (executedBy.has(node) || successors.length === 0) return;
    executedBy.add(node);
    if (!successors.some(({ members }) => members.includes(node))) this.#leaves(node);
    if (executedBy.size < attempt.members.size) return;
    const whose = isMetaGroup(group) ? ' of the meta group' : '';
    count(`${attempt.kind}${whose} completed`);
    const isWhole = nodes.every((each, at) => each.node === attempt.nodes[at]);
    if (!isWhole) count(`${attempt.kind} cut off in the middle`);
  }

  /** Then others have the data of the group as they were. */
  #leaves(node: number): void {
    const { rng, nodes, crash, count } = this.#options;
    const its = nodes.find(({ id }) => id === node);
    if (its === undefined || this.#quiet || rng.next() >= LEAVE_CRASH_RATE) return;
    count('crash of a node that has left');
    crash(its);
  }

  /** Why some change has not come to its end; undefined: all have. */
  get open(): string | undefined {
    const ranges = this.#state === undefined ? [] : withMeta(this.#state.topology);
    const open = ranges.find(({ change }) => change !== undefined);
    if (open !== undefined) return `range ${groupKey(open.id)} is still being changed`;
    const { nodes = [] } = this.#state?.topology ?? {};
    const owed = ranges.find((range) => range.owed.length > 0);
    if (owed !== undefined) {
      return `node ${owed.owed[0]} lacks the data of range ${groupKey(owed.id)}`;
    }
    const leaving = nodes.find(({ state }) => state === 'decommissioning')?.id ?? 0;
    const left = ranges.find(({ id, members }) => {
      return members.includes(leaving) && (this.#options.movesMeta === true || !isMetaGroup(id));
    });
    const stay = nodes.filter(({ state }) => state === 'active').map(({ id }) => id);
    // People have asked too many of them to leave: the range has nowhere to go.
    if (left === undefined || stay.every((id) => left.members.includes(id))) return undefined;
    return `node ${leaving} leaves, and has range ${groupKey(left.id)}`;
  }
}

function widthOf({ fromSlot, toSlot }: TopologyRange): number {
  return toSlot - fromSlot;
}
