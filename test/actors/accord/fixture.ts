/**
 * Shared by the unit tests of the protocol: short names for timestamps, and a lone replica whose
 * effects the test inspects itself.
 */

import type { Effect } from '../../../actors/accord/local/effects.ts';
import {
  decodeRecord,
  encodeRecord,
  type JournalRecord,
} from '../../../actors/accord/local/journal.ts';
import { Replica, type ReplicaMessage } from '../../../actors/accord/local/replica.ts';
import type { ReplicaLimits } from '../../../actors/accord/local/replica-state.ts';
import type {
  AccordMessage,
  CommandDefinition,
  PreAccept,
} from '../../../actors/accord/messages/messages.ts';
import { type Deps, encodeDeps } from '../../../actors/accord/primitives/deps.ts';
import { HybridClock } from '../../../actors/accord/primitives/hybrid-clock.ts';
import {
  encodeParticipants,
  participantsOf,
} from '../../../actors/accord/primitives/participants.ts';
import { Flags, type Timestamp, type TxnId } from '../../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../../actors/accord/topology/group.ts';
import { firstGroup } from './first-group.ts';

/** A transaction id, a vote or an executeAt. */
export function at(hlc: number, node = 1): Timestamp {
  return { hlc, flags: Flags.WRITE, node, store: 0 };
}

export function ballot(hlc: number, node = 2): Timestamp {
  return { hlc, flags: 0, node, store: 0 };
}

export function groupOf(nodes: number, electorate = nodes): Group {
  const members = Array.from({ length: nodes }, (_, index) => index + 1);
  return new Group(firstGroup(members, members.slice(0, electorate)));
}

export function touching(...slots: number[]): CommandDefinition {
  return { slots: encodeParticipants(participantsOf(slots)), body: Uint8Array.from(slots) };
}

export function preAccept(id: TxnId, deps: Deps = [], ...slots: number[]): PreAccept {
  const definition = touching(...(slots.length === 0 ? [1] : slots));
  return { type: 'PreAccept', id, deps: encodeDeps(deps), ...definition };
}

/** The sole effect of that type; fails when there is none or more than one. */
export function only<T extends Effect['type']>(
  effects: readonly Effect[],
  type: T,
): Extract<Effect, { type: T }> {
  const found = effects.filter((effect) => effect.type === type);
  if (found.length !== 1) throw new Error(`${found.length} effects ${type}, not one`);
  return found[0] as Extract<Effect, { type: T }>;
}

export class LoneReplica {
  replica: Replica;
  clock: HybridClock;
  nowMs = 1_000;
  readonly group: Group;
  readonly log: JournalRecord[] = [];
  readonly #self: number;
  readonly #limits: Partial<ReplicaLimits>;
  readonly #isPassedOver: ((node: number) => boolean) | undefined;

  constructor(
    group = groupOf(3),
    self = 3,
    limits: Partial<ReplicaLimits> = {},
    isPassedOver?: (node: number) => boolean,
  ) {
    this.group = group;
    this.#self = self;
    this.#limits = limits;
    this.#isPassedOver = isPassedOver;
    [this.clock, this.replica] = this.#build();
  }

  #build(): [HybridClock, Replica] {
    const nowUs = (): number => this.nowMs;
    const clock = new HybridClock({ node: this.#self, store: 0, nowUs, reserveUs: 1_000 });
    const random = (): number => 0.5;
    const { group } = this;
    const options = { self: this.#self, group, clock, random, limits: this.#limits };
    return [clock, new Replica({ ...options, isPassedOver: this.#isPassedOver })];
  }

  /** Takes a message; what it wants done. Records are kept as a log would. */
  take(message: ReplicaMessage, from = 1): Effect[] {
    this.replica.handle(from, message, this.nowMs);
    return this.#effects();
  }

  /** The one answer to a message. */
  ask<T extends AccordMessage['type']>(
    message: ReplicaMessage,
    type: T,
    from = 1,
  ): Extract<AccordMessage, { type: T }> {
    const { message: answer } = only(this.take(message, from), 'Reply');
    if (answer.type !== type) throw new Error(`${answer.type}, not ${type}`);
    return answer as Extract<AccordMessage, { type: T }>;
  }

  tick(afterMs: number): Effect[] {
    this.nowMs += afterMs;
    this.replica.tick(this.nowMs);
    return this.#effects();
  }

  /** Another life with the same log (all of it, or the first so many records). */
  restart(records = this.log.length, flushedSequence = 0): Effect[] {
    this.log.length = records;
    [this.clock, this.replica] = this.#build();
    for (const [index, record] of this.log.entries()) {
      const { type, parts } = encodeRecord(this.group.id, record);
      this.replica.restore(decodeRecord(type, Buffer.concat(parts)), index + 1);
    }
    this.replica.restored(flushedSequence, this.nowMs);
    return this.#effects();
  }

  #effects(): Effect[] {
    const effects = this.replica.takeEffects();
    for (const effect of effects) if (effect.type === 'Persist') this.log.push(effect.record);
    return effects;
  }
}
