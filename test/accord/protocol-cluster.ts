/**
 * A cluster of pure replicas and coordinators under one seed: loss, repetition, reordering, stalls,
 * crashes with loss of unsynced log records, restarts. No actors and no files: thousands of
 * schedules a minute. What it finds is the protocol's own fault.
 */
import { Coordinator } from '../../actors/accord/coordinator.ts';
import type { Execution } from '../../actors/accord/effects.ts';
import { encodeFootprint, footprintOf } from '../../actors/accord/footprint.ts';
import { HybridClock } from '../../actors/accord/hybrid-clock.ts';
import { decodeRecord, encodeRecord, type JournalRecord } from '../../actors/accord/journal.ts';
import type { AccordMessage } from '../../actors/accord/messages.ts';
import { isForCoordinator } from '../../actors/accord/messages.ts';
import { Replica, type ReplicaMessage } from '../../actors/accord/replica.ts';
import { compare, keyOf, type Timestamp } from '../../actors/accord/timestamp.ts';
import { Topology } from '../../actors/accord/topology.ts';

export interface Knobs {
  readonly nodes: number;
  readonly electorate: number;
  readonly slots: number;
  readonly slotsPerTransaction: number;
  readonly transactions: number;
  readonly lossRate: number;
  readonly duplicateRate: number;
  readonly stallRate: number;
  readonly stallMsMax: number;
  readonly crashRate: number;
  readonly readRate: number;
  readonly skewMs: number;
}

export const STANDARD: Knobs = {
  nodes: 3,
  electorate: 3,
  slots: 3,
  slotsPerTransaction: 2,
  transactions: 24,
  lossRate: 0.05,
  duplicateRate: 0.05,
  stallRate: 0.05,
  stallMsMax: 3_000,
  crashRate: 0.02,
  readRate: 0.3,
  skewMs: 5,
};

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

interface LoggedRecord {
  readonly lsn: number;
  readonly type: number;
  readonly payload: Uint8Array;
}

export interface ClientOperation {
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

export class ProtocolViolation extends Error {}

class SimulatedNode {
  replica!: Replica;
  coordinator!: Coordinator;
  clock!: HybridClock;
  up = false;
  incarnation = 0;
  records: LoggedRecord[] = [];
  lsn = 0;
  durableLsn = 0;
  syncing = false;
  gated: Array<{ lsn: number; to: number; message: AccordMessage }> = [];
  applied: Execution[] = [];
  /** What the engine holds: survives a crash. */
  flushed: Execution[] = [];
  readonly skewUs: number;
  readonly id: number;

  constructor(id: number, skewUs: number) {
    this.id = id;
    this.skewUs = skewUs;
  }
}

export class ProtocolCluster {
  readonly topology: Topology;
  readonly nodes = new Map<number, SimulatedNode>();
  readonly operations = new Map<string, ClientOperation>();
  readonly reads: ReadOperation[] = [];
  readonly counts: Record<string, number> = {};
  readonly knobs: Knobs;
  readonly random: () => number;
  nowMs = 1_000;
  chaos = true;
  /** Observer of every effect, for invariants. */
  #queue: Array<{ at: number; order: number; run: () => void }> = [];
  #order = 0;
  #readToken = 0;
  readonly #readsByToken = new Map<string, ReadOperation>();
  readonly #decided = new Map<string, Timestamp>();
  readonly #stalledUntil = new Map<string, number>();
  readonly #minted = new Set<string>();

  constructor(seed: number, knobs: Knobs) {
    this.knobs = knobs;
    this.random = seeded(seed);
    const members = Array.from({ length: knobs.nodes }, (_, index) => index + 1);
    this.topology = new Topology(1, members, members.slice(0, knobs.electorate));
    for (const id of members) {
      const skewUs = Math.round((this.random() - 0.5) * 2_000 * knobs.skewMs);
      const node = new SimulatedNode(id, skewUs);
      this.nodes.set(id, node);
      this.#start(node);
    }
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  at(delayMs: number, run: () => void): void {
    this.#order += 1;
    const event = { at: this.nowMs + delayMs, order: this.#order, run };
    // Binary heap by (at, order).
    const heap = this.#queue;
    heap.push(event);
    let child = heap.length - 1;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      if (!before(heap[child], heap[parent])) break;
      [heap[child], heap[parent]] = [heap[parent] as never, heap[child] as never];
      child = parent;
    }
  }

  #next(): (() => void) | undefined {
    const heap = this.#queue;
    const top = heap[0];
    if (top === undefined) return undefined;
    const last = heap.pop();
    if (heap.length > 0 && last !== undefined) {
      heap[0] = last;
      let parent = 0;
      for (;;) {
        let least = parent;
        for (const child of [2 * parent + 1, 2 * parent + 2]) {
          if (child < heap.length && before(heap[child], heap[least])) least = child;
        }
        if (least === parent) break;
        [heap[least], heap[parent]] = [heap[parent] as never, heap[least] as never];
        parent = least;
      }
    }
    this.nowMs = top.at;
    return top.run;
  }

  run(untilMs: number): void {
    while ((this.#queue[0]?.at ?? Infinity) <= untilMs) this.#next()?.();
    this.nowMs = untilMs;
  }

  #start(node: SimulatedNode): void {
    node.incarnation += 1;
    node.up = true;
    const { topology, random } = this;
    const nowUs = () => Math.round(this.nowMs * 1_000) + node.skewUs + 1_700_000_000_000_000;
    const clock = new HybridClock({ node: node.id, epoch: 1, nowUs, reserveUs: 3_000_000 });
    node.clock = clock;
    node.replica = new Replica({ self: node.id, topology, clock, random });
    node.coordinator = new Coordinator({ self: node.id, topology, clock });
    node.gated = [];
    node.syncing = false;
    node.applied = [...node.flushed];
    for (const { type, payload, lsn } of node.records) {
      node.replica.restore(decodeRecord(type, payload), lsn);
    }
    node.lsn = node.records.at(-1)?.lsn ?? 0;
    node.durableLsn = node.lsn;
    node.replica.restored(node.flushed.at(-1)?.sequence ?? 0, this.nowMs);
    this.#reserve(node);
    // The reservation is synced before anything is said.
    node.durableLsn = node.lsn;
    this.#perform(node);
    this.#tick(node, node.incarnation);
  }

  #reserve(node: SimulatedNode): void {
    const limitUs = node.clock.nextReservation();
    if (limitUs === undefined) return;
    const lsn = this.#append(node, { type: 'ClockLimit', limitUs });
    const { incarnation } = node;
    this.at(this.random() * 3, () => {
      if (!node.up || node.incarnation !== incarnation) return;
      this.#synced(node, lsn);
      node.clock.reservationDurable(limitUs);
    });
  }

  #append(node: SimulatedNode, record: JournalRecord): number {
    const { type, parts } = encodeRecord(record);
    const payload = Buffer.concat(parts);
    node.lsn += 1;
    node.records.push({ lsn: node.lsn, type, payload });
    return node.lsn;
  }

  #tick(node: SimulatedNode, incarnation: number): void {
    if (!node.up || node.incarnation !== incarnation) return;
    this.#reserve(node);
    node.replica.tick(this.nowMs);
    node.coordinator.tick(this.nowMs);
    if (this.random() < 0.05) this.#flush(node);
    this.#perform(node);
    this.at(40 + 20 * this.random(), () => this.#tick(node, incarnation));
  }

  /** The engine takes what has been applied, as far as the log knows the order durably. */
  #flush(node: SimulatedNode): void {
    const durable = new Set<number>();
    for (const { lsn, type, payload } of node.records) {
      if (lsn > node.durableLsn || type !== 8) continue;
      const record = decodeRecord(type, payload);
      if (record.type === 'Applied') durable.add(record.sequence);
    }
    const from = node.flushed.length;
    for (let at = from; at < node.applied.length; at += 1) {
      const execution = node.applied[at] as Execution;
      if (!durable.has(execution.sequence)) break;
      node.flushed.push(execution);
    }
    node.replica.state.flushedSequence = node.flushed.at(-1)?.sequence ?? 0;
  }

  crash(node: SimulatedNode): void {
    if (!node.up) return;
    this.#count('crash');
    node.up = false;
    // A random part of what was not synced survives.
    const kept = node.durableLsn + Math.floor(this.random() * (node.lsn - node.durableLsn + 1));
    node.records = node.records.filter(({ lsn }) => lsn <= kept);
    for (const peer of this.nodes.values()) {
      if (peer === node || !peer.up) continue;
      peer.coordinator.peerDown(node.id, this.nowMs);
      peer.replica.progress.peerDown(node.id, this.nowMs);
      peer.replica.settlement.peerDown(node.id);
      this.#perform(peer);
    }
  }

  restart(node: SimulatedNode): void {
    if (node.up) return;
    this.#start(node);
    for (const peer of this.nodes.values()) {
      if (peer === node) continue;
      if (!peer.up) {
        node.coordinator.peerDown(peer.id, this.nowMs);
        node.replica.settlement.peerDown(peer.id);
        continue;
      }
      peer.coordinator.peerUp(node.id);
      peer.replica.settlement.peerUp(node.id);
      node.replica.settlement.peerUp(peer.id);
      this.#perform(peer);
    }
    this.#perform(node);
  }

  /** Performs effects until none is left; returns through the queue for everything that takes time. */
  #perform(node: SimulatedNode): void {
    for (;;) {
      const coordinated = node.coordinator.takeEffects();
      const replicated = node.replica.takeEffects();
      if (coordinated.length + replicated.length === 0) return;
      for (const effect of coordinated) {
        if (!node.up) return;
        if (effect.type === 'Send') this.#send(node, effect.to, effect.message);
        else this.#count(effect.path);
      }
      for (const effect of replicated) {
        if (!node.up) return;
        switch (effect.type) {
          case 'Send':
            this.#send(node, effect.to, effect.message);
            break;
          case 'Reply':
            node.gated.push({ lsn: node.lsn, to: effect.to, message: effect.message });
            this.#release(node);
            break;
          case 'Persist': {
            const lsn = this.#append(node, effect.record);
            if (!('before' in effect.record) && 'id' in effect.record) {
              const command = node.replica.state.find(effect.record.id);
              if (command !== undefined && command.firstLsn === 0) command.firstLsn = lsn;
            }
            this.#sync(node);
            break;
          }
          case 'Execute':
            this.#execute(node, effect.execution);
            break;
          case 'Read': {
            const read = this.#readsByToken.get(`${node.id}/${node.incarnation}/${effect.token}`);
            if (read === undefined || read.endedMs !== undefined) break;
            read.seen = new Set(node.applied.map(({ id }) => keyOf(id)));
            read.endedMs = this.nowMs;
            this.#count('read');
            break;
          }
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
            break;
          case 'Trace':
            break;
          case 'Halt':
            throw new ProtocolViolation(`node ${node.id}: ${effect.reason}`);
        }
      }
    }
  }

  #sync(node: SimulatedNode): void {
    if (node.syncing) return;
    node.syncing = true;
    const { incarnation } = node;
    const upTo = node.lsn;
    this.at(0.2 + 2 * this.random(), () => {
      if (!node.up || node.incarnation !== incarnation) return;
      node.syncing = false;
      this.#synced(node, Math.max(upTo, node.durableLsn));
      if (node.lsn > node.durableLsn) this.#sync(node);
      this.#perform(node);
    });
  }

  #synced(node: SimulatedNode, lsn: number): void {
    node.durableLsn = Math.max(node.durableLsn, lsn);
    this.#release(node);
  }

  #release(node: SimulatedNode): void {
    while ((node.gated[0]?.lsn ?? Infinity) <= node.durableLsn) {
      const reply = node.gated.shift();
      if (reply !== undefined) this.#send(node, reply.to, reply.message);
    }
  }

  #send(from: SimulatedNode, to: number, message: ReplicaMessage): void {
    const local = to === from.id;
    if (!local && this.chaos && this.random() < this.knobs.lossRate) return;
    const copies = !local && this.chaos && this.random() < this.knobs.duplicateRate ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) this.#deliver(from, to, message);
    // A crash right after a send is where recovery bugs live.
    if (!local && this.chaos && this.random() < this.knobs.crashRate) this.#crashSoon(from);
  }

  #crashSoon(node: SimulatedNode): void {
    const down = [...this.nodes.values()].filter((other) => !other.up).length;
    if (down >= this.topology.quorums.failures || !node.up) return;
    this.crash(node);
    this.at(50 + 3_000 * this.random(), () => this.restart(node));
  }

  #deliver(from: SimulatedNode, to: number, message: ReplicaMessage): void {
    const target = this.nodes.get(to);
    if (target === undefined) return;
    const link = `${from.id}>${to}`;
    let delay = from.id === to ? 0.01 : 0.1 + 2 * this.random();
    if (this.chaos && from.id !== to) {
      if (this.random() < this.knobs.stallRate) {
        this.#stalledUntil.set(link, this.nowMs + this.knobs.stallMsMax * this.random() ** 2);
      }
      delay += Math.max(0, (this.#stalledUntil.get(link) ?? 0) - this.nowMs) * this.random();
    }
    const { incarnation } = from.id === to ? target : { incarnation: undefined };
    this.at(delay, () => {
      if (!target.up || (incarnation !== undefined && incarnation !== target.incarnation)) return;
      if (isForCoordinator(message)) target.coordinator.handle(from.id, message, this.nowMs);
      else target.replica.handle(from.id, message, this.nowMs);
      this.#perform(target);
    });
  }

  #execute(node: SimulatedNode, execution: Execution): void {
    const key = keyOf(execution.id);
    const known = this.#decided.get(key);
    if (known !== undefined && compare(known, execution.executeAt) !== 0) {
      throw new ProtocolViolation(`${key} executes at two times`);
    }
    this.#decided.set(key, execution.executeAt);
    const expected = (node.applied.at(-1)?.sequence ?? 0) + 1;
    if (execution.sequence !== expected) {
      throw new ProtocolViolation(
        `node ${node.id}: sequence ${execution.sequence}, not ${expected}`,
      );
    }
    const slots = slotsOf(execution);
    for (const earlier of node.applied) {
      if (keyOf(earlier.id) === key) throw new ProtocolViolation(`${key} applied twice`);
      const conflict = slotsOf(earlier).some((slot) => slots.includes(slot));
      if (conflict && compare(earlier.executeAt, execution.executeAt) > 0) {
        throw new ProtocolViolation(
          `node ${node.id} applies ${key} after ${keyOf(earlier.id)}, which executes later`,
        );
      }
    }
    node.applied.push(execution);
    const operation = this.operations.get(key);
    if (operation !== undefined && execution.id.node === node.id) operation.endedMs ??= this.nowMs;
    if (operation?.refused === true)
      throw new ProtocolViolation(`${key} was refused, but executes`);
  }

  /** Begins a write at a node; slots are chosen from a few, so that they meet. */
  write(node: SimulatedNode): void {
    const slots = this.#chooseSlots();
    const body = Uint8Array.from(slots);
    const id = node.coordinator.propose(footprintOf(slots), body, this.nowMs);
    const key = keyOf(id);
    if (this.#minted.has(key)) throw new ProtocolViolation(`${key} was minted twice`);
    this.#minted.add(key);
    const started = { startedMs: this.nowMs, endedMs: undefined, refused: false };
    this.operations.set(key, { key, slots, ...started });
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
    const encoded = encodeFootprint(footprintOf(slots));
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
      // Bursts: several writers on the same slots at nearly the same time.
      const at = Math.floor(count / 4) * 300 * this.random() + 3 * this.random();
      this.at(at, () => {
        const up = [...this.nodes.values()].filter((node) => node.up && node.clock.covered);
        const node = up[Math.floor(this.random() * up.length)];
        if (node === undefined) return;
        if (this.random() < knobs.readRate) this.read(node);
        else this.write(node);
      });
    }
    this.run(this.nowMs + 6_000);
    this.chaos = false;
    for (const node of this.nodes.values()) this.restart(node);
    this.run(this.nowMs + 30_000);
    this.check();
  }

  check(): void {
    this.#checkDecided();
    this.#checkRealTime();
    this.#checkReads();
  }

  #checkDecided(): void {
    const views = [...this.nodes.values()].map((node) => ({
      node,
      applied: new Set(node.applied.map(({ id }) => keyOf(id))),
    }));
    for (const { node, applied } of views) {
      for (const command of node.replica.state.unsettled) {
        throw new ProtocolViolation(
          `node ${node.id}: ${command.key} is still undecided (status ${command.status}, ` +
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
    const done = [...this.operations.values()].filter((o) => this.#decided.has(o.key));
    for (const a of done) {
      for (const b of done) {
        if (a.endedMs === undefined || a.endedMs >= b.startedMs) continue;
        if (!a.slots.some((slot) => b.slots.includes(slot))) continue;
        const first = this.#decided.get(a.key);
        const second = this.#decided.get(b.key);
        if (first !== undefined && second !== undefined && compare(first, second) > 0) {
          throw new ProtocolViolation(`${b.key} executes before ${a.key}, acknowledged earlier`);
        }
      }
    }
  }

  /** A read sees every write on its slots that was acknowledged, or seen by a read, before it. */
  #checkReads(): void {
    for (const read of this.reads) {
      if (read.seen === undefined) continue;
      const must = (key: string): boolean => {
        const slots = this.operations.get(key)?.slots ?? [];
        return slots.some((slot) => read.slots.includes(slot));
      };
      for (const operation of this.operations.values()) {
        if (operation.endedMs === undefined || operation.endedMs >= read.startedMs) continue;
        if (must(operation.key) && !read.seen.has(operation.key)) {
          throw new ProtocolViolation(`a read at node ${read.node} misses ${operation.key}`);
        }
      }
      for (const earlier of this.reads) {
        if (earlier.endedMs === undefined || earlier.endedMs >= read.startedMs) continue;
        for (const key of earlier.seen ?? []) {
          const shared = earlier.slots.some((slot) => read.slots.includes(slot));
          if (shared && must(key) && !read.seen.has(key)) {
            throw new ProtocolViolation(`a read at node ${read.node} misses ${key}, read before`);
          }
        }
      }
    }
  }
}

function before(
  a: { at: number; order: number } | undefined,
  b: { at: number; order: number } | undefined,
): boolean {
  if (a === undefined || b === undefined) return false;
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** In this model the body is the list of slots. */
function slotsOf(execution: Execution): number[] {
  return [...execution.body];
}
