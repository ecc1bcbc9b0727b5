/**
 * The queue from the replica to the executor, in order: executions, and the reads between them. The
 * executor grants credit, so its mailbox never has to take the whole queue; after a restart that is
 * every transaction that the engine does not hold. The queue is bounded by the bodies that the
 * replica retains.
 */
import { type GroupId, isSameGroup } from '../topology/group-id.ts';
import type { Effect, StoreEffect } from './effects.ts';

type HandedEffect = Extract<StoreEffect, { readonly type: 'Execute' | 'Read' | 'ReadAt' }>;

export type Handed = Extract<Effect, { readonly type: 'Execute' | 'Read' | 'ReadAt' }>;

/** Handed over and not yet taken by the executor. */
const HAND_OVER_MAX = 4_096;
/** Places in front that have been handed over before the list is shortened. */
const SENT_MAX = 4_096;

export class HandOver {
  readonly #send: (effect: HandedEffect) => void;
  readonly #max: number;
  #queue: HandedEffect[] = [];
  #at = 0;
  #generation = 0;
  /** Counts of this generation. */
  #sent = 0;
  #taken = 0;

  constructor(send: (effect: HandedEffect) => void, max: number = HAND_OVER_MAX) {
    if (!Number.isInteger(max) || max < 1) throw new RangeError(`hand-over of ${max}`);
    this.#send = send;
    this.#max = max;
  }

  get waiting(): number {
    return this.#queue.length - this.#at;
  }

  /** A fresh executor: it needs these; what was meant for the one before is void. */
  begin(generation: number, executions: readonly (readonly [GroupId, Handed])[]): void {
    this.#generation = generation;
    this.#sent = 0;
    this.#taken = 0;
    this.#at = 0;
    this.#queue = executions.map(([group, next]) => inGroup(group, generation, next));
    this.#advance();
  }

  add(group: GroupId, next: Handed): void {
    this.#queue.push(inGroup(group, this.#generation, next));
    this.#advance();
  }

  /** Nothing more of the group is handed over. */
  drop(group: GroupId): void {
    this.#queue = this.#queue.slice(this.#at).filter((each) => !isSameGroup(each.group, group));
    this.#at = 0;
  }

  /** How many the executor of that generation has taken so far. */
  taken(generation: number, count: number): void {
    if (generation !== this.#generation) return;
    this.#taken = count;
    this.#advance();
  }

  #advance(): void {
    while (this.#at < this.#queue.length && this.#sent - this.#taken < this.#max) {
      this.#send(this.#queue[this.#at] as HandedEffect);
      this.#at += 1;
      this.#sent += 1;
    }
    if (this.#at < this.#queue.length && this.#at < SENT_MAX) return;
    this.#queue.splice(0, this.#at);
    this.#at = 0;
  }
}

/** Written out for the frequent two: a spread into a literal is a slow call. */
function inGroup(group: GroupId, generation: number, next: Handed): HandedEffect {
  switch (next.type) {
    case 'Execute':
      return { type: 'Execute', group, execution: next.execution, generation };
    case 'Read': {
      const { token, barrierSequence } = next;
      return { type: 'Read', group, token, barrierSequence, generation };
    }
    case 'ReadAt':
      return { ...next, group, generation };
  }
}
