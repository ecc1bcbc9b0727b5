/**
 * The controllers of a node: has the pure `RangeManager` say what is to be done about the topology,
 * proposes it to the meta group, and tells people what became of the changes that they asked for.
 * It holds nothing that must outlive it: all that has been decided is in the topology.
 */
import type { Laggard } from '../accord/local/effects.ts';
import type { Timestamp } from '../accord/primitives/timestamp.ts';
import type { GroupDescriptor } from '../accord/topology/group.ts';
import type { GroupId } from '../accord/topology/group-id.ts';
import type { DepartureLimits } from '../meta/departures.ts';
import type { Form, MetaCommand } from '../meta/meta-command.ts';
import { encodeCommand } from '../meta/meta-rows.ts';
import type { MetaState } from '../meta/meta-state.ts';
import { NodeWatch, type NodeWatchLimits } from '../meta/node-watch.ts';
import { type Act, type ManagerView, RangeManager } from '../meta/range-manager.ts';
import { ReplicaManager } from '../meta/replica-manager.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import { Backoff } from '../runtime/supervision/restart-policy.ts';
import type { ProposalOutcome } from '../store/topology-proposals.ts';

export type TopologyAnswer = ProposalOutcome['outcome'];

export type TopologyActorMessage =
  /** A person asks for a change. */
  | {
      readonly type: 'Change';
      readonly command: MetaCommand;
      readonly replyTo: ActorRef<TopologyAnswer>;
    }
  | ({ readonly type: 'Proposed' } & ProposalOutcome)
  /** Of the topology, or a group has ended here. */
  | { readonly type: 'Changed' }
  | { readonly type: 'Tick' };

interface TopologyActorOptions {
  readonly self: number;
  readonly form: () => Form | undefined;
  readonly leaseMs: number;
  readonly watch: NodeWatchLimits;
  readonly replicas: DepartureLimits;
  /** Peers whose links are up. */
  readonly connected: () => ReadonlySet<number>;
  readonly state: () => MetaState | undefined;
  /** This node takes part in the decisions: otherwise it only looks on. */
  readonly isMember: () => boolean;
  readonly endOf: (group: GroupId) => Timestamp | undefined;
  readonly hasData: (group: GroupId, node: number) => boolean;
  readonly lagging: () => readonly Laggard[];
  readonly lacking: () => readonly Laggard[];
  readonly presentUs: () => number;
  /** To the coordinator of the meta group, which answers with `Proposed`. */
  readonly propose: (token: number, command: string) => void;
  readonly close: (group: GroupId, successors: readonly GroupDescriptor[]) => void;
  /** The command that records where a node is; undefined: the topology shows it. */
  readonly told: () => MetaCommand | undefined;
  /** It begins nothing, and hands its leases on. */
  readonly isDraining: () => boolean;
  /** An answer comes by then, or never. */
  readonly answerMsMax: number;
  /** Looks on, before an act is performed. */
  readonly observe?: ((act: Act) => void) | undefined;
}

/** Pause between two looks at what is to be done. */
const TICK_MS = 100;
/** Tokens of one incarnation: none has one of another. */
const TOKENS_EACH = 2 ** 32;
/**
 * Pause behind a command of this node's own whose outcome is unknown, twice as long after each
 * further one. Each may still be undecided, and those behind it wait for it: more of them do not
 * help a meta group that does not get on. A change of the topology or of the links ends the pause.
 */
const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 30_000;
/** Changes that people wait for; one more is refused. */
const ASKED_MAX = 256;

export function topologyActor(
  context: ActorContext<TopologyActorMessage>,
  options: TopologyActorOptions,
): Behavior<TopologyActorMessage> {
  return new Controllers(context, options);
}

class Controllers implements Behavior<TopologyActorMessage> {
  readonly #context: ActorContext<TopologyActorMessage>;
  readonly #options: TopologyActorOptions;
  readonly #ranges: RangeManager;
  readonly #nodes: NodeWatch;
  readonly #replicas: ReplicaManager;
  readonly #asked = new Map<number, ActorRef<TopologyAnswer>>();
  #lastToken: number;
  /** The command of this node's own that is under way; it is given up at some time. */
  #own: { readonly token: number; readonly untilMs: number } | undefined;
  readonly #backoff: Backoff;
  #pausedUntilMs = 0;
  /** As the pause was last ended. */
  #seenState: MetaState | undefined;
  #seenUp = 0;

  constructor(context: ActorContext<TopologyActorMessage>, options: TopologyActorOptions) {
    const { self, form, leaseMs } = options;
    this.#context = context;
    this.#options = options;
    this.#lastToken = context.incarnation * TOKENS_EACH;
    const random = (): number => context.rng.next();
    this.#ranges = new RangeManager({ self, form, leaseMs, random });
    this.#backoff = new Backoff(context.rng, PAUSE_MS_MIN, PAUSE_MS_MAX, Infinity);
    this.#nodes = new NodeWatch(self, options.watch);
    this.#replicas = new ReplicaManager(self, leaseMs, options.replicas);
    context.timers.startPeriodic('tick', TICK_MS, { type: 'Tick' });
  }

  receive(message: TopologyActorMessage): void {
    switch (message.type) {
      case 'Change':
        return this.#change(message.command, message.replyTo);
      case 'Proposed':
        // A refused command is tried again with the next tick, not as fast as it is refused.
        return this.#proposed(message);
      case 'Changed':
      case 'Tick':
        return this.#act();
    }
  }

  describe(): unknown {
    const { topology, leases } = this.#options.state() ?? {};
    const own = this.#own !== undefined;
    return { epoch: topology?.epoch ?? 0, leases, asked: this.#asked.size, isProposing: own };
  }

  #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }

  #change(command: MetaCommand, replyTo: ActorRef<TopologyAnswer>): void {
    if (this.#asked.size >= ASKED_MAX) {
      const why = `${ASKED_MAX} changes of the topology are waited for: try again`;
      // The asker has given up if this is refused.
      return tellOrDrop(replyTo, { type: 'refused', why });
    }
    this.#asked.set(this.#propose(command), replyTo);
  }

  #proposed({ token, outcome }: ProposalOutcome): void {
    if (this.#own?.token === token) this.#ownEnded(outcome.type === 'unknown');
    const replyTo = this.#asked.get(token);
    if (replyTo === undefined) return;
    this.#asked.delete(token);
    if (outcome.type === 'done') this.#ranges.begun(outcome.change);
    // The asker has given up if this is refused.
    tellOrDrop(replyTo, outcome);
  }

  #ownEnded(isUnknown: boolean): void {
    this.#own = undefined;
    if (isUnknown) this.#pausedUntilMs = this.#nowMs() + this.#backoff.delayMs(0);
    else this.#endPause();
  }

  #endPause(): void {
    this.#backoff.reset();
    this.#pausedUntilMs = 0;
  }

  #propose(command: MetaCommand): number {
    this.#lastToken += 1;
    this.#options.propose(this.#lastToken, encodeCommand(command));
    return this.#lastToken;
  }

  #act(): void {
    if (!this.#options.isMember()) return;
    const { state, endOf, hasData, presentUs, close, answerMsMax, observe } = this.#options;
    const [lagging, lacking] = [this.#options.lagging(), this.#options.lacking()];
    const nowMs = this.#nowMs();
    if (this.#own !== undefined && this.#own.untilMs <= nowMs) this.#ownEnded(true);
    const up = this.#options.connected();
    if (state() !== this.#seenState || up.size !== this.#seenUp) this.#endPause();
    this.#seenState = state();
    this.#seenUp = up.size;
    const isUp = (node: number): boolean => node === this.#options.self || up.has(node);
    const mayLead = !this.#options.isDraining();
    const seen = { state: state(), nowMs, presentUs: presentUs(), isUp, mayLead };
    const view = { ...seen, endOf, hasData, lagging, lacking };
    const isPaused = nowMs < this.#pausedUntilMs;
    const isProposing = isPaused || this.#own !== undefined;
    const acts = [...this.#ranges.acts({ ...view, isProposing }), ...this.#aboutNodes(seen)];
    for (const act of acts) {
      if (act.type === 'Propose' && (isPaused || this.#own !== undefined)) continue;
      observe?.(act);
      if (act.type === 'Close') close(act.group, act.successors);
      else this.#own = { token: this.#propose(act.command), untilMs: nowMs + answerMsMax };
    }
  }

  /** Another node takes them at once. */
  #handsOn(
    state: MetaState | undefined,
    { mayLead, presentUs }: Pick<ManagerView, 'mayLead' | 'presentUs'>,
  ): MetaCommand | undefined {
    const { self: holder } = this.#options;
    const isHolder = state?.leases.some((lease) => {
      return lease.holder === holder && lease.untilUs > presentUs;
    });
    return isHolder && !mayLead ? { type: 'DropLeases', holder } : undefined;
  }

  /** Behind those about ranges: of all that is to be proposed the first is. */
  #aboutNodes({
    state,
    ...seen
  }: Pick<ManagerView, 'state' | 'nowMs' | 'presentUs' | 'isUp' | 'mayLead'>): readonly Act[] {
    const missed = state === undefined ? undefined : this.#nodes.acts({ state, ...seen });
    const told = this.#own === undefined ? this.#options.told() : undefined;
    const moved = state === undefined ? undefined : this.#replicas.acts({ state, ...seen });
    const commands = [missed, told, moved, this.#handsOn(state, seen)].flatMap(
      (command) => command ?? [],
    );
    return commands.map((command) => ({ type: 'Propose', command }));
  }
}
