/**
 * The one door of the pure coordinators of a store to their shell: owns a coordinator per group and
 * routes by group. Takes data, returns effects that name their group. Groups without rounds under
 * way cost nothing. Pure.
 */
import type { BareOk } from '../messages/bare-ok.ts';
import type { AccordMessage, CommandDefinition } from '../messages/messages.ts';
import type { HybridClock } from '../primitives/hybrid-clock.ts';
import type { Participants } from '../primitives/participants.ts';
import type { TxnId } from '../primitives/timestamp.ts';
import type { Group } from '../topology/group.ts';
import { type GroupId, GroupMap } from '../topology/group-id.ts';
import { Coordinator, type CoordinatorEffect, type CoordinatorLimits } from './coordinator.ts';

interface CoordinatorsOptions {
  readonly self: number;
  readonly groups: readonly Group[];
  readonly clock: HybridClock;
  readonly limits: Partial<CoordinatorLimits>;
  /** For checks that look on. */
  readonly watch?: ((coordinator: Coordinator) => void) | undefined;
}

/** The report of one group's coordinator. */
interface CoordinatorState {
  /** Own transactions that are not decided yet. */
  readonly underWay: number;
  /** A quorum, ourselves included, is connected. */
  readonly quorumReachable: boolean;
  /** Members (bit set) whose answers are waited for. */
  readonly expected: number;
  /** With a quorum in hand, how long the rest of the electorate is waited for now. */
  readonly patienceMs: number;
}

export class Coordinators {
  readonly #all: GroupMap<Coordinator>;
  /** Those that something was told since their effects were taken last. */
  #touched = new Set<Coordinator>();
  /** Those with rounds under way. */
  readonly #busy = new Set<Coordinator>();
  /** Those whose state may have changed since that was asked. */
  #stirred = new Set<Coordinator>();

  constructor(options: CoordinatorsOptions) {
    const { self, groups, clock, limits, watch } = options;
    this.#all = new GroupMap(
      groups.map((group) => [group.id, new Coordinator({ self, group, clock, limits })]),
    );
    if (watch !== undefined) for (const coordinator of this.#all.values()) watch(coordinator);
  }

  state(group: GroupId): CoordinatorState {
    return this.#of(group);
  }

  /** Groups with rounds under way. */
  busy(): readonly GroupId[] {
    return [...this.#busy].map(({ group }) => group.id);
  }

  /** Groups whose state may have changed since the last call. */
  takeStirred(): readonly GroupId[] {
    if (this.#stirred.size === 0) return [];
    const stirred = [...this.#stirred].map(({ group }) => group.id);
    this.#stirred = new Set();
    return stirred;
  }

  /** Calls back for each group and each effect since the last call, group by group. */
  takeEffects(take: (group: GroupId, effect: CoordinatorEffect) => void): void {
    if (this.#touched.size === 0) return;
    const touched = this.#touched;
    this.#touched = new Set();
    for (const coordinator of touched) {
      for (const effect of coordinator.takeEffects()) take(coordinator.group.id, effect);
      if (coordinator.isIdle) this.#busy.delete(coordinator);
    }
  }

  /** Begins a transaction of this node. */
  coordinate(group: GroupId, participants: Participants, body: Uint8Array, nowMs: number): TxnId {
    return this.#touch(group).coordinate(participants, body, nowMs);
  }

  recover(
    group: GroupId,
    id: TxnId,
    definition: CommandDefinition | undefined,
    nowMs: number,
  ): void {
    this.#touch(group).recover(id, definition, nowMs);
  }

  handle(group: GroupId, from: number, message: AccordMessage, nowMs: number): void {
    this.#touch(group).handle(from, message, nowMs);
  }

  /** See `Coordinator.answeredBarely`. */
  answeredBarely(group: GroupId, answer: BareOk, nowMs: number): boolean {
    return this.#touch(group).answeredBarely(answer, nowMs);
  }

  peerUp(peer: number): void {
    for (const coordinator of this.#all.values()) {
      coordinator.peerUp(peer);
      this.#stirred.add(coordinator);
    }
  }

  peerDown(peer: number, nowMs: number): void {
    for (const coordinator of this.#all.values()) {
      coordinator.peerDown(peer, nowMs);
      this.#stirred.add(coordinator);
      if (!coordinator.isIdle) this.#touched.add(coordinator);
    }
  }

  tick(nowMs: number): void {
    for (const coordinator of this.#busy) {
      coordinator.tick(nowMs);
      this.#touched.add(coordinator);
      this.#stirred.add(coordinator);
    }
  }

  describe(): { readonly underWay: number; readonly recoveries: number } {
    let underWay = 0;
    let recoveries = 0;
    for (const coordinator of this.#busy) {
      underWay += coordinator.underWay;
      recoveries += coordinator.recoveries;
    }
    return { underWay, recoveries };
  }

  #touch(group: GroupId): Coordinator {
    const coordinator = this.#of(group);
    this.#touched.add(coordinator);
    this.#busy.add(coordinator);
    this.#stirred.add(coordinator);
    return coordinator;
  }

  #of(group: GroupId): Coordinator {
    const coordinator = this.#all.get(group);
    if (coordinator === undefined) {
      throw new TypeError(`group ${group.range}.${group.generation} is not in this store`);
    }
    return coordinator;
  }
}
