/**
 * The way of protocol messages to other nodes and to neighbour actors of this one. Shared by the
 * actors of a store. A message waits here while the clock has minted timestamps before it that no
 * reservation on disk covers. Messages that name no such timestamp leave at once, so reads continue
 * while the disk is full or stalled. No message between neighbours is lost: unlike from the
 * network, they do not expect it from each other.
 */

import type { ReplicaMessage } from '../accord/local/replica.ts';
import { type AccordMessage, isForCoordinator, ownerOf } from '../accord/messages/messages.ts';
import type { HybridClock } from '../accord/primitives/hybrid-clock.ts';
import { isSpanning } from '../accord/primitives/timestamp.ts';
import type { GroupId } from '../accord/topology/group-id.ts';
import type { Outlet } from '../runtime/cells/outlet.ts';
import type { CoordinatorActorMessage, ReplicaActorMessage } from './messages.ts';
import type { TxnTrace } from './txn-trace.ts';

interface OutboxTargets {
  toPeer(group: GroupId, node: number, message: AccordMessage): void;
  /** Of a transaction over several groups: to the store of this node that it is for. */
  readonly toStore: (group: GroupId, message: ReplicaMessage) => void;
  /** The group is in this store. */
  readonly isHere: (group: GroupId) => boolean;
  readonly replica: Outlet<ReplicaActorMessage>;
  readonly coordinator: Outlet<CoordinatorActorMessage>;
  /** Of what leaves here. */
  readonly trace?: TxnTrace;
}

/** Messages held for a reservation; to the peer, one dropped here was lost on the way. */
const HELD_MAX = 65_536;

export class Outbox {
  readonly #self: number;
  readonly #clock: HybridClock;
  readonly #targets: OutboxTargets;
  readonly #heldMax: number;
  #held: Array<{
    readonly group: GroupId;
    readonly to: number;
    readonly message: AccordMessage;
    /** The highest timestamp that may be in it. */
    readonly mintedUs: number;
  }> = [];

  constructor(
    self: number,
    clock: HybridClock,
    targets: OutboxTargets,
    heldMax: number = HELD_MAX,
  ) {
    this.#self = self;
    this.#clock = clock;
    this.#targets = targets;
    this.#heldMax = heldMax;
  }

  /** Messages that wait for room at the neighbours. */
  get kept(): number {
    return this.#targets.replica.kept + this.#targets.coordinator.kept;
  }

  send(group: GroupId, to: number, message: ReplicaMessage): void {
    if (to === this.#self) {
      if (this.#isElsewhere(group, message)) return this.#targets.toStore(group, message);
      return this.deliver(group, message);
    }
    const outgoing = message as AccordMessage;
    if (this.#clock.covered || this.#isOld(outgoing)) {
      return this.#toPeer(group, to, outgoing);
    }
    if (this.#held.length >= this.#heldMax) return;
    this.#held.push({ group, to, message: outgoing, mintedUs: this.#clock.mintedUs });
  }

  #toPeer(group: GroupId, to: number, message: AccordMessage): void {
    this.#targets.trace?.sent(group, to, message);
    this.#targets.toPeer(group, to, message);
  }

  /** Whether every timestamp in the message is covered, whatever the clock gave out since. */
  #isOld(message: AccordMessage): boolean {
    switch (message.type) {
      case 'CheckStatus':
        return message.id.node !== this.#self || this.#clock.covers(message.id.hlc);
      // Others have named or decided what these name; see `ReadBarriers.answer`.
      case 'ReadBarrier':
      case 'ReadBarrierOk':
      case 'AppliedHint':
      case 'Fetch':
      case 'CatchUp':
        return true;
      default:
        return false;
    }
  }

  /** Its coordinator, or its replica, is in another store of this node. */
  #isElsewhere(group: GroupId, message: ReplicaMessage): boolean {
    if (!('id' in message) || !isSpanning(message.id)) return false;
    if (isForCoordinator(message)) return ownerOf(message).store !== this.#clock.store;
    return !this.#targets.isHere(group);
  }

  /** To an actor of this store. */
  deliver(group: GroupId, message: ReplicaMessage): void {
    const from = this.#self;
    const { replica, coordinator, trace } = this.#targets;
    trace?.sent(group, from, message);
    if (isForCoordinator(message)) coordinator.send({ type: 'Protocol', from, group, message });
    else replica.send({ type: 'Protocol', from, group, message });
  }

  /** A reservation has become durable. */
  released(): void {
    const held = this.#held;
    this.#held = held.filter(({ mintedUs }) => !this.#clock.covers(mintedUs));
    for (const { group, to, message, mintedUs } of held) {
      if (this.#clock.covers(mintedUs)) this.#toPeer(group, to, message);
    }
  }
}
