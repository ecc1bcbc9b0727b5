/**
 * The part of one node in the changes of ranges that the topology has decided on: it claims the
 * leases while there is something to begin, lets ranges close, proposes their Close, and reports
 * that they have ended. Any node goes on where another one has stopped, since all that has been
 * done is in the topology; those without the lease only wait a little. An idle cluster has no
 * holder, and costs nothing. Takes data, returns acts; it owns no timer. Pure.
 */
import type { Laggard } from '../accord/local/effects.ts';
import { boundAt, type Timestamp } from '../accord/primitives/timestamp.ts';
import { type GroupDescriptor, lacksOf } from '../accord/topology/group.ts';
import { type GroupId, isMetaGroup, machineOf } from '../accord/topology/group-id.ts';
import { bringIn } from './absences.ts';
import { heldLease, isRunningOut } from './leases.ts';
import type { Form, MetaCommand } from './meta-command.ts';
import type { Lease, MetaState } from './meta-state.ts';
import { type Change, rangeOf, type TopologyRange, withMeta } from './topology.ts';

interface RangeManagerOptions {
  readonly self: number;
  /** Proposed until the cluster is formed, by this node or by another. */
  readonly form: () => Form | undefined;
  readonly leaseMs: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export interface ManagerView {
  /** As this node has applied it; undefined before the cluster is formed. */
  readonly state: MetaState | undefined;
  /** executeAt of the Close of a group, where this node has executed it. */
  readonly endOf: (group: GroupId) => Timestamp | undefined;
  /** A node has the data of a group of which it is a new member. */
  readonly hasData: (group: GroupId, node: number) => boolean;
  /** Members for whose sake too much is kept. */
  readonly lagging: readonly Laggard[];
  /** Members that find nobody who has the data for them. */
  readonly lacking: readonly Laggard[];
  /** Of a clock that never goes back. */
  readonly nowMs: number;
  /** This node, and those to which it has links. */
  readonly isUp: (node: number) => boolean;
  /** The cluster's time, by which leases are judged. */
  readonly presentUs: number;
  /** It holds leases, and begins changes. */
  readonly mayLead: boolean;
  /** A command of this node is under way: it begins no other. */
  readonly isProposing: boolean;
}

export type Act =
  | { readonly type: 'Propose'; readonly command: MetaCommand }
  | {
      readonly type: 'Close';
      readonly group: GroupId;
      readonly successors: readonly GroupDescriptor[];
    };

interface OpenChange {
  readonly range: TopologyRange;
  readonly change: Change;
}

/** A node without the lease waits for so long, and up to twice as long, for the one that has it. */
const ASSIST_MS = 1_000;
const FORM_EVERY_MS = 500;
/** Pause between two commands about members that lag, or lack data. */
const MEMBERS_EVERY_MS = 500;

export class RangeManager {
  readonly #options: RangeManagerOptions;
  /** By the number of a change and its phase: from when on this node acts without the lease. */
  readonly #assistsMs = new Map<string, number>();
  /** Changes that this node was asked for. */
  readonly #own = new Set<number>();
  #formMs = 0;
  #membersMs = 0;

  constructor(options: RangeManagerOptions) {
    this.#options = options;
  }

  /** This node has proposed the change: it looks after it first. */
  begun(change: number): void {
    this.#own.add(change);
  }

  acts(view: ManagerView): readonly Act[] {
    if (view.state === undefined) return this.#form(view);
    const open = openChanges(view.state);
    this.#follow(open, view.nowMs);
    const reports = this.#reports(view.state, view);
    const about = view.isProposing ? [] : this.#aboutMembers(view.state, view);
    if (open.length === 0) return this.#oneProposal([...reports, ...about], view);
    const lease = heldLease(view.state, 'ranges', view.presentUs);
    const closing = open.flatMap((each) => this.#actOnClosing(each, lease, view));
    const acts = [...reports, ...closing, ...about];
    const begins = this.#begins(open, lease, view);
    return this.#oneProposal(begins === undefined ? acts : [...acts, begins], view);
  }

  /** Data that the topology does not know of yet. */
  #reports({ topology }: MetaState, { hasData }: ManagerView): readonly Act[] {
    return withMeta(topology).flatMap(({ id: range, owed }): readonly Act[] => {
      const held = owed.filter((node) => hasData(range, node));
      return held.map((node) => ({ type: 'Propose', command: { type: 'HasData', range, node } }));
    });
  }

  /** Groups that are to go on without a member, or to give it their data anew. */
  #aboutMembers(
    state: MetaState,
    { lagging, lacking, nowMs, presentUs: seenUs }: ManagerView,
  ): readonly Act[] {
    const { topology } = state;
    if (nowMs < this.#membersMs) return [];
    const isOpen = ({ group }: Laggard): boolean => {
      const range = isMetaGroup(group) ? undefined : rangeOf(topology, group);
      return range !== undefined && range.change?.phase !== 'closing';
    };
    const late = lagging.filter((each) => {
      return isOpen(each) && rangeOf(topology, each.group)?.absent.includes(each.node) === false;
    });
    const node = late[0]?.node;
    // One that has to wait for another one must not hold that up.
    const command = lacking
      .filter(isOpen)
      .map((each) => ({ type: 'BringIn', range: each.group, node: each.node, seenUs }) as const)
      .find((each) => typeof bringIn(state, each, boundAt(seenUs)) !== 'string');
    if (node === undefined && command === undefined) return [];
    this.#membersMs = nowMs + MEMBERS_EVERY_MS;
    if (command !== undefined) return [{ type: 'Propose', command }];
    if (node === undefined) return [];
    const ranges = late.filter((each) => each.node === node).map(({ group }) => group);
    return [{ type: 'Propose', command: { type: 'PassOver', ranges, node, seenUs } }];
  }

  #form({ nowMs, isProposing }: ManagerView): readonly Act[] {
    if (isProposing || nowMs < this.#formMs) return [];
    const command = this.#options.form();
    if (command === undefined) return [];
    this.#formMs = nowMs + FORM_EVERY_MS;
    return [{ type: 'Propose', command }];
  }

  #follow(open: readonly OpenChange[], nowMs: number): void {
    const names = new Set(open.map(({ change }) => nameOf(change)));
    for (const name of this.#assistsMs.keys()) if (!names.has(name)) this.#assistsMs.delete(name);
    for (const name of names) {
      if (this.#assistsMs.has(name)) continue;
      this.#assistsMs.set(name, nowMs + ASSIST_MS * (1 + this.#options.random()));
    }
    const numbers = new Set(open.map(({ change }) => change.number));
    for (const number of this.#own) if (!numbers.has(number)) this.#own.delete(number);
  }

  #assists(change: Change, nowMs: number): boolean {
    return this.#own.has(change.number) || nowMs >= (this.#assistsMs.get(nameOf(change)) ?? 0);
  }

  /** From `closing` on nothing takes the change back: anybody repeats Close until one executes. */
  #actOnClosing(open: OpenChange, lease: Lease | undefined, view: ManagerView): readonly Act[] {
    const { range, change } = open;
    if (change.phase !== 'closing') return [];
    const isOwn = this.#leads(open, lease, view);
    if (!isOwn && !this.#assists(change, view.nowMs)) return [];
    const closedAt = view.endOf(range.id);
    if (closedAt === undefined) {
      return [{ type: 'Close', group: range.id, successors: successorsOf(change) }];
    }
    const command = { type: 'Done', range: range.id, change: change.number, closedAt } as const;
    return [{ type: 'Propose', command }];
  }

  /** A renewal has no owner: the lowest of its members that is up looks after it. */
  #leads({ range, change }: OpenChange, lease: Lease | undefined, { isUp }: ManagerView): boolean {
    const { self } = this.#options;
    return change.kind === 'renewal' ? range.members.find(isUp) === self : lease?.holder === self;
  }

  /** Only the holder of the lease begins to close; without one there is, somebody claims it. */
  #begins(
    open: readonly OpenChange[],
    lease: Lease | undefined,
    { state, nowMs, presentUs, mayLead }: ManagerView,
  ): Act | undefined {
    if (!mayLead) return undefined;
    const { self: holder, leaseMs } = this.#options;
    const isStopped = state?.pausedControllers.includes('ranges') === true;
    const waiting = open.filter(({ change: { phase, kind, isPaused } }) => {
      return phase === 'intended' && kind !== 'renewal' && !isPaused;
    });
    const closing = open.filter(({ change }) => change.phase === 'closing').length;
    const [first] = waiting;
    if (first === undefined || isStopped || closing >= (state?.topology.closingMax ?? 0)) return;
    const claims: Act = { type: 'Propose', command: { type: 'TakeLeases', holder, leaseMs } };
    if (lease === undefined) {
      return waiting.some(({ change }) => this.#assists(change, nowMs)) ? claims : undefined;
    }
    if (lease.holder !== holder) return undefined;
    if (isRunningOut(lease, leaseMs, presentUs)) return claims;
    const { range, change } = first;
    const command = {
      type: 'BeginClosing',
      range: range.id,
      change: change.number,
      lease: { domain: 'ranges', holder, term: lease.term },
    } as const;
    return { type: 'Propose', command };
  }

  /** Its outcome decides which one is next; ends are told together. */
  #oneProposal(acts: readonly Act[], { isProposing }: ManagerView): readonly Act[] {
    const others = acts.filter(({ type }) => type !== 'Propose');
    const commands = acts.flatMap((act) => (act.type === 'Propose' ? [act.command] : []));
    const ends = commands.flatMap((command) => (command.type === 'Done' ? [command] : []));
    const command = ends.length > 1 ? ({ type: 'SeveralDone', ends } as const) : commands[0];
    if (isProposing || command === undefined) return others;
    return [...others, { type: 'Propose', command }];
  }
}

function nameOf({ number, phase, isPaused }: Change): string {
  return `${number} ${phase} ${isPaused}`;
}

function openChanges({ topology }: MetaState): readonly OpenChange[] {
  return withMeta(topology).flatMap((range) => {
    return range.change === undefined ? [] : [{ range, change: range.change }];
  });
}

/** As a Close names them. */
export function successorsOf({ successors }: Change): readonly GroupDescriptor[] {
  return successors.map(({ owed, absent, ...each }) => ({
    ...each,
    ...{ ...lacksOf({ owed, absent }), machine: machineOf(each.id) },
  }));
}
