/**
 * Ephemeral reads (accord.md §2.9): ask a quorum which transactions it has witnessed, wait until
 * those are applied here, read here. Nothing is logged. One barrier serves every read that waits
 * in a turn, so its cost does not depend on how many keys are read. Whether that suffices for a
 * read of several slots is judged as it reads, by `AppliedSlots`.
 */

import { sendHint } from '../durability/applied-hints.ts';
import type { ReadBarrier, ReadBarrierOk } from '../messages/messages.ts';
import { population } from '../primitives/bit-set.ts';
import { type Deps, decodeDeps, depsOf, encodeDeps, union } from '../primitives/deps.ts';
import { meets, type Participants, WHOLE_STORE } from '../primitives/participants.ts';
import { isTerminal } from '../primitives/status.ts';
import { compare, max, type TxnId, ZERO } from '../primitives/timestamp.ts';
import { awaitRead, ReadWaiter } from './execution.ts';
import type { ReplicaState } from './replica-state.ts';

interface Barrier {
  readonly token: number;
  readonly participants: Participants;
  readonly startedMs: number;
  /** The last execution handed over when it began: what came later it may not have heard of. */
  readonly sequence: number;
  resendAtMs: number;
  replied: number;
  /** By member: up to where it has named what it has witnessed. */
  readonly named: Map<number, TxnId>;
  /** Named transactions that are not settled here. */
  ids: Deps;
}

export class ReadBarriers {
  readonly #state: ReplicaState;
  readonly #barriers = new Map<number, Barrier>();

  constructor(state: ReplicaState) {
    this.#state = state;
  }

  /** `Read` with this token follows when everything that the read must see is applied. */
  begin(token: number, participants: Participants): void {
    const state = this.#state;
    const { nowMs, limits } = state;
    const barrier: Barrier = {
      token,
      participants,
      startedMs: nowMs,
      sequence: state.sequence,
      resendAtMs: nowMs + limits.barrierResendMs,
      replied: state.group.bit(state.self),
      named: new Map(),
      ids: depsOf(this.#unapplied()),
    };
    const oldest = this.#barriers.keys().next().value;
    const isFull = this.#barriers.size >= limits.barriersMax;
    if (isFull && oldest !== undefined) this.#barriers.delete(oldest);
    this.#barriers.set(token, barrier);
    this.#askAll(barrier);
    this.#finish(barrier);
  }

  #unapplied(): TxnId[] {
    const ids: TxnId[] = [];
    for (const { id, definition } of this.#state.unapplied) {
      if (definition !== undefined) ids.push(id);
    }
    return ids;
  }

  #askAll(barrier: Barrier): void {
    for (const peer of this.#state.peers) {
      if ((barrier.replied & this.#state.group.bit(peer)) === 0) this.#ask(barrier, peer);
    }
  }

  #ask({ token, named }: Barrier, peer: number): void {
    const { redundantBefore } = this.#state;
    const after = named.get(peer) ?? ZERO;
    this.#state.send(peer, { type: 'ReadBarrier', token, redundantBefore, after });
  }

  /** A peer wants to read: name what is witnessed here and perhaps not settled there. */
  answer(from: number, message: ReadBarrier): void {
    const state = this.#state;
    const { token, redundantBefore, after } = message;
    const pending = state.unappliedBy.get(from);
    if (pending === undefined) return;
    // The transactions that it must wait for may be forgotten here: it needs the data anew.
    if (compare(redundantBefore, state.durableBefore) < 0) return;
    const ids: TxnId[] = [];
    let behind = false;
    for (const { id } of pending.from(max(redundantBefore, after))) {
      if (compare(id, after) === 0 || this.#isUnheardOf(id)) continue;
      behind = ids.length === state.limits.barrierIdsMax;
      if (behind) break;
      ids.push(id);
    }
    state.send(from, { type: 'ReadBarrierOk', token, ids: encodeDeps(ids), behind });
  }

  /** Begun here and not sent yet: it cannot be decided, let alone acknowledged. */
  #isUnheardOf(id: TxnId): boolean {
    const { self, clock } = this.#state;
    return id.node === self && !clock.covers(id.hlc);
  }

  answered(from: number, message: ReadBarrierOk): void {
    const barrier = this.#barriers.get(message.token);
    if (barrier === undefined) return;
    const ids = decodeDeps(message.ids);
    // A member that has more to name does not count yet: its answer is incomplete.
    if (message.behind) return this.#askOn(barrier, from, ids);
    barrier.replied |= this.#state.group.bit(from);
    barrier.ids = union(barrier.ids, ids.filter(this.#isOpen));
    this.#finish(barrier);
  }

  /**
   * The peer names this much because it has not heard what is settled here: tell it. Wait for the
   * transactions that are open here; if they are too many, catch up first and ask again later.
   */
  #askOn(barrier: Barrier, peer: number, ids: Deps): void {
    const last = ids.at(-1);
    if (last === undefined || compare(last, barrier.named.get(peer) ?? ZERO) <= 0) return;
    const settled = ids.filter((id) => !this.#isOpen(id));
    if (settled.length > 0) sendHint(this.#state, peer, settled);
    const waits = union(barrier.ids, ids).filter(this.#isOpen);
    if (barrier.ids.length > 0 && waits.length > this.#state.limits.barrierWaitsMax) return;
    barrier.ids = waits;
    barrier.named.set(peer, last);
    this.#ask(barrier, peer);
  }

  readonly #isOpen = (id: TxnId): boolean => {
    const command = this.#state.find(id);
    return command === undefined ? !this.#state.isRedundant(id) : !isTerminal(command.status);
  };

  #finish(barrier: Barrier): void {
    const state = this.#state;
    if (population(barrier.replied) < state.group.quorums.slow) return;
    const { token, participants, sequence } = barrier;
    this.#barriers.delete(token);
    awaitRead(state, new ReadWaiter(token, sequence), barrier.ids, (command) => {
      if (command.definition === undefined || participants === WHOLE_STORE) return true;
      return meets(command.definition.participants, participants);
    });
  }

  /** Barriers that wait for answers. */
  get open(): number {
    return this.#barriers.size;
  }

  tick(): void {
    const { nowMs, limits } = this.#state;
    for (const barrier of this.#barriers.values()) {
      if (nowMs - barrier.startedMs > limits.barrierMsMax) this.#barriers.delete(barrier.token);
      else if (nowMs >= barrier.resendAtMs) {
        barrier.resendAtMs = nowMs + limits.barrierResendMs;
        this.#askAll(barrier);
      }
    }
  }
}
