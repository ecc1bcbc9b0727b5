/**
 * A cluster of pure replicas and coordinators under one seed: loss, repetition, reordering, stalls,
 * slow disks, crashes with loss of unsynced log records, restarts with clocks that go back. No
 * actors and no files: thousands of schedules a minute. A violation is a bug of the protocol.
 */
import type { Execution } from '../../../actors/accord/local/effects.ts';
import type { JournalRecord } from '../../../actors/accord/local/journal.ts';
import type { ReplicaMessage } from '../../../actors/accord/local/replica.ts';
import { isForCoordinator } from '../../../actors/accord/messages/messages.ts';
import { MessageValidator } from '../../../actors/accord/messages/validation.ts';
import {
  encodeParticipants,
  meets,
  type Participants,
  participantsOf,
  WHOLE_STORE,
} from '../../../actors/accord/primitives/participants.ts';
import { Status } from '../../../actors/accord/primitives/status.ts';
import { compare, keyOf, type TxnId } from '../../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../../actors/accord/topology/group.ts';
import { EventQueue } from './event-queue.ts';
import { firstGroup } from './first-group.ts';
import type { Knobs } from './knobs.ts';
import { ProtocolInvariants, ProtocolViolation } from './protocol-invariants.ts';
import { EVERY_SLOT, SimulatedNode, share } from './simulated-node.ts';

/** mulberry32: small, fast, good enough to choose schedules. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

interface ClientOperation {
  readonly id: TxnId;
  readonly key: string;
  readonly slots: readonly number[];
  readonly startedMs: number;
  endedMs: number | undefined;
  refused: boolean;
}

interface ReadOperation {
  readonly node: number;
  readonly slots: readonly number[];
  readonly startedMs: number;
  /** Transactions applied at the reader when the read was served. */
  seen: ReadonlySet<string> | undefined;
  endedMs: number | undefined;
}

/** After the chaos everything must be decided within this time. */
const SETTLE_MS = 30_000;
/** Within this time what is settled must be forgotten, where the knobs ask for it. */
const FORGET_MS = 40_000;
/** Recoverers give way to each other: far more ballots than this for one transaction is a storm. */
const BALLOTS_MAX = 150;
const TICK_MS = 40;

export class ProtocolCluster {
  readonly group: Group;
  readonly invariants: ProtocolInvariants;
  readonly nodes = new Map<number, SimulatedNode>();
  readonly operations = new Map<string, ClientOperation>();
  readonly reads: ReadOperation[] = [];
  readonly counts: Record<string, number> = {};
  readonly knobs: Knobs;
  readonly random: () => number;
  chaos = true;
  readonly #queue = new EventQueue(1_000);
  #readToken = 0;
  /** By receiver: every message of a sound node passes. */
  readonly #validators = new Map<number, MessageValidator>();
  readonly #readsByToken = new Map<string, ReadOperation>();
  readonly #stalledUntil = new Map<string, number>();

  constructor(seed: number, knobs: Knobs) {
    this.knobs = knobs;
    this.random = seeded(seed);
    const members = Array.from({ length: knobs.nodes }, (_, index) => index + 1);
    this.group = new Group(firstGroup(members, members.slice(0, knobs.electorate)));
    this.invariants = new ProtocolInvariants(this.group);
    for (const id of members) {
      const skewUs = Math.round((this.random() - 0.5) * 2_000 * knobs.skewMs);
      const node = new SimulatedNode(id, skewUs);
      this.nodes.set(id, node);
      const { group } = this;
      const nowUs = (): number => node.clock.presentUs;
      const validator = new MessageValidator({ self: id, group, nowUs, isBody: () => true });
      this.#validators.set(id, validator);
      this.#start(node);
    }
  }

  get nowMs(): number {
    return this.#queue.nowMs;
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  // ---- nodes ------------------------------------------------------------------------------

  #start(node: SimulatedNode): void {
    node.start(this.group, () => this.nowMs, this.random, this.knobs);
    this.#reserve(node);
    // The reservation is synced before anything is said.
    node.durableLsn = node.lsn;
    this.invariants.restarted(node.replica);
    this.#perform(node);
    this.#tick(node, node.incarnation);
  }

  #reserve(node: SimulatedNode): void {
    const limitUs = node.clock.nextReservation();
    if (limitUs === undefined) return;
    const lsn = node.appendLimit(limitUs);
    const { incarnation } = node;
    const durable = (): void => {
      if (!node.up || node.incarnation !== incarnation) return;
      if (node.durableLsn < lsn) return this.#queue.after(1, durable);
      node.clock.reservationDurable(limitUs);
      const { held } = node;
      node.held = [];
      for (const { to, message } of held) this.#leave(node, to, message);
    };
    this.#sync(node);
    this.#queue.after(0.2, durable);
  }

  #tick(node: SimulatedNode, incarnation: number): void {
    if (!node.up || node.incarnation !== incarnation) return;
    this.#reserve(node);
    node.replica.tick(this.nowMs);
    node.coordinator.tick(this.nowMs);
    if (this.random() < this.knobs.flushRate) node.flush();
    if (this.chaos && this.random() < this.knobs.meddleRate) this.#meddle(node);
    this.#perform(node);
    this.#queue.after(TICK_MS * (0.5 + this.random()), () => this.#tick(node, incarnation));
  }

  /** Recovers what may well be under way. */
  #meddle(node: SimulatedNode): void {
    const open = [...this.operations.values()].slice(-6);
    const operation = open[Math.floor(this.random() * open.length)];
    if (operation === undefined || !node.clock.covered) return;
    const command = node.replica.view.find(operation.id);
    if (command !== undefined && command.status >= Status.Stable) return;
    if (command === undefined && node.replica.view.isRedundant(operation.id)) return;
    const definition = command?.definition && {
      slots: encodeParticipants(command.definition.participants),
      body: command.definition.body,
    };
    this.#count('meddle');
    node.coordinator.recover(operation.id, definition, this.nowMs);
  }

  crash(node: SimulatedNode): void {
    if (!node.up) return;
    this.#count('crash');
    node.cut(this.random());
    for (const peer of this.nodes.values()) {
      if (peer === node || !peer.up) continue;
      peer.coordinator.peerDown(node.id, this.nowMs);
      peer.replica.peerDown(node.id, this.nowMs);
      this.#perform(peer);
    }
  }

  restart(node: SimulatedNode): void {
    if (node.up) return;
    node.skewUs -= Math.round(1_000 * this.knobs.stepBackMs * this.random());
    this.#start(node);
    for (const peer of this.nodes.values()) {
      if (peer === node) continue;
      if (!peer.up) {
        node.coordinator.peerDown(peer.id, this.nowMs);
        node.replica.peerDown(peer.id, this.nowMs);
        continue;
      }
      peer.coordinator.peerUp(node.id);
      peer.replica.peerUp(node.id);
      node.replica.peerUp(peer.id);
      this.#perform(peer);
    }
    this.#perform(node);
  }

  // ---- effects ----------------------------------------------------------------------------

  /**
   * Performs effects until none is left; returns through the queue for everything that takes time.
   */
  #perform(node: SimulatedNode): void {
    for (;;) {
      const coordinated = node.coordinator.takeEffects();
      const replicated = node.replica.takeEffects();
      if (coordinated.length + replicated.length === 0) return;
      const turnLsn = node.lsn + 1;
      for (const effect of coordinated) {
        if (!node.up) return;
        if (effect.type === 'Send') this.#leave(node, effect.to, effect.message);
        else if (effect.type === 'Concluded') this.#count(`recovery: ${effect.conclusion}`);
        else {
          this.#count(effect.path);
          this.invariants.decided(effect.id, effect.path);
        }
      }
      for (const effect of replicated) {
        if (!node.up) return;
        switch (effect.type) {
          case 'Send':
            this.#leave(node, effect.to, effect.message);
            break;
          case 'Reply':
            this.invariants.answers(node.replica, effect.message);
            node.gated.push({ lsn: node.lsn, to: effect.to, message: effect.message });
            this.#release(node);
            break;
          case 'Persist':
            this.#persist(node, effect.record);
            break;
          case 'Execute':
            this.#execute(node, effect.execution);
            break;
          case 'Read':
            this.#readDone(node, effect.token);
            break;
          case 'Refused': {
            const operation = this.operations.get(keyOf(effect.id));
            if (operation !== undefined) operation.refused = true;
            break;
          }
          case 'Recover':
            this.#count('recover');
            node.coordinator.recover(effect.id, effect.definition, this.nowMs);
            break;
          case 'LogNeeded':
            this.#count('forget');
            node.cutLog(Math.min(effect.fromLsn, turnLsn));
            this.#mayCrashAfterCut(node);
            break;
          case 'Trace':
            break;
          case 'ReadAt':
            throw new ProtocolViolation('there is one group only');
          case 'Ended':
          case 'Moved':
          case 'ReadMoved':
            throw new ProtocolViolation('the group never ends');
          case 'Contradicted':
            throw new ProtocolViolation(`node ${node.id}: ${effect.reason}`);
        }
      }
    }
  }

  #persist(node: SimulatedNode, record: JournalRecord): void {
    node.persist(record);
    this.#sync(node);
    if (record.type === 'RedundantBefore') this.invariants.redundantUpTo(record.before);
    if (!('id' in record)) return;
    if (record.type === 'Stable') {
      const applied = new Set(node.applied.map(({ id }) => keyOf(id)));
      this.invariants.becameStable(node.replica, record.id, applied);
    }
    this.invariants.stepped(node.replica, record.id);
  }

  #sync(node: SimulatedNode): void {
    if (node.syncing) return;
    node.syncing = true;
    const { incarnation } = node;
    const upTo = node.lsn;
    const { syncMsMax, syncStallRate, syncStallMsMax } = this.knobs;
    const stalls = this.chaos && this.random() < syncStallRate;
    this.#queue.after(0.2 + (stalls ? syncStallMsMax : syncMsMax) * this.random(), () => {
      if (!node.up || node.incarnation !== incarnation) return;
      node.syncing = false;
      node.durableLsn = Math.max(upTo, node.durableLsn);
      this.#release(node);
      if (node.lsn > node.durableLsn) this.#sync(node);
      this.#perform(node);
    });
  }

  #release(node: SimulatedNode): void {
    for (const { to, message } of node.takeDurable()) this.#leave(node, to, message);
  }

  // ---- the network ------------------------------------------------------------------------

  #leave(from: SimulatedNode, to: number, message: ReplicaMessage): void {
    if (to !== from.id && !from.clock.covered) {
      from.held.push({ to, message });
      return;
    }
    this.invariants.left(from.id, message);
    const { lossRate, duplicateRate, crashRate } = this.knobs;
    if (to === from.id) return this.#deliver(from, to, message, 0.01);
    const defect = this.#validators.get(to)?.judge(from.id, message);
    if (defect !== undefined) {
      throw new ProtocolViolation(`${message.type} of node ${from.id} would be refused: ${defect}`);
    }
    const lost = this.chaos && this.random() < lossRate;
    if (!lost) this.#deliver(from, to, message, this.#delay(from.id, to));
    if (this.chaos && this.random() < duplicateRate) {
      const later = this.#delay(from.id, to) + this.random() * this.knobs.replayMsMax;
      this.#deliver(from, to, message, later);
    }
    // A crash right after a send is where recovery bugs live.
    if (this.chaos && this.random() < crashRate) this.#crashSoon(from);
  }

  #delay(from: number, to: number): number {
    const delay = 0.1 + 2 * this.random();
    if (!this.chaos) return delay;
    const link = `${from}>${to}`;
    if (this.random() < this.knobs.stallRate) {
      this.#stalledUntil.set(link, this.nowMs + this.knobs.stallMsMax * this.random() ** 2);
    }
    const stalled = Math.max(0, (this.#stalledUntil.get(link) ?? 0) - this.nowMs);
    return delay + stalled * this.random();
  }

  /** A loss of the log shows only when it is read. */
  #mayCrashAfterCut(node: SimulatedNode): void {
    const { cutCrashRate, syncMsMax } = this.knobs;
    if (!this.chaos || cutCrashRate === 0 || this.random() >= cutCrashRate) return;
    this.#queue.after(10 * syncMsMax * this.random(), () => this.#crashSoon(node));
  }

  #crashSoon(node: SimulatedNode): void {
    const down = [...this.nodes.values()].filter((other) => !other.up).length;
    if (down >= this.group.quorums.failures || !node.up) return;
    this.crash(node);
    this.#queue.after(10 + this.knobs.downMsMax * this.random(), () => this.restart(node));
  }

  #deliver(from: SimulatedNode, to: number, message: ReplicaMessage, delayMs: number): void {
    const target = this.nodes.get(to);
    if (target === undefined) return;
    // Inside a node nothing outlives the incarnation.
    const incarnation = from === target ? target.incarnation : undefined;
    this.#queue.after(delayMs, () => {
      if (!target.up || (incarnation !== undefined && incarnation !== target.incarnation)) return;
      if (isForCoordinator(message)) target.coordinator.handle(from.id, message, this.nowMs);
      else target.replica.handle(from.id, message, this.nowMs);
      this.#perform(target);
    });
  }

  // ---- executions -------------------------------------------------------------------------

  #execute(node: SimulatedNode, execution: Execution): void {
    const key = keyOf(execution.id);
    const known = this.invariants.decidedAt(key);
    if (known !== undefined && compare(known, execution.executeAt) !== 0) {
      throw new ProtocolViolation(`${key} executes at two times`);
    }
    this.invariants.executed(node.replica, execution);
    node.execute(execution);
    const operation = this.operations.get(key);
    if (operation !== undefined && execution.id.node === node.id) operation.endedMs ??= this.nowMs;
    if (operation?.refused === true) {
      throw new ProtocolViolation(`${key} was refused, but executes`);
    }
  }

  #readDone(node: SimulatedNode, token: number): void {
    const read = this.#readsByToken.get(`${node.id}/${node.incarnation}/${token}`);
    if (read === undefined || read.endedMs !== undefined) return;
    read.seen = new Set(node.applied.map(({ id }) => keyOf(id)));
    read.endedMs = this.nowMs;
    this.#count('read');
  }

  // ---- load -------------------------------------------------------------------------------

  /** Begins a write at a node; slots are chosen from a few, so that they meet. */
  write(node: SimulatedNode): void {
    const whole = this.random() < this.knobs.wholeStoreRate;
    const slots = whole ? [EVERY_SLOT] : this.#chooseSlots();
    const participants: Participants = whole ? WHOLE_STORE : participantsOf(slots);
    const id = node.coordinator.coordinate(participants, Uint8Array.from(slots), this.nowMs);
    this.invariants.minted(id);
    const key = keyOf(id);
    const started = { startedMs: this.nowMs, endedMs: undefined, refused: false };
    this.operations.set(key, { id, key, slots, ...started });
    this.#perform(node);
  }

  read(node: SimulatedNode): void {
    const slots = [Math.floor(this.random() * this.knobs.slots)];
    this.#readToken += 1;
    const token = this.#readToken;
    const started = { startedMs: this.nowMs, seen: undefined, endedMs: undefined };
    const read: ReadOperation = { node: node.id, slots, ...started };
    this.reads.push(read);
    this.#readsByToken.set(`${node.id}/${node.incarnation}/${token}`, read);
    const encoded = encodeParticipants(participantsOf(slots));
    node.replica.handle(node.id, { type: 'BeginRead', token, slots: encoded }, this.nowMs);
    this.#perform(node);
  }

  #chooseSlots(): number[] {
    const count = 1 + Math.floor(this.random() * this.knobs.slotsPerTransaction);
    const slots = new Set<number>();
    while (slots.size < Math.min(count, this.knobs.slots)) {
      slots.add(Math.floor(this.random() * this.knobs.slots));
    }
    return [...slots];
  }

  /** The whole life of one run: chaos with load, then quiet, then all checks. */
  live(): void {
    const { knobs } = this;
    for (let count = 0; count < knobs.transactions; count += 1) {
      const gaps = Math.floor(count / knobs.burst) * knobs.burstGapMs;
      this.#queue.after(20 + gaps * this.random() + 3 * this.random(), () => this.#operate());
    }
    this.#queue.runUntil(this.nowMs + knobs.chaosMs);
    this.chaos = false;
    for (const node of this.nodes.values()) this.restart(node);
    const until = this.nowMs + SETTLE_MS;
    do this.#queue.runUntil(this.nowMs + 400);
    while (!this.#quiet() && this.nowMs < until);
    this.check();
    if (knobs.forgets) this.#checkForgotten();
  }

  #operate(): void {
    const up = [...this.nodes.values()].filter((node) => node.up);
    const node = up[Math.floor(this.random() * up.length)];
    if (node === undefined) return;
    if (this.random() < this.knobs.readRate) this.read(node);
    else this.write(node);
  }

  #quiet(): boolean {
    const [first, ...rest] = [...this.nodes.values()];
    const length = first?.applied.length;
    if (first === undefined || first.replica.view.unapplied.size > 0) return false;
    return rest.every(
      (node) => node.replica.view.unapplied.size === 0 && node.applied.length === length,
    );
  }

  // ---- verdict ----------------------------------------------------------------------------

  check(): void {
    this.#checkDecided();
    const ballots = this.invariants.ballotsOfOne;
    if (ballots > BALLOTS_MAX) throw new ProtocolViolation(`${ballots} ballots for a transaction`);
    this.invariants.checkDependencies(
      (a, b) => a !== undefined && b !== undefined && meets(a.participants, b.participants),
    );
    this.#checkRealTime();
    this.#checkReads();
  }

  /** Nothing grows without bound: what is over is forgotten, everywhere and soon. */
  #checkForgotten(): void {
    const until = this.nowMs + FORGET_MS;
    const left = (): boolean =>
      [...this.nodes.values()].some(({ replica }) => replica.view.commands.size > 0);
    while (left() && this.nowMs < until) this.#queue.runUntil(this.nowMs + 500);
    for (const { id, replica } of this.nodes.values()) {
      const { size } = replica.view.commands;
      if (size > 0) throw new ProtocolViolation(`node ${id} still remembers ${size} transactions`);
    }
  }

  #checkDecided(): void {
    const views = [...this.nodes.values()].map((node) => ({
      node,
      applied: new Set(node.applied.map(({ id }) => keyOf(id))),
    }));
    for (const { node, applied } of views) {
      for (const command of node.replica.view.unapplied) {
        throw new ProtocolViolation(
          `I18: node ${node.id}: ${command.key} is still undecided (status ${command.status}, ` +
            `promised ${keyOf(command.promised)}, waiting on ${command.waitingOn})`,
        );
      }
      for (const key of applied) {
        for (const other of views) {
          if (!other.applied.has(key)) {
            throw new ProtocolViolation(
              `${key} is applied at node ${node.id} and not at node ${other.node.id}`,
            );
          }
        }
      }
    }
  }

  /** Acknowledged before another began, on a common slot: executes before it. */
  #checkRealTime(): void {
    const done = [...this.operations.values()].flatMap((operation) => {
      const at = this.invariants.decidedAt(operation.key);
      return at === undefined ? [] : [{ ...operation, at }];
    });
    for (const a of done) {
      for (const b of done) {
        if (a.endedMs === undefined || a.endedMs >= b.startedMs) continue;
        if (share(a.slots, b.slots) && compare(a.at, b.at) > 0) {
          throw new ProtocolViolation(`${b.key} executes before ${a.key}, acknowledged earlier`);
        }
      }
    }
  }

  /** A read sees every write on its slots that was acknowledged, or seen by a read, before it. */
  #checkReads(): void {
    const touches = (key: string, slots: readonly number[]): boolean =>
      share(this.operations.get(key)?.slots ?? [], slots);
    for (const read of this.reads) {
      if (read.seen === undefined) continue;
      for (const { key, endedMs } of this.operations.values()) {
        if (endedMs === undefined || endedMs >= read.startedMs) continue;
        if (touches(key, read.slots) && !read.seen.has(key)) {
          throw new ProtocolViolation(`a read at node ${read.node} misses ${key}`);
        }
      }
      for (const earlier of this.reads) {
        if (earlier.endedMs === undefined || earlier.endedMs >= read.startedMs) continue;
        if (!share(earlier.slots, read.slots)) continue;
        for (const key of earlier.seen ?? []) {
          if (touches(key, read.slots) && !read.seen.has(key)) {
            throw new ProtocolViolation(`a read at node ${read.node} misses ${key}, read before`);
          }
        }
      }
    }
  }
}
