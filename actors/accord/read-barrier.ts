/**
 * Ephemeral reads (accord.md §2.9): ask a quorum which transactions it has witnessed, wait until
 * those are applied here, read here. Nothing is logged. One barrier serves every read that waits
 * in a turn, so its cost does not depend on how many keys are read. Whether that suffices for a
 * read of several slots is judged as it reads, by `AppliedSlots`.
 */
import { type Deps, decodeDeps, depsOf, encodeDeps, union } from './deps.ts';
import { awaitRead, ReadWaiter } from './execution.ts';
import { type Footprint, meets, WHOLE_STORE } from './footprint.ts';
import type { ReadBarrier, ReadBarrierOk } from './messages.ts';
import type { ReplicaState } from './replica-state.ts';
import { compare, type TxnId } from './timestamp.ts';
import { population } from './topology.ts';

interface Barrier {
  readonly token: number;
  readonly footprint: Footprint;
  readonly startedMs: number;
  /** The last execution handed over when it began: what came later it may not have heard of. */
  readonly sequence: number;
  resendAtMs: number;
  replied: number;
  ids: Deps;
}

/** Barriers under way at once; beyond it the oldest is given up (its reads time out). */
const BARRIERS_MAX = 64;
const RESEND_MS = 100;
const GIVE_UP_MS = 10_000;

export class ReadBarriers {
  readonly #state: ReplicaState;
  readonly #barriers = new Map<number, Barrier>();

  constructor(state: ReplicaState) {
    this.#state = state;
  }

  /** `Read` with this token follows when everything that the read must see is applied. */
  begin(token: number, footprint: Footprint): void {
    const state = this.#state;
    const { nowMs } = state;
    const barrier: Barrier = {
      token,
      footprint,
      startedMs: nowMs,
      sequence: state.sequence,
      resendAtMs: nowMs + RESEND_MS,
      replied: state.topology.bit(state.self),
      ids: depsOf(this.#witnessed(state.unsettled).ids),
    };
    const oldest = this.#barriers.keys().next().value;
    if (this.#barriers.size >= BARRIERS_MAX && oldest !== undefined) this.#barriers.delete(oldest);
    this.#barriers.set(token, barrier);
    this.#ask(barrier);
    this.#finish(barrier);
  }

  #ask(barrier: Barrier): void {
    const { token } = barrier;
    const { settledBefore } = this.#state;
    for (const peer of this.#state.peers) {
      if ((barrier.replied & this.#state.topology.bit(peer)) !== 0) continue;
      this.#state.send(peer, { type: 'ReadBarrier', token, settledBefore });
    }
  }

  /** A peer wants to read: name what is witnessed here and perhaps not applied there. */
  answer(from: number, message: ReadBarrier): void {
    const state = this.#state;
    const { token, settledBefore } = message;
    const pending = state.unsettledBy.get(from) ?? new Set();
    const { ids, complete } = this.#witnessed(pending, settledBefore);
    const encoded = encodeDeps(depsOf(ids));
    state.send(from, { type: 'ReadBarrierOk', token, ids: encoded, behind: !complete });
  }

  #witnessed(
    commands: ReplicaState['unsettled'],
    from?: TxnId,
  ): { ids: TxnId[]; complete: boolean } {
    const ids: TxnId[] = [];
    for (const command of commands) {
      if (command.definition === undefined) continue;
      if (from !== undefined && compare(command.id, from) < 0) continue;
      if (from !== undefined && this.#isUnheardOf(command.id)) continue;
      if (from !== undefined && ids.length === this.#state.limits.barrierIdsMax) {
        return { ids, complete: false };
      }
      ids.push(command.id);
    }
    return { ids, complete: true };
  }

  /** Begun here and not let out yet: nobody can have decided it, let alone been told so. */
  #isUnheardOf(id: TxnId): boolean {
    const { self, clock } = this.#state;
    return id.node === self && !clock.covers(id.hlc);
  }

  answered(from: number, message: ReadBarrierOk): void {
    const barrier = this.#barriers.get(message.token);
    // A member that says that we lag does not count: we do not know all that it knows.
    if (barrier === undefined || message.behind) return;
    barrier.replied |= this.#state.topology.bit(from);
    barrier.ids = union(barrier.ids, decodeDeps(message.ids));
    this.#finish(barrier);
  }

  #finish(barrier: Barrier): void {
    const state = this.#state;
    if (population(barrier.replied) < state.topology.quorums.slow) return;
    const { token, footprint, sequence } = barrier;
    this.#barriers.delete(token);
    awaitRead(state, new ReadWaiter(token, sequence), barrier.ids, (command) => {
      if (command.definition === undefined || footprint === WHOLE_STORE) return true;
      return meets(command.definition.footprint, footprint);
    });
  }

  tick(): void {
    const { nowMs } = this.#state;
    for (const barrier of this.#barriers.values()) {
      if (nowMs - barrier.startedMs > GIVE_UP_MS) this.#barriers.delete(barrier.token);
      else if (nowMs >= barrier.resendAtMs) {
        barrier.resendAtMs = nowMs + RESEND_MS;
        this.#ask(barrier);
      }
    }
  }
}
