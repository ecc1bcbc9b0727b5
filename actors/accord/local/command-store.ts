/**
 * The one door of the pure core to its shell: owns a replica per group of the store, the order of
 * their effects (`effects.ts`), the hand-over to the executor, and the clock's reservation. Takes
 * data, returns effects; no code outside reaches the objects behind it.
 */
import type { FlushedGroup } from '../../../storage/state-machines.ts';
import type { HybridClock } from '../primitives/hybrid-clock.ts';
import { boundAt, compare, type Timestamp, type TxnId } from '../primitives/timestamp.ts';
import { Group, type GroupDescriptor, goesOnIn } from '../topology/group.ts';
import { type GroupId, GroupMap, shareSlots } from '../topology/group-id.ts';
import type { Effect, EndOfGroup, StoreEffect, Watermarks } from './effects.ts';
import { type Handed, HandOver } from './hand-over.ts';
import { BrokenInvariant } from './invariants.ts';
import {
  bytesOfRecord,
  decodeRecord,
  encodeRecord,
  type GroupJoin,
  typeOfRecord,
} from './journal.ts';
import { Replica, type ReplicaMessage } from './replica.ts';
import type { ReplicaLimits } from './replica-state.ts';
import type { ReplicaView } from './replica-view.ts';
import { type FoundTxn, transactionsOn } from './slot-search.ts';
import { type StoreGroup, StoreGroups, UNWRITTEN } from './store-groups.ts';
import { TurnLog } from './turn-log.ts';

interface CommandStoreOptions {
  readonly self: number;
  readonly groups: readonly Group[];
  readonly clock: HybridClock;
  /** Uniform in [0, 1): jitter of the progress log, nothing else. */
  readonly random: () => number;
  /** Monotonic time at which the life of the clock began. */
  readonly startedMs: number;
  readonly nowMs: number;
  /** Peers whose links are up as this store begins. */
  readonly connected: ReadonlySet<number>;
  readonly limits: CommandStoreLimits;
  /** Of any group, as the whole node knows it. */
  readonly endOf?: ((group: GroupId) => EndOfGroup | undefined) | undefined;
  readonly watch?: StoreWatch | undefined;
}

export interface CommandStoreLimits {
  readonly replica?: Partial<ReplicaLimits> | undefined;
  /** Transactions kept for members that are away; beyond it they are told to be `Lagging`. */
  readonly retainedBytesMax: number;
  /**
   * The same where nothing comes of that, as without a quorum of the meta group; beyond it this
   * node begins no more.
   */
  readonly backlogBytesMax?: number | undefined;
  /** Records that wait for the disk; beyond it nothing is taken from peers that adds to them. */
  readonly unloggedBytesMax: number;
  /** Records that messages of one turn lead to, before the others of that turn are dropped. */
  readonly turnRecordBytesMax?: number | undefined;
  /** Turns whose records are not on disk yet; what comes after them waits for one more turn. */
  readonly turnsMax?: number | undefined;
  /** Executions and reads that the executor has been handed and has not taken yet. */
  readonly handOverMax?: number | undefined;
}

/** Looks on, for checks that run beside a store. Changes nothing. */
export interface StoreWatch {
  /** A fresh incarnation, before the log is read. */
  began(group: GroupId, view: ReplicaView): void;
  restored(
    group: GroupId,
    view: ReplicaView,
    flushedSequence: number,
    effects: readonly Effect[],
    /** The data that it has executed on went with the store that was here before. */
    isLost: boolean,
  ): void;
  handling(group: GroupId, from: number, message: ReplicaMessage): void;
  /** `effects`: of this message. */
  handled(group: GroupId, message: ReplicaMessage, effects: readonly Effect[]): void;
  turned(group: GroupId, view: ReplicaView, effects: readonly Effect[]): void;
  /** This store has no part in the group any more. */
  abandoned(group: GroupId): void;
}

/** One record of the log, as it was read. */
interface StoredRecord {
  readonly lsn: number;
  readonly type: number;
  readonly payload: Uint8Array;
}

interface GroupRecords {
  readonly group: GroupId;
  readonly records: readonly StoredRecord[];
}

/** Messages that lead to no record: reads go on while the log does not. */
const UNLOGGED: ReadonlySet<string> = new Set<ReplicaMessage['type']>([
  'ReadBarrier',
  'ReadBarrierOk',
  'AppliedHint',
  'CheckStatus',
  'Read',
  'InformDurable',
  'Fetch',
  'CatchUp',
]);

/** Pause between two looks for members that lag. */
const LAGGARDS_EVERY_MS = 500;

/** A fresh executor, and its engine. */
interface FreshExecutor {
  readonly generation: number;
  readonly flushed: readonly FlushedGroup[];
  /** Groups whose data went with the store that was here before. */
  readonly lost: readonly GroupId[];
}

const JOINED_TYPE = typeOfRecord('Joined');

export class CommandStore {
  readonly #options: CommandStoreOptions;
  readonly #groups: StoreGroups;
  readonly #connected: Set<number>;
  readonly #log: TurnLog;
  readonly #handOver: HandOver;
  #effects: StoreEffect[] = [];
  #replayed = false;
  #begun = false;
  /** The present incarnation of the executor, and what its engine holds. */
  #executor: FreshExecutor | undefined;
  /** Groups whose data have come in: the time of their last change. */
  readonly #placing = new GroupMap<{ readonly member: StoreGroup; readonly at: Timestamp }>();
  #backlogged = false;
  /** When members that lag are told next. */
  #laggardsMs = 0;
  /** Unknown at first: the incarnation before may have said so. */
  #shedding: boolean | undefined;
  #syncAsked = false;
  /** Of records that messages of this turn have led to. */
  #turnBytes = 0;
  /** As told by `logPinned` before the beginning. */
  #pinnedBelowLsn = 0;
  /** Why nothing may leave any more. */
  #halt: string | undefined;
  /** There was a tick in this turn. */
  #ticked = false;
  /** As the last `Watermarks` had it. */
  #unloggedToldBytes = 0;
  /** Messages for groups that are not here. */
  #strays = 0;

  constructor(options: CommandStoreOptions) {
    this.#options = options;
    const { limits } = options;
    this.#groups = new StoreGroups();
    this.#log = new TurnLog(limits.turnsMax);
    this.#handOver = new HandOver((effect) => this.#effects.push(effect), limits.handOverMax);
    this.#connected = new Set(options.connected);
    for (const group of options.groups) this.#add(group, options.nowMs);
  }

  /** `floor`: of a successor; `joined`: of one that this node had no part in before. */
  #add(group: Group, nowMs: number, floor?: Timestamp, joined?: GroupJoin): StoreGroup {
    const { self, clock, random, limits, watch } = this.#options;
    const isPassedOver = (node: number): boolean => this.#passesOver(replica, group, node);
    const replica: Replica = new Replica({
      ...{ self, group, clock, random, floor, joined, isPassedOver },
      limits: limits.replica ?? {},
    });
    watch?.began(group.id, replica.view);
    for (const peer of group.members) {
      if (peer !== self && !this.#connected.has(peer)) replica.peerDown(peer, nowMs);
    }
    return this.#groups.add(group, replica, floor !== undefined, joined === undefined);
  }

  /** Whatever it lacks of the group, it gets the data of a later one. */
  #passesOver({ ended }: Replica, { absent }: Group, node: number): boolean {
    if (absent.includes(node)) return true;
    return (
      ended?.successors.every((successor) => {
        if (successor.owed?.includes(node) === true) return true;
        const here = this.#groups.get(successor.id);
        if (here !== undefined) return this.#passesOver(here.replica, here.group, node);
        return this.#owedLater(successor.id, node);
      }) ?? false
    );
  }

  /** The same of a group that this node has left before: others have told of its end. */
  #owedLater(group: GroupId, node: number): boolean {
    return (
      this.#options.endOf?.(group)?.successors.every(({ id, owed }) => {
        return owed?.includes(node) === true || this.#owedLater(id, node);
      }) ?? false
    );
  }

  /**
   * This node is a new member of a group that has begun at `floor`: it takes part at once, and
   * executes when the executor has its data. What it has of its slots till now is void.
   */
  join({ floor, parent, group }: Omit<GroupJoin, 'type'>, nowMs: number): void {
    if (!this.#begun || this.#groups.get(group.id) !== undefined) return;
    if (!group.members.includes(this.#options.self)) return;
    // It was here before, and has been abandoned: its votes are forgotten.
    if (this.#isSuperseded(group)) return;
    const member = this.#addJoined({ type: 'Joined', floor, parent, group }, nowMs);
    member.replica.begin();
    this.#restored(member, 0, nowMs);
    this.#abandonOlder(member.group);
  }

  #isSuperseded(older: GroupDescriptor): boolean {
    return [...this.#groups.all()].some(({ group }) => {
      return group.id.generation > older.id.generation && shareSlots(group, older);
    });
  }

  /**
   * Groups with its slots that have not ended here, or go on without this node: it comes to their
   * ends no more.
   */
  #abandonOlder(newer: Group): void {
    for (const member of [...this.#groups.all()]) {
      const { group, replica } = member;
      const isOlder = group.id.generation < newer.id.generation;
      if (!isOlder || !shareSlots(group, newer)) continue;
      this.#handOver.drop(group.id);
      if (replica.ended !== undefined && !this.#passesOver(replica, group, this.#options.self)) {
        replica.voided();
        continue;
      }
      this.#groups.delete(member);
      this.#options.watch?.abandoned(group.id);
    }
  }

  #addJoined(joined: GroupJoin, nowMs: number): StoreGroup {
    const floor = above(joined.floor);
    return this.#add(new Group(joined.group), nowMs, floor, joined);
  }

  /** A group has ended: its successors begin above its end. */
  #addSuccessors(member: StoreGroup, nowMs: number): void {
    const { ended } = member.replica;
    if (ended === undefined) return;
    const floor = above(ended.executeAt);
    for (const descriptor of ended.successors) {
      // Without data it joins the group like a new member.
      if (!goesOnIn(descriptor, this.#options.self)) continue;
      if (this.#groups.get(descriptor.id) !== undefined) continue;
      // It was abandoned, and would come back empty.
      if (this.#replayed && this.#isSuperseded(descriptor)) continue;
      const successor = this.#add(new Group(descriptor), nowMs, floor);
      successor.hasData = member.hasData;
      if (this.#begun) this.#restored(successor, 0, nowMs);
    }
  }

  #restored(member: StoreGroup, flushedSequence: number | undefined, nowMs: number): void {
    const { group, replica } = member;
    member.isRestored = true;
    this.#groups.touch(member);
    const isLost = !member.hasData && (replica.joined === undefined || hadData(replica));
    const isLacking = isLost && replica.ended === undefined;
    if (isLacking) this.#effects.push({ type: 'Lacks', group: group.id });
    this.#guard(() => replica.restored(flushedSequence, nowMs));
    const { view, effects } = replica;
    const { watch } = this.#options;
    watch?.restored(group.id, view, view.flushedSequence, effects, isLost);
  }

  /** The effects since the last call, in order. */
  takeEffects(): readonly StoreEffect[] {
    if (this.#halt !== undefined) return [{ type: 'Halt', reason: this.#halt }];
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  // ---- messages ---------------------------------------------------------------------------

  /** Before the log is read there is nothing that could be said; the sender repeats. */
  handle(group: GroupId, from: number, message: ReplicaMessage, nowMs: number): void {
    const { watch } = this.#options;
    if (!this.#begun || this.#sheds(from, message)) return;
    const member = this.#groups.get(group);
    if (member === undefined) {
      this.#strays += 1;
      return;
    }
    this.#groups.touch(member);
    const { replica } = member;
    watch?.handling(group, from, message);
    const before = replica.effects.length;
    this.#guard(() => replica.handle(from, message, nowMs));
    this.#countRecords(replica.effects, before);
    watch?.handled(group, message, replica.effects.slice(before));
  }

  /** A message that is dropped: it would add to what waits for the disk. */
  #sheds(from: number, message: ReplicaMessage): boolean {
    const { self, limits } = this.#options;
    const { turnRecordBytesMax = limits.unloggedBytesMax / 2 } = limits;
    const isFull = this.#log.unloggedBytes > limits.unloggedBytesMax;
    if (!isFull && this.#turnBytes <= turnRecordBytesMax) return false;
    if (UNLOGGED.has(message.type)) return false;
    // Transactions begun here are few; those of others are also recovered by this node.
    return from !== self || ('id' in message && message.id.node !== self);
  }

  /** A turn may take thousands of messages: what the first ones lead to counts for the others. */
  #countRecords(effects: readonly Effect[], from: number): void {
    for (let at = from; at < effects.length; at += 1) {
      const effect = effects[at];
      if (effect?.type === 'Persist') this.#turnBytes += bytesOfRecord(effect.record);
    }
  }

  /** The latest transactions on a conflict slot, so many at most. */
  find(slot: number, count: number): readonly FoundTxn[] {
    return transactionsOn(this.#groups.all(), slot, count);
  }

  peerUp(peer: number): void {
    this.#connected.add(peer);
    for (const { replica } of this.#groups.all()) replica.peerUp(peer);
    this.#touchBusy();
  }

  peerDown(peer: number, nowMs: number): void {
    this.#connected.delete(peer);
    for (const { replica } of this.#groups.all()) replica.peerDown(peer, nowMs);
    this.#touchBusy();
  }

  /** Something has changed for all groups; those that are idle have nothing to do about it. */
  #touchBusy(): void {
    for (const member of this.#groups.all()) {
      if (member.replica.dueMs !== Infinity) this.#groups.touch(member);
    }
  }

  /** Nothing computed from an impossible state may leave. */
  #guard(step: () => void): void {
    if (this.#halt !== undefined) return;
    try {
      step();
    } catch (error) {
      if (!(error instanceof BrokenInvariant)) throw error;
      this.#halt = error.message;
    }
  }

  // ---- the beginning ----------------------------------------------------------------------

  /** The log's records of each group, in order; `restored` follows. */
  restore(found: readonly GroupRecords[], nowMs: number): void {
    const recordsOf = new GroupMap(found.map(({ group, records }) => [group, records]));
    for (const { group, records } of found) this.#restoreJoin(group, records, nowMs);
    // A group that has ended tells of its successors: those come behind it.
    for (const member of this.#groups.all()) {
      const records = recordsOf.get(member.group.id) ?? [];
      member.marksLsn = records[0]?.lsn ?? UNWRITTEN;
      for (const { lsn, type, payload } of records) {
        member.replica.restore(decodeRecord(type, payload), lsn);
      }
      this.#addSuccessors(member, nowMs);
    }
    this.#abandonJoined();
  }

  #abandonJoined(): void {
    for (const { group, replica } of [...this.#groups.all()]) {
      if (replica.joined !== undefined) this.#abandonOlder(group);
    }
  }

  /** A group that this node has joined is named by its own records alone. */
  #restoreJoin(group: GroupId, records: readonly StoredRecord[], nowMs: number): void {
    if (this.#groups.get(group) !== undefined) return;
    for (const { type, payload } of records) {
      if (type !== JOINED_TYPE) continue;
      const record = decodeRecord(type, payload);
      if (record.type === 'Joined') this.#addJoined(record, nowMs);
      return;
    }
  }

  /** The log has been read; the highest limit of the clock in it, or 0. */
  restored(clockLimitUs: number, nowMs: number): void {
    this.#options.clock.restore(clockLimitUs);
    this.#replayed = true;
    this.#begin(nowMs);
  }

  /** A fresh executor holds what its engine has flushed and needs everything after it. */
  executorReady({ generation, flushed, lost }: FreshExecutor, nowMs: number): void {
    this.#executor = { generation, flushed, lost };
    // It has forgotten what came in.
    this.#placing.clear();
    this.#begin(nowMs);
  }

  /** Executions and reads that this executor has taken so far: credit for as many more. */
  executorTaken(generation: number, count: number): void {
    this.#handOver.taken(generation, count);
  }

  /** The entries that a transaction over several groups reads in this one. */
  fetched(group: GroupId, id: TxnId, entries: Uint8Array): void {
    const member = this.#groups.get(group);
    if (member === undefined) return;
    this.#groups.touch(member);
    member.replica.fetched(id, entries);
  }

  executorFlushed(flushed: readonly FlushedGroup[]): void {
    for (const { group, sequence } of flushed) {
      const member = this.#groups.get(group);
      if (member === undefined) continue;
      member.replica.flushed(sequence);
      if (!member.hasData) this.#haveData(member);
    }
    this.#touchBusy();
  }

  /** Every transaction that is applied here is in the engine. */
  isFlushed(group: GroupId): boolean {
    const member = this.#groups.get(group);
    if (!this.#begun || member?.hasData !== true) return false;
    const { sequence, flushedSequence } = member.replica.view;
    return sequence === flushedSequence;
  }

  /** Data of the group have come in, whose last change is of that time: `Place` follows. */
  findPlace(group: GroupId, at: Timestamp): void {
    const member = this.#groups.get(group);
    if (member !== undefined && !member.hasData) this.#placing.set(group, { member, at });
    this.#tellPlaces();
  }

  #tellPlaces(): void {
    for (const { member, at } of [...this.#placing.values()]) {
      const sequence = member.replica.placeOf(at);
      if (sequence === undefined) continue;
      this.#placing.delete(member.group.id);
      this.#effects.push({ type: 'Place', group: member.group.id, sequence });
    }
  }

  /** The executor has what the group began with: it needs all that was executed since. */
  #haveData(member: StoreGroup): void {
    member.hasData = true;
    const { group, replica } = member;
    for (const execution of replica.unflushed()) {
      this.#handOver.add(group.id, { type: 'Execute', execution });
    }
  }

  /** The executor needs nothing of a group: it has none of its data, and takes none any more. */
  executorGaveUp(group: GroupId): void {
    const member = this.#groups.get(group);
    if (member === undefined || member.hasData) return;
    this.#groups.touch(member);
    member.replica.voided();
  }

  /** Groups without data that this node has left, and all that follows them. */
  #giveUp(): void {
    for (const member of this.#groups.all()) {
      if (member.hasData || !this.#isLeft(member)) continue;
      this.#effects.push({ type: 'GiveUp', group: member.group });
    }
  }

  #isLeft({ replica }: StoreGroup): boolean {
    return (
      replica.ended?.successors.every((successor) => {
        const here = this.#groups.get(successor.id);
        return here === undefined
          ? !successor.members.includes(this.#options.self)
          : this.#isLeft(here);
      }) ?? false
    );
  }

  /** Once the log has been read, the executor says what it holds, and the clock may be used. */
  #begin(nowMs: number): void {
    const { clock, startedMs } = this.#options;
    if (!this.#replayed || this.#executor === undefined) return;
    if (!clock.mayBegin((nowMs - startedMs) * 1_000)) return;
    const { generation, flushed, lost } = this.#executor;
    if (this.#begun) {
      // Only the executor has restarted: it needs what its engine does not hold.
      this.executorFlushed(flushed);
      this.#handOver.begin(generation, this.#unflushed());
      return this.#giveUp();
    }
    this.#begun = true;
    clock.begin();
    this.#handOver.begin(generation, []);
    const sequences = new GroupMap(flushed.map(({ group, sequence }) => [group, sequence]));
    for (const { replica } of this.#groups.all()) {
      if (replica.joined !== undefined) this.#effects.push(replica.joined);
    }
    this.#loseData(lost);
    for (const member of this.#groups.all()) {
      // One that this loop has added has no past.
      if (member.isRestored) continue;
      member.hasData ||= sequences.has(member.group.id);
      // Where its parent has not ended in the engine yet, that does not know it, and begins it.
      const flushed = sequences.get(member.group.id) ?? (member.hasData ? 0 : undefined);
      this.#restored(member, flushed, nowMs);
      this.#tellEnd(member, nowMs);
    }
    this.#abandonJoined();
    this.#effects.push({ type: 'Truncate', fromLsn: this.#groups.neededLsn(new Map(), 0) });
    this.#reserve();
    this.#effects.push({ type: 'Began' });
    this.logPinned(this.#pinnedBelowLsn);
  }

  /** Their successors have nothing to begin with either, unless they were joined. */
  #loseData(groups: readonly GroupId[]): void {
    const lost = new GroupMap(groups.map((group) => [group, true]));
    for (const member of this.#groups.all()) {
      const { joined, ended } = member.replica;
      if (joined !== undefined || !lost.has(member.group.id)) continue;
      member.hasData = false;
      for (const { id } of ended?.successors ?? []) lost.set(id, true);
    }
  }

  #unflushed(): [GroupId, Handed][] {
    return [...this.#groups.all()].flatMap(({ group, replica, hasData }) =>
      (hasData ? replica.unflushed() : []).map((execution): [GroupId, Handed] => [
        group.id,
        { type: 'Execute', execution },
      ]),
    );
  }

  // ---- turns ------------------------------------------------------------------------------

  /** After the last message of a turn: what its messages have led to becomes effects. */
  closeTurn(nowMs: number): void {
    if (this.#halt !== undefined) return;
    const { clock, watch } = this.#options;
    if (this.#begun && !clock.covered) this.#reserve();
    this.#turnBytes = 0;
    for (const member of this.#groups.takeTouched()) {
      const effects = member.replica.takeEffects();
      if (this.#begun) watch?.turned(member.group.id, member.replica.view, effects);
      for (const effect of effects) this.#take(member, effect, nowMs);
    }
    const { append, replies } = this.#log.close(nowMs, (marks, lsn) =>
      this.#groups.neededLsn(marks, lsn),
    );
    if (append !== undefined) this.#effects.push(append);
    this.#send(replies);
    if (this.#ticked) this.#tellWatermarks();
    if (this.#log.hasRecords || !this.#syncAsked) return;
    this.#syncAsked = false;
    this.#effects.push({ type: 'Sync' });
  }

  /** After a tick, if anything has changed since the last one. */
  #tellWatermarks(): void {
    this.#ticked = false;
    const { unloggedBytes } = this.#log;
    if (!this.#groups.takeChanged() && unloggedBytes === this.#unloggedToldBytes) return;
    this.#unloggedToldBytes = unloggedBytes;
    this.#effects.push({ type: 'Watermarks', watermarks: this.watermarks() });
  }

  /** Once in the life of this store. */
  #tellEnd(member: StoreGroup, nowMs: number): void {
    const { ended } = member.replica;
    if (ended === undefined || member.isEndTold) return;
    member.isEndTold = true;
    this.#addSuccessors(member, nowMs);
    this.#effects.push({ ...ended, group: member.group.id });
    this.#giveUp();
  }

  #take(member: StoreGroup, effect: Effect, nowMs: number): void {
    const { replica } = member;
    const group = member.group.id;
    switch (effect.type) {
      case 'Reply':
        return this.#log.reply({ group, to: effect.to, message: effect.message });
      case 'Persist': {
        const { record, urgent } = effect;
        if (member.marksLsn === UNWRITTEN) member.marksLsn = this.#log.confirmedLsn;
        this.#log.add(encodeRecord(group, record), urgent);
        if ('id' in record) this.#log.open({ replica, id: record.id });
        return;
      }
      // The frequent ones are written out: a spread into a literal is a slow call.
      case 'Send': {
        const { to, message } = effect;
        this.#effects.push({ type: 'Send', group, to, message });
        return;
      }
      case 'Execute':
      case 'Read':
      case 'ReadAt':
        // Executions are found again when there are data; readers ask another member.
        if (member.hasData) this.#handOver.add(group, effect);
        return;
      case 'LogNeeded':
        return this.#log.rewritten(member, effect.fromLsn);
      case 'Ended':
        return this.#tellEnd(member, nowMs);
      default:
        this.#effects.push({ ...effect, group });
    }
  }

  /**
   * The log is held back below this LSN for the sake of this store. Groups that need none of it but
   * for their marks write these once more.
   */
  logPinned(belowLsn: number): void {
    // Before the log is read, the marks here are not those that it holds.
    if (!this.#begun) {
      this.#pinnedBelowLsn = belowLsn;
      return;
    }
    for (const member of this.#groups.all()) {
      const { replica, marksLsn } = member;
      if (marksLsn >= belowLsn || replica.oldestLsn <= marksLsn) continue;
      replica.repeatMarks();
      this.#groups.touch(member);
    }
  }

  /** The log holds all records of that turn, beginning with this LSN. */
  durable(token: number, firstLsn: number): void {
    const { replies, truncateFromLsn } = this.#log.durable(token, firstLsn);
    if (truncateFromLsn !== undefined) {
      this.#effects.push({ type: 'Truncate', fromLsn: truncateFromLsn });
    }
    this.#send(replies);
  }

  /** `Sync` follows when every execution handed to the executor is on its way to the log. */
  sync(): void {
    this.#syncAsked = true;
  }

  #send(replies: readonly Pick<SendEffect, 'group' | 'to' | 'message'>[]): void {
    for (const { group, to, message } of replies) {
      this.#effects.push({ type: 'Send', group, to, message });
    }
  }

  /** Keeps the clock's reservation ahead: messages may wait for it. */
  #reserve(): void {
    const limitUs = this.#options.clock.nextReservation();
    if (limitUs !== undefined) this.#effects.push({ type: 'Reserve', limitUs });
  }

  /** The node's log holds a limit of the clock, whichever store requested it. */
  clockLimit(limitUs: number): void {
    this.#options.clock.reservationDurable(limitUs);
    this.#effects.push({ type: 'Covered' });
  }

  // ---- time -------------------------------------------------------------------------------

  tick(nowMs: number): void {
    if (!this.#begun) return this.#begin(nowMs);
    const { clock, limits } = this.#options;
    if (!clock.isIdle) this.#reserve();
    const shedding = this.#log.unloggedBytes > limits.unloggedBytesMax;
    // A store that takes no messages of peers would only ask, again and again, for what it drops.
    const lags = shedding || this.#log.lags(nowMs);
    this.#groups.tick(nowMs, (replica) => this.#guard(() => replica.tick(nowMs, lags)));
    const watermarks = this.watermarks();
    this.#ticked = true;
    this.#tellPlaces();
    if (shedding !== this.#shedding) this.#effects.push({ type: 'Shedding', shedding });
    this.#shedding = shedding;
    const { retainedBytesMax, backlogBytesMax = retainedBytesMax } = limits;
    if (watermarks.retainedBytes > retainedBytesMax) this.#tellLaggards(nowMs);
    const full = watermarks.retainedBytes > backlogBytesMax;
    // Repeated while it lasts: the coordinator may have restarted in between.
    if (full || this.#backlogged) this.#effects.push({ type: 'Backlog', full });
    this.#backlogged = full;
  }

  /** Of the groups that keep a good part of it, or that follow those. */
  #tellLaggards(nowMs: number): void {
    if (nowMs < this.#laggardsMs) return;
    this.#laggardsMs = nowMs + LAGGARDS_EVERY_MS;
    const all = [...this.#groups.all()];
    const shareMin = this.#options.limits.retainedBytesMax / (2 * all.length);
    const members = all.flatMap((member) => {
      const { retainedBytes } = member.replica.view;
      const laggards = retainedBytes < shareMin ? [] : member.replica.laggards;
      if (laggards.length === 0) return [];
      return this.#openFrom(member).flatMap(({ group }) => {
        const its = laggards.filter((node) => group.bit(node) !== 0);
        return its.map((node) => ({ group: group.id, node }));
      });
    });
    if (members.length > 0) this.#effects.push({ type: 'Lagging', members });
  }

  /** This group, or those here that follow it. */
  #openFrom(member: StoreGroup): readonly StoreGroup[] {
    const { ended } = member.replica;
    if (ended === undefined) return [member];
    return ended.successors.flatMap(({ id }) => {
      const successor = this.#groups.get(id);
      return successor === undefined ? [] : this.#openFrom(successor);
    });
  }

  // ---- for observers ----------------------------------------------------------------------

  watermarks(): Watermarks {
    return { ...this.#groups.sums(), unloggedBytes: this.#log.unloggedBytes };
  }

  describe(): Readonly<Record<string, unknown>> {
    return {
      ...this.watermarks(),
      groups: [...this.#groups.all()].map(({ group, replica, marksLsn }) => ({
        ...group.id,
        marksLsn,
        oldestLsn: replica.oldestLsn,
        machine: group.machine,
        slots: [group.fromSlot, group.toSlot],
        ...replica.view.sizes,
      })),
      turnsNotDurable: this.#log.turns,
      notHandedOver: this.#handOver.waiting,
      strays: this.#strays,
    };
  }
}

/** The floor of what follows a Close that was executed then. */
function above({ hlc }: Timestamp): Timestamp {
  return boundAt(hlc + 1);
}

/** Of a group that was joined: it has forgotten what followed its beginning. */
function hadData({ joined, ended, view }: Replica): boolean {
  if (joined === undefined || ended !== undefined) return false;
  return compare(view.durableBefore, above(joined.floor)) > 0;
}

type SendEffect = Extract<StoreEffect, { readonly type: 'Send' }>;
