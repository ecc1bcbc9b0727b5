/**
 * Shell of a store's replicas: tells each message to the `CommandStore` and performs the effects
 * that come back, as `effects.ts` has it. No decision lives here.
 */

import {
  CommandStore,
  type CommandStoreLimits,
  type StoreWatch,
} from '../accord/local/command-store.ts';
import type { EndOfGroup, Laggard, StoreEffect, Watermarks } from '../accord/local/effects.ts';
import type { GroupJoin } from '../accord/local/journal.ts';
import type { AccordMessage } from '../accord/messages/messages.ts';
import type { HybridClock } from '../accord/primitives/hybrid-clock.ts';
import type { Group } from '../accord/topology/group.ts';
import { type GroupId, groupKey } from '../accord/topology/group-id.ts';
import type { ReportDisk } from '../log/disk-health.ts';
import type { WalMessage, WalSync } from '../log/wal-actor.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import type { Outlet } from '../runtime/cells/outlet.ts';
import type { CoordinatorActorMessage, ExecutorMessage, ReplicaActorMessage } from './messages.ts';
import type { Outbox } from './outbox.ts';
import { TxnTrace } from './txn-trace.ts';

interface ReplicaOptions {
  readonly store: number;
  readonly self: number;
  readonly groups: readonly Group[];
  readonly clock: HybridClock;
  /** Monotonic time at which the life of the clock began. */
  readonly startedMs: number;
  readonly limits: CommandStoreLimits;
  readonly outbox: Outbox;
  /** Peers whose links are up as this actor begins. */
  readonly connected: () => ReadonlySet<number>;
  readonly wal: ActorRef<WalMessage>;
  readonly executor: ActorRef<ExecutorMessage>;
  readonly coordinator: ActorRef<CoordinatorActorMessage>;
  readonly tickMs: number;
  /** Its groups take part from now on. */
  readonly began: () => void;
  /** The log names a group of which this node became a member. */
  readonly joined: (join: GroupJoin) => void;
  /** The data of a group went with the store that was here before. */
  readonly lacks: (group: GroupId) => void;
  /** A group of the store has ended: the whole node is to know. */
  readonly ended: (end: EndOfGroup) => void;
  /** Of any group, as the whole node knows it. */
  readonly endOf: (group: GroupId) => EndOfGroup | undefined;
  readonly lagging: (members: readonly Laggard[]) => void;
  /** A message of this node denies a durable fact. */
  readonly contradicted: (from: number, type: AccordMessage['type'], reason: string) => void;
  readonly observe: ReplicaObserver;
}

/** The events for the node's metrics and traces. */
export interface ReplicaObserver {
  /** Passive checks; made for each incarnation. */
  watchStore?(): StoreWatch | undefined;
  ready(store: number): void;
  watermarks(state: ReplicaWatermarks): void;
  readonly disk: ReportDisk;
}

export interface ReplicaWatermarks extends Watermarks {
  readonly store: number;
}

export function replicaActor(
  context: ActorContext<ReplicaActorMessage>,
  options: ReplicaOptions,
): Behavior<ReplicaActorMessage> {
  return new ReplicaShell(context, options);
}

class ReplicaShell implements Behavior<ReplicaActorMessage> {
  readonly #context: ActorContext<ReplicaActorMessage>;
  readonly #options: ReplicaOptions;
  readonly #store: CommandStore;
  readonly #wal: Outlet<WalMessage>;
  readonly #executor: Outlet<ExecutorMessage>;
  readonly #coordinator: Outlet<CoordinatorActorMessage>;
  readonly #trace: TxnTrace;
  #syncs: WalSync[] = [];

  constructor(context: ActorContext<ReplicaActorMessage>, options: ReplicaOptions) {
    const { store, self, clock, startedMs, limits, groups } = options;
    this.#context = context;
    this.#options = options;
    this.#trace = new TxnTrace(context.recorder);
    this.#wal = context.outlet(options.wal);
    this.#executor = context.outlet(options.executor);
    this.#coordinator = context.outlet(options.coordinator);
    this.#store = new CommandStore({
      self,
      groups,
      clock,
      random: () => context.rng.next(),
      startedMs,
      nowMs: this.#nowMs(),
      connected: options.connected(),
      limits,
      endOf: options.endOf,
      watch: options.observe.watchStore?.(),
    });
    context.watch(options.wal as ActorRef<never>, (exit) => ({ type: 'WalGone', exit }));
    context.timers.startPeriodic('tick', options.tickMs, { type: 'Tick' });
    this.#wal.send({
      type: 'Replay',
      store,
      replyTo: context.thisIncarnation,
    });
  }

  receive(message: ReplicaActorMessage): void {
    this.#tell(message);
    this.#perform();
  }

  turnEnd(): void {
    this.#store.closeTurn(this.#nowMs());
    this.#perform();
  }

  #nowMs(): number {
    return this.#context.clock.monotonicMs();
  }

  #tell(message: ReplicaActorMessage): void {
    const store = this.#store;
    switch (message.type) {
      case 'Protocol': {
        const nowMs = this.#trace.at(this.#nowMs());
        this.#trace.received(message.group, message.from, message.message);
        return store.handle(message.group, message.from, message.message, nowMs);
      }
      case 'Durable':
        this.#trace.ofLog('in', 'Durable', this.#options.store, message.token);
        return store.durable(message.token, message.firstLsn);
      case 'Replayed':
        store.restore(message.groups, this.#nowMs());
        return store.restored(message.clockLimitUs, this.#nowMs());
      case 'ClockLimit':
        return store.clockLimit(message.limitUs);
      case 'LogPinned':
        return store.logPinned(message.belowLsn);
      case 'ExecutorReady':
        return store.executorReady(message, this.#nowMs());
      case 'FindPlace':
        return store.findPlace(message.group, message.at);
      case 'ReadEnded':
        if (store.isFlushed(message.group)) return this.#executor.send(message);
        // The asker asks again.
        return tellOrDrop(message.replyTo, {
          ...{ type: 'EndedRead', token: message.token },
          chunk: undefined,
        });
      case 'Taken':
        return store.executorTaken(message.generation, message.count);
      case 'Sync':
        this.#syncs.push(message);
        return store.sync();
      case 'Fetched':
        return store.fetched(message.group, message.id, message.entries);
      case 'Flushed':
        return store.executorFlushed(message.flushed);
      case 'GaveUp':
        return store.executorGaveUp(message.group);
      case 'PeerUp':
        return store.peerUp(message.peer);
      case 'PeerDown':
        return store.peerDown(message.peer, this.#nowMs());
      case 'Join':
        return store.join(message, this.#nowMs());
      case 'FindTxns':
        // The asker has given up if this is refused.
        return void tellOrDrop(message.replyTo, store.find(message.slot, message.count));
      case 'WalGone':
        // Unconfirmed records may be lost: start again from the disk.
        throw new Error(`the WalWriter is gone: ${message.exit.reason.kind}`);
      case 'Tick':
        return store.tick(this.#nowMs());
    }
  }

  #perform(): void {
    for (const effect of this.#store.takeEffects()) this.#performOne(effect);
  }

  #performOne(effect: StoreEffect): void {
    const { store, outbox, observe } = this.#options;
    switch (effect.type) {
      case 'Send':
        return outbox.send(effect.group, effect.to, effect.message);
      case 'Append':
        return this.#append(effect);
      case 'Sync':
        for (const sync of this.#syncs) this.#wal.send({ ...sync, store });
        this.#syncs = [];
        return;
      case 'Truncate':
        return this.#wal.send({ ...effect, store });
      case 'Reserve':
        return this.#wal.send({ ...effect, store });
      case 'Execute':
      case 'Read':
      case 'ReadAt':
      case 'GiveUp':
        if (effect.type === 'Execute') this.#trace.ordered(effect.group, effect.execution);
        return this.#executor.send(effect);
      case 'Covered':
        return outbox.released();
      case 'Refused':
      case 'Moved':
      case 'ReadMoved':
        return this.#coordinator.send(effect);
      case 'Place':
        return this.#executor.send({ ...effect, type: 'PlaceFound' });
      case 'Joined':
        return this.#options.joined(effect);
      case 'Lacks':
        return this.#options.lacks(effect.group);
      case 'Ended':
        return this.#options.ended(effect);
      case 'Recover':
        // The progress log asks for it again.
        return tellOrDrop(this.#coordinator, effect);
      case 'Backlog':
        // Repeated while it lasts.
        if (effect.full) return tellOrDrop(this.#coordinator, effect);
        return this.#coordinator.send(effect);
      case 'Lagging':
        return this.#options.lagging(effect.members);
      case 'Began':
        this.#options.began();
        return observe.ready(store);
      case 'Watermarks':
        return observe.watermarks({ store, ...effect.watermarks });
      case 'Shedding':
        return observe.disk('log', 'backlogged', effect.shedding);
      case 'Trace':
        return this.#noteStep(effect);
      case 'Contradicted':
        return this.#options.contradicted(effect.from, effect.message, effect.reason);
      case 'Halt':
        return this.#context.fatal(new Error(effect.reason));
    }
  }

  #append({ token, records, urgent }: Extract<StoreEffect, { readonly type: 'Append' }>): void {
    const { store } = this.#options;
    const replyTo = this.#context.thisIncarnation;
    this.#trace.ofLog('out', 'Append', store, token);
    this.#wal.send({ type: 'Append', store, token, records, urgent, replyTo });
  }

  #noteStep({ group, event, id, on }: Extract<StoreEffect, { readonly type: 'Trace' }>): void {
    if (event === 'durability round' || id === undefined) {
      return this.#context.trace(groupKey(group), event);
    }
    if (event !== 'waits') return this.#trace.step(group, id, event);
    if (on !== undefined) this.#trace.waits(group, id, on);
  }

  describe(): unknown {
    const kept = this.#wal.kept + this.#executor.kept + this.#coordinator.kept;
    return { path: this.#context.self.path, ...this.#store.describe(), kept };
  }
}
