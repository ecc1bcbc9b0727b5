/**
 * Shell of the replica: feeds the pure core, writes its records through the WalWriter, lets its
 * replies go when the records before them are on disk, and hands executions to the executor. No
 * decision lives here.
 */
import type { Effect } from '../accord/local/effects.ts';
import { decodeRecord, encodeRecord } from '../accord/local/journal.ts';
import { Replica, type ReplicaMessage } from '../accord/local/replica.ts';
import type { ReplicaLimits } from '../accord/local/replica-state.ts';
import type { AccordMessage } from '../accord/messages/messages.ts';
import type { HybridClock } from '../accord/primitives/hybrid-clock.ts';
import { keyOf, type TxnId } from '../accord/primitives/timestamp.ts';
import type { Topology } from '../accord/topology/topology.ts';
import type { LogRecord, WalMessage, WalReplay, WalReply, WalSync } from '../log/wal-actor.ts';
import type { ReportDisk } from '../node/disk-health.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, ActorExit, Behavior } from '../runtime/behavior.ts';
import type { CoordinatorActorMessage } from './coordinator-actor.ts';
import type { ExecutorMessage } from './executor-actor.ts';
import { HandOver } from './hand-over.ts';
import type { Outbox } from './outbox.ts';

export type ReplicaActorMessage =
  | { readonly type: 'Protocol'; readonly from: number; readonly message: ReplicaMessage }
  | WalReply
  | WalReplay
  /** A fresh executor holds what the engine has flushed, and wants all that follows. */
  | {
      readonly type: 'ExecutorReady';
      readonly flushedSequence: number;
      readonly generation: number;
    }
  /** Executions and reads that this executor has taken so far: credit for as many more. */
  | { readonly type: 'Taken'; readonly generation: number; readonly count: number }
  | { readonly type: 'Flushed'; readonly sequence: number }
  /**
   * The executor asks when the log holds all that it has executed. It goes to the WalWriter behind
   * the records of that, which may still wait here or on the way.
   */
  | WalSync
  | { readonly type: 'PeerUp' | 'PeerDown'; readonly peer: number }
  | { readonly type: 'WalGone'; readonly exit: ActorExit }
  | { readonly type: 'Tick' };

export interface ReplicaOptions {
  readonly store: number;
  readonly self: number;
  readonly topology: Topology;
  readonly clock: HybridClock;
  /** Monotonic time at which the life of the clock began. */
  readonly startedMs: number;
  readonly limits?: Partial<ReplicaLimits>;
  readonly outbox: Outbox;
  /** Peers whose links are up as this actor begins. */
  readonly connected: () => ReadonlySet<number>;
  readonly wal: ActorRef<WalMessage>;
  readonly executor: ActorRef<ExecutorMessage>;
  readonly coordinator: ActorRef<CoordinatorActorMessage>;
  readonly tickMs: number;
  /** Transactions kept for members that are away; beyond it this node begins no more. */
  readonly retainedBytesMax: number;
  /** A message of this node denies a durable fact. */
  readonly contradicted: (from: number, type: AccordMessage['type'], reason: string) => void;
  /** Records that wait for the disk; beyond it nothing is taken from peers that adds to them. */
  readonly unloggedBytesMax: number;
  /** Turns whose records are not on disk yet; what comes after them waits for one more turn. */
  readonly turnsMax: number | undefined;
  /** Executions and reads that the executor has been handed and has not taken yet. */
  readonly handOverMax: number | undefined;
  readonly observe: ReplicaObserver;
}

/** What the node's metrics and traces want to know. */
export interface ReplicaObserver {
  /** A fresh incarnation, before it reads the log: whoever checks its state looks at it here. */
  replicaBegins?(replica: Replica): void;
  ready(store: number): void;
  watermarks(state: ReplicaWatermarks): void;
  readonly disk: ReportDisk;
}

export interface ReplicaWatermarks {
  readonly store: number;
  readonly appliedSequence: number;
  readonly flushedSequence: number;
  readonly redundantBeforeUs: number;
  readonly retained: number;
  readonly retainedBytes: number;
  readonly unapplied: number;
  readonly unloggedBytes: number;
}

/** Messages that lead to no record: reads go on while the log does not. */
const UNLOGGED: ReadonlySet<string> = new Set<ReplicaMessage['type']>([
  'ReadBarrier',
  'ReadBarrierOk',
  'AppliedHint',
  'CheckStatus',
  'Fetch',
  'CatchUp',
]);
const TURNS_MAX = 1_024;

interface Turn {
  readonly token: number;
  readonly replies: Array<{ readonly to: number; readonly message: AccordMessage }>;
  readonly opened: TxnId[];
  readonly limitUs: number | undefined;
  /** Once the turn is durable, the log need keep nothing below this LSN and below the turn. */
  readonly neededLsn: number | undefined;
  readonly bytes: number;
}

export function replicaActor(
  context: ActorContext<ReplicaActorMessage>,
  options: ReplicaOptions,
): Behavior<ReplicaActorMessage> {
  const { clock: time, rng, self: me } = context;
  const { store, self, coordinator, outbox, clock, turnsMax = TURNS_MAX } = options;
  const wal = context.outlet(options.wal);
  const executor = context.outlet(options.executor);
  const toCoordinator = context.outlet(coordinator);
  const handOver = new HandOver((message) => executor.send(message), options.handOverMax);
  const replica = new Replica({
    self,
    topology: options.topology,
    clock,
    random: () => rng.next(),
    limits: options.limits ?? {},
  });
  /** Replies of turns whose records are not durable yet, oldest first. */
  let turns: Turn[] = [];
  let lastToken = 0;
  let generation = 0;
  let backlogged = false;
  let replayed = false;
  let restored = false;
  let executorSequence: number | undefined;

  let records: LogRecord[] = [];
  let opened: TxnId[] = [];
  let replies: Turn['replies'] = [];
  let recordBytes = 0;
  let unloggedBytes = 0;
  /** Unknown at first: the incarnation before may have said so. */
  let shedding: boolean | undefined;
  let syncs: WalSync[] = [];
  let urgent = false;
  let limitUs: number | undefined;
  let neededLsn: number | undefined;

  options.observe.replicaBegins?.(replica);
  for (const peer of options.topology.members) {
    if (peer !== self && !options.connected().has(peer)) replica.durability.peerDown(peer);
  }
  context.watch(options.wal as ActorRef<never>, (exit) => ({ type: 'WalGone', exit }));
  context.timers.startPeriodic('tick', options.tickMs, { type: 'Tick' });
  wal.send({ type: 'Replay', store, replyTo: context.thisIncarnation });

  function restore(message: WalReplay): void {
    for (const { lsn, type, payload } of message.records) {
      replica.restore(decodeRecord(type, payload), lsn);
    }
    replayed = true;
    begin();
  }

  /** Once the log has been read, the executor says what it holds, and the clock may be used. */
  function begin(): void {
    if (!replayed || executorSequence === undefined) return;
    if (!clock.mayBegin((time.monotonicMs() - options.startedMs) * 1_000)) return;
    if (restored) {
      // Only the executor has begun anew: it needs what its engine does not hold.
      replica.state.flushedSequence = executorSequence;
      handOver.begin(generation, replica.unflushed());
      return;
    }
    restored = true;
    clock.begin();
    handOver.begin(generation, []);
    replica.restored(executorSequence, time.monotonicMs());
    reserve();
    options.observe.ready(store);
  }

  /** Takes note of a record of this turn. */
  function log(record: LogRecord): void {
    records.push(record);
    for (const part of record.parts) recordBytes += part.length;
  }

  /** A message that is dropped: it would add to what waits for the disk. */
  function sheds(from: number, message: ReplicaMessage): boolean {
    if (unloggedBytes + recordBytes <= options.unloggedBytesMax) return false;
    if (UNLOGGED.has(message.type)) return false;
    // Transactions begun here are few; those of others are also recovered by this node.
    return from !== self || ('id' in message && message.id.node !== self);
  }

  /** Keeps the clock's reservation ahead; it is urgent because messages may wait for it. */
  function reserve(): void {
    const next = clock.nextReservation();
    if (next === undefined) return;
    limitUs = next;
    log(encodeRecord({ type: 'ClockLimit', limitUs: next }));
    urgent = true;
  }

  function perform(effect: Effect): void {
    switch (effect.type) {
      case 'Send':
        return outbox.send(effect.to, effect.message);
      case 'Reply':
        replies.push(effect);
        return;
      case 'Persist': {
        const { record } = effect;
        log(encodeRecord(record));
        if (effect.urgent) urgent = true;
        if ('id' in record) opened.push(record.id);
        return;
      }
      case 'Execute':
      case 'Read':
        return handOver.add(effect);
      case 'Refused':
        return toCoordinator.send({ type: 'Refused', id: effect.id });
      case 'Recover':
        // The progress log asks for it again.
        return tellOrDrop(toCoordinator, effect);
      case 'LogNeeded':
        // Not at once: the records that make the older ones needless are part of this turn.
        neededLsn = effect.fromLsn;
        return;
      case 'Trace':
        return context.trace(effect.id === undefined ? '' : keyOf(effect.id), effect.event);
      case 'Contradicted':
        return options.contradicted(effect.from, effect.message, effect.reason);
    }
  }

  /** One message to the WalWriter for all records of the turn; replies wait for it. */
  function closeTurn(): void {
    if (restored && !clock.covered) reserve();
    for (const effect of replica.takeEffects()) perform(effect);
    if (records.length === 0) letReplies();
    else if (turns.length < turnsMax) append();
    if (records.length > 0) return;
    for (const sync of syncs) wal.send(sync);
    syncs = [];
  }

  /** Without records of their own, replies go with those before them, or at once. */
  function letReplies(): void {
    const last = turns.at(-1);
    if (last !== undefined) last.replies.push(...replies);
    else for (const { to, message } of replies) outbox.send(to, message);
    replies = [];
  }

  function append(): void {
    lastToken += 1;
    turns.push({ token: lastToken, replies, opened, limitUs, neededLsn, bytes: recordBytes });
    unloggedBytes += recordBytes;
    const message = { type: 'Append', store, records, urgent, token: lastToken } as const;
    wal.send({ ...message, replyTo: context.thisIncarnation });
    replies = [];
    records = [];
    recordBytes = 0;
    opened = [];
    urgent = false;
    limitUs = undefined;
    neededLsn = undefined;
  }

  function durable(message: WalReply): void {
    const [turn] = turns;
    if (turn === undefined || turn.token !== message.token) {
      throw new Error(`the WalWriter confirms ${message.token} out of order`);
    }
    turns = turns.slice(1);
    unloggedBytes -= turn.bytes;
    for (const id of turn.opened) {
      const command = replica.state.find(id);
      if (command !== undefined) replica.state.logged.add(command, message.firstLsn);
    }
    if (turn.limitUs !== undefined) {
      clock.reservationDurable(turn.limitUs);
      outbox.released();
    }
    if (turn.neededLsn !== undefined) {
      const fromLsn = Math.min(turn.neededLsn, message.firstLsn);
      wal.send({ type: 'Truncate', store, fromLsn });
    }
    for (const { to, message: reply } of turn.replies) outbox.send(to, reply);
  }

  function tick(): void {
    if (!restored) return begin();
    if (!clock.isIdle) reserve();
    replica.tick(time.monotonicMs());
    const { state } = replica;
    options.observe.watermarks({
      store,
      appliedSequence: state.sequence,
      flushedSequence: state.flushedSequence,
      redundantBeforeUs: state.redundantBefore.hlc,
      retained: state.commands.size,
      retainedBytes: state.retainedBytes,
      unapplied: state.unapplied.size,
      unloggedBytes,
    });
    const sheddingNow = unloggedBytes + recordBytes > options.unloggedBytesMax;
    if (sheddingNow !== shedding) options.observe.disk('log', 'backlogged', sheddingNow);
    shedding = sheddingNow;
    const full = state.retainedBytes > options.retainedBytesMax;
    // Again and again while it lasts: the coordinator may have begun anew meanwhile.
    if ((full || backlogged) && coordinator.tell({ type: 'Backlog', full })) backlogged = full;
  }

  return {
    receive(message) {
      switch (message.type) {
        case 'Protocol':
          // Before the log is read there is nothing that could be said; the sender repeats.
          if (!restored || sheds(message.from, message.message)) return;
          return replica.handle(message.from, message.message, time.monotonicMs());
        case 'Durable':
          return durable(message);
        case 'Replayed':
          return restore(message);
        case 'ExecutorReady':
          executorSequence = message.flushedSequence;
          generation = message.generation;
          return begin();
        case 'Taken':
          return handOver.taken(message.generation, message.count);
        case 'Sync':
          syncs.push(message);
          return;
        case 'Flushed':
          replica.state.flushedSequence = message.sequence;
          return;
        case 'PeerUp':
          return replica.durability.peerUp(message.peer);
        case 'PeerDown':
          replica.progress.peerDown(message.peer, time.monotonicMs());
          return replica.durability.peerDown(message.peer);
        case 'WalGone':
          // What was appended and not confirmed may be lost: begin again from the disk.
          throw new Error(`the WalWriter is gone: ${message.exit.reason.kind}`);
        case 'Tick':
          return tick();
      }
    },
    turnEnd: closeTurn,
    describe: () => ({
      path: me.path,
      retained: replica.state.commands.size,
      unapplied: replica.state.unapplied.size,
      indexed: replica.state.index.size,
      sequence: replica.state.sequence,
      flushedSequence: replica.state.flushedSequence,
      redundantBeforeUs: replica.state.redundantBefore.hlc,
      turnsNotDurable: turns.length,
      notHandedOver: handOver.waiting,
      kept: wal.kept + executor.kept + toCoordinator.kept,
    }),
  };
}
