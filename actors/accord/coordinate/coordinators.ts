/**
 * The one door of the pure coordinators of a store to their shell: owns a coordinator per group and
 * one for what spans several, and routes by group and transaction. Takes data, returns effects that
 * name their group. Groups without rounds under way cost nothing. Pure.
 */
import type { BareOk } from '../messages/bare-ok.ts';
import type { AccordMessage, CommandDefinition } from '../messages/messages.ts';
import type { HybridClock } from '../primitives/hybrid-clock.ts';
import { type Participants, WHOLE_STORE } from '../primitives/participants.ts';
import type { SpanningPart } from '../primitives/spanning-body.ts';
import { Flags, isSpanning, type TxnId } from '../primitives/timestamp.ts';
import { encodeSuccessors } from '../topology/close-body.ts';
import type { Group, GroupDescriptor } from '../topology/group.ts';
import { type GroupId, GroupMap } from '../topology/group-id.ts';
import {
  COORDINATOR_LIMITS,
  Coordinator,
  type CoordinatorEffect,
  type CoordinatorLimits,
} from './coordinator.ts';
import { SpanningCoordinator, type SpanningEffect } from './spanning-coordinator.ts';

interface CoordinatorsOptions {
  readonly self: number;
  readonly groups: readonly Group[];
  /** Of the whole cluster. */
  readonly allGroups: readonly Group[];
  readonly clock: HybridClock;
  readonly limits: Partial<CoordinatorLimits>;
  /** Of the entries that a transaction reads in all of its groups; the same on every node. */
  readonly spanningReadBytesMax: number;
  /** For checks that look on. */
  readonly watch?: ((coordinator: Coordinator) => void) | undefined;
  readonly watchSpanning?: ((coordinator: SpanningCoordinator) => void) | undefined;
}

type AnyEffect = CoordinatorEffect | SpanningEffect;

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
  readonly #options: CoordinatorsOptions;
  readonly #all = new GroupMap<Coordinator>();
  /** Peers whose links are down. */
  readonly #down = new Set<number>();
  readonly #spanning: SpanningCoordinator;
  /** Those that something was told since their effects were taken last. */
  #touched = new Set<Coordinator>();
  /** Those with rounds under way. */
  readonly #busy = new Set<Coordinator>();
  /** Those whose state may have changed since that was asked. */
  #stirred = new Set<Coordinator>();

  constructor(options: CoordinatorsOptions) {
    const { self, groups, clock, limits } = options;
    this.#options = options;
    this.#spanning = new SpanningCoordinator({
      self,
      groups: options.allGroups,
      clock,
      limits: { ...COORDINATOR_LIMITS, ...limits },
      readBytesMax: options.spanningReadBytesMax,
    });
    options.watchSpanning?.(this.#spanning);
    for (const group of groups) this.#add(group);
  }

  #add(group: Group): void {
    const { self, clock, limits, watch } = this.#options;
    const coordinator = new Coordinator({ self, group, clock, limits });
    watch?.(coordinator);
    for (const peer of this.#down) coordinator.peerDown(peer, 0);
    this.#all.set(group.id, coordinator);
  }

  /** A successor of a group that has ended; `isHere`: in this store. */
  begin(group: Group, isHere: boolean): void {
    this.#spanning.add(group);
    if (isHere) this.#add(group);
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

  /** Own transactions over several groups that are not decided yet. */
  get spanningUnderWay(): number {
    return this.#spanning.underWay;
  }

  /** A quorum of each of these groups is connected. */
  isReachable(groups: readonly GroupId[]): boolean {
    return this.#spanning.isReachable(groups);
  }

  /**
   * Calls back for each effect since the last call, group by group; without a group for those that
   * concern several.
   */
  takeEffects(take: (group: GroupId | undefined, effect: AnyEffect) => void): void {
    for (const effect of this.#spanning.takeEffects()) {
      take(effect.type === 'Send' ? effect.group : undefined, effect);
    }
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

  /** Proposes to end a group. */
  close(group: GroupId, successors: readonly GroupDescriptor[], nowMs: number): TxnId {
    const body = encodeSuccessors(successors);
    return this.#touch(group).coordinate(WHOLE_STORE, body, nowMs, Flags.CLOSE);
  }

  /** Begins a transaction of this node over several groups. */
  coordinateSpanning(parts: readonly SpanningPart[], commands: Uint8Array, nowMs: number): TxnId {
    return this.#spanning.coordinate(parts, commands, nowMs);
  }

  /**
   * This, answers and counts may be of a group in which the node has no part any more: they were
   * under way as that ended, and are as good as lost.
   */
  recover(
    group: GroupId,
    id: TxnId,
    definition: CommandDefinition | undefined,
    nowMs: number,
  ): void {
    if (isSpanning(id)) return this.#spanning.recover(group, id, definition, nowMs);
    if (this.#all.has(group)) this.#touch(group).recover(id, definition, nowMs);
  }

  handle(group: GroupId, from: number, message: AccordMessage, nowMs: number): void {
    if ('id' in message && isSpanning(message.id)) {
      return this.#spanning.handle(group, from, message, nowMs);
    }
    if (this.#all.has(group)) this.#touch(group).handle(from, message, nowMs);
  }

  /** See `Coordinator.answeredBarely`. */
  answeredBarely(group: GroupId, answer: BareOk, nowMs: number): boolean {
    return this.#all.has(group) && this.#touch(group).answeredBarely(answer, nowMs);
  }

  peerUp(peer: number): void {
    this.#down.delete(peer);
    this.#spanning.peerUp(peer);
    for (const coordinator of this.#all.values()) {
      coordinator.peerUp(peer);
      this.#stirred.add(coordinator);
    }
  }

  peerDown(peer: number, nowMs: number): void {
    this.#down.add(peer);
    this.#spanning.peerDown(peer, nowMs);
    for (const coordinator of this.#all.values()) {
      coordinator.peerDown(peer, nowMs);
      this.#stirred.add(coordinator);
      if (!coordinator.isIdle) this.#touched.add(coordinator);
    }
  }

  tick(nowMs: number): void {
    this.#spanning.tick(nowMs);
    for (const coordinator of this.#busy) {
      coordinator.tick(nowMs);
      this.#touched.add(coordinator);
      this.#stirred.add(coordinator);
    }
  }

  describe(): { readonly underWay: number; readonly recoveries: number } {
    let { underWay, recoveries } = this.#spanning;
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
