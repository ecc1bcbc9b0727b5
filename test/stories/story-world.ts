/**
 * The stage of the stories: pure replicas and coordinators whose messages lie in a heap until the
 * script delivers or drops them. Inside a node messages arrive at once; the log is synced at once
 * unless the script says that the disk is slow. All invariants are checked on the way.
 */

import type { ReplicaMessage } from '../../actors/accord/local/replica.ts';
import { type AccordMessage, isForCoordinator } from '../../actors/accord/messages/messages.ts';
import { encodeParticipants, participantsOf } from '../../actors/accord/primitives/participants.ts';
import { keyOf, type TxnId } from '../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../actors/accord/topology/group.ts';
import { firstGroup } from '../actors/accord/first-group.ts';
import { ProtocolInvariants, ProtocolViolation } from '../actors/accord/protocol-invariants.ts';
import { SimulatedNode, share } from '../actors/accord/simulated-node.ts';
import { Names } from './names.ts';

export interface Letter {
  readonly from: number;
  readonly to: number;
  readonly message: ReplicaMessage;
}

/** The traffic of settlement: left out unless a story is about it. */
const SETTLEMENT = new Set([
  'AppliedHint',
  'RejectBefore',
  'RejectBeforeOk',
  'AppliedList',
  'CatchUp',
]);
const STEPS_MAX = 10_000;

/** A read, and the writes that it has to see. */
interface Read {
  readonly name: string;
  readonly must: readonly string[];
}

const NO_READ: Read = { name: '?', must: [] };

export interface StageOptions {
  readonly nodes: number;
  readonly electorate: number;
  readonly durability: boolean;
}

export class StoryWorld {
  readonly nodes = new Map<number, SimulatedNode>();
  readonly names = new Names();
  readonly group: Group;
  letters: Letter[] = [];
  /** Events since the last time they were taken. */
  events: string[] = [];
  nowMs = 1_000;
  readonly #durability: boolean;
  readonly #invariants: ProtocolInvariants;
  readonly #slow = new Set<number>();
  readonly #reads = new Map<string, Read>();
  /** Slots by the names of writes whose coordinators have executed them. */
  readonly #acknowledged = new Map<string, readonly number[]>();
  #token = 0;
  /** The coordinator has work that has not been handled yet. */
  #recovering = false;

  constructor({ nodes, electorate, durability }: StageOptions) {
    const members = Array.from({ length: nodes }, (_, index) => index + 1);
    this.group = new Group(firstGroup(members, members.slice(0, electorate)));
    this.#invariants = new ProtocolInvariants(this.group);
    this.#durability = durability;
    for (const id of members) {
      const node = new SimulatedNode(id, 0);
      this.nodes.set(id, node);
      this.#start(node);
    }
  }

  node(id: number): SimulatedNode {
    const node = this.nodes.get(id);
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  #start(node: SimulatedNode): void {
    const replica = { durabilityLagMs: 100, durabilityEveryMs: 50 };
    const limits = { replica, coordinator: {} };
    node.start(
      this.group,
      () => this.nowMs,
      () => 0.5,
      limits,
    );
    const limitUs = node.clock.nextReservation();
    if (limitUs !== undefined) {
      node.appendLimit(limitUs);
      node.clock.reservationDurable(limitUs);
    }
    node.durableLsn = node.lsn;
    this.#invariants.restarted(node.replica);
    this.perform(node);
  }

  // ---- what a script may do ---------------------------------------------------------------

  coordinate(id: number, name: string, slots: readonly number[]): void {
    const node = this.node(id);
    const body = Uint8Array.from(slots);
    const txn = node.coordinator.coordinate(participantsOf(slots), body, this.nowMs);
    this.names.transaction(name, txn);
    this.#invariants.minted(txn);
    this.perform(node);
  }

  read(id: number, name: string, slots: readonly number[]): void {
    const node = this.node(id);
    this.#token += 1;
    const must: string[] = [];
    for (const [write, its] of this.#acknowledged) if (share(its, slots)) must.push(write);
    this.#reads.set(`${id}/${this.#token}`, { name, must });
    const encoded = encodeParticipants(participantsOf(slots));
    const begin = { type: 'BeginRead', token: this.#token, slots: encoded } as const;
    node.replica.handle(id, begin, this.nowMs);
    this.perform(node);
  }

  recover(id: number, txn: TxnId): void {
    const node = this.node(id);
    const { definition } = node.replica.view.find(txn) ?? {};
    const known = definition && {
      slots: encodeParticipants(definition.participants),
      body: definition.body,
    };
    node.coordinator.recover(txn, known, this.nowMs);
    this.perform(node);
  }

  tick(ms: number, only?: number): void {
    this.nowMs += ms;
    for (const node of this.nodes.values()) {
      if (!node.up || (only !== undefined && node.id !== only)) continue;
      node.replica.tick(this.nowMs);
      node.coordinator.tick(this.nowMs);
      this.perform(node);
    }
  }

  crash(id: number): void {
    this.#slow.delete(id);
    this.node(id).cut(0);
  }

  restart(id: number): void {
    this.#start(this.node(id));
  }

  peerDown(id: number, peer: number): void {
    const node = this.node(id);
    node.coordinator.peerDown(peer, this.nowMs);
    node.replica.peerDown(peer, this.nowMs);
    this.perform(node);
  }

  slowDisk(id: number): void {
    this.#slow.add(id);
  }

  /** The engine takes what has been applied. */
  flush(id: number): void {
    this.node(id).flush();
  }

  sync(id: number): void {
    this.#slow.delete(id);
    this.perform(this.node(id));
  }

  deliver(letter: Letter): void {
    const node = this.node(letter.to);
    if (!node.up) {
      this.events.push(`${letter.to} is down`);
      return;
    }
    this.#hand(node, letter);
    this.perform(node);
  }

  #hand(node: SimulatedNode, { from, message }: Letter): void {
    if (isForCoordinator(message)) node.coordinator.handle(from, message, this.nowMs);
    else node.replica.handle(from, message, this.nowMs);
  }

  // ---- effects ----------------------------------------------------------------------------

  /** Performs effects, and everything that stays inside the node, until there is nothing left. */
  perform(node: SimulatedNode): void {
    const inside: Letter[] = [];
    for (let steps = 0; steps < STEPS_MAX; steps += 1) {
      const decisions = node.coordinator.takeEffects();
      for (const effect of decisions) {
        if (effect.type === 'Send') this.#leave(node, effect.to, effect.message, inside);
        else if (effect.type === 'Decided') {
          this.#invariants.decided(effect.id, effect.path);
          this.events.push(`${node.id}: ${this.names.of(effect.id)} is decided: ${effect.path}`);
        } else {
          const name = this.names.of(effect.id);
          this.events.push(`${node.id}: recovery of ${name} concludes: ${effect.conclusion}`);
        }
      }
      this.#performReplica(node);
      if (!this.#slow.has(node.id)) node.durableLsn = node.lsn;
      for (const { to, message } of node.takeDurable()) this.#leave(node, to, message, inside);
      const next = inside.shift();
      if (next !== undefined) this.#hand(node, next);
      else if (decisions.length === 0 && !this.#recovering) return;
      this.#recovering = false;
    }
    throw new ProtocolViolation(`node ${node.id} talks to itself without end`);
  }

  #performReplica(node: SimulatedNode): void {
    const turnLsn = node.lsn + 1;
    for (const effect of node.replica.takeEffects()) {
      switch (effect.type) {
        case 'Send':
          node.gated.push({ lsn: 0, to: effect.to, message: effect.message });
          break;
        case 'Reply':
          this.#invariants.answers(node.replica, effect.message);
          node.gated.push({ lsn: node.lsn, to: effect.to, message: effect.message });
          break;
        case 'Persist':
          node.persist(effect.record);
          if (effect.record.type === 'RedundantBefore') {
            this.#invariants.redundantUpTo(effect.record.before);
          }
          if (!('id' in effect.record)) break;
          if (effect.record.type === 'Stable') {
            const applied = new Set(node.applied.map(({ id }) => keyOf(id)));
            this.#invariants.becameStable(node.replica, effect.record.id, applied);
          }
          this.#invariants.stepped(node.replica, effect.record.id);
          break;
        case 'Execute': {
          this.#invariants.executed(node.replica, effect.execution);
          const name = this.names.of(effect.execution.id);
          node.execute(effect.execution);
          if (effect.execution.id.node === node.id) {
            this.#acknowledged.set(name, [...effect.execution.body]);
          }
          this.events.push(`${node.id}: executes ${name}`);
          break;
        }
        case 'Read': {
          const { name, must } = this.#reads.get(`${node.id}/${effect.token}`) ?? NO_READ;
          const seen = node.applied.map(({ id }) => this.names.of(id));
          this.events.push(`${node.id}: read ${name} sees {${seen.join(' ')}}`);
          const missed = must.find((write) => !seen.includes(write));
          if (missed === undefined) break;
          throw new ProtocolViolation(`${missed} was acknowledged before ${name}, which misses it`);
        }
        case 'Refused':
          this.events.push(`${node.id}: ${this.names.of(effect.id)} is refused`);
          break;
        case 'Recover':
          this.events.push(`${node.id}: has ${this.names.of(effect.id)} recovered`);
          node.coordinator.recover(effect.id, effect.definition, this.nowMs);
          this.#recovering = true;
          break;
        case 'LogNeeded':
          node.cutLog(Math.min(effect.fromLsn, turnLsn));
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
          throw new ProtocolViolation(
            `node ${node.id} is contradicted:${effect.reason.split(',')[1]}`,
          );
      }
    }
  }

  #leave(node: SimulatedNode, to: number, message: ReplicaMessage, inside: Letter[]): void {
    this.#invariants.left(node.id, message);
    const letter = { from: node.id, to, message };
    if (to === node.id) inside.push(letter);
    else if (this.#durability || !SETTLEMENT.has(message.type)) {
      this.letters.push(letter);
      this.events.push(this.names.letter(letter as Letter & { message: AccordMessage }));
    }
  }
}
