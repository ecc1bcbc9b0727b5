/**
 * Finds the transactions of a group that conflict with one another: a table of the group's own
 * slots, so that cost and memory depend on what is under way, not on how many keys there are. The
 * table is allocated on first use: an idle group costs nothing.
 *
 * A slot's list holds every transaction that has not been covered: γ may go once a majority has
 * applied both γ and a later ω on the same slot. Whoever waits for ω waits for γ through it, no
 * recovery of γ can miss that it was decided, and nothing undecided can still be ordered before ω.
 */

import { type Deps, depsOf } from '../primitives/deps.ts';
import { type Participants, WHOLE_STORE } from '../primitives/participants.ts';
import { Status } from '../primitives/status.ts';
import { compare, type Timestamp, type TxnId, ZERO } from '../primitives/timestamp.ts';
import type { Command } from './command.ts';

const NOBODY: Command[] = [];

export class ConflictIndex {
  readonly #from: number;
  readonly #count: number;
  /** By slot, from the group's first on; empty until the first use. */
  #slots: Command[][] = [];
  #maxConflict: Timestamp[] = [];
  /** Transactions over the whole store stand in no slot; they meet all of them. */
  #whole: Command[] = [];
  #maxWhole: Timestamp = ZERO;
  #maxAny: Timestamp = ZERO;
  /** All that stand in some list. */
  readonly #all = new Set<Command>();

  /** Of the conflict slots from `from` up to, and without, `to`. */
  constructor(from: number, to: number) {
    this.#from = from;
    this.#count = to - from;
  }

  get size(): number {
    return this.#all.size;
  }

  /** Whether the table holds memory. */
  get isAllocated(): boolean {
    return this.#slots.length > 0;
  }

  #allocate(): void {
    if (this.#slots.length > 0) return;
    this.#slots = new Array(this.#count).fill(NOBODY);
    this.#maxConflict = new Array(this.#count).fill(ZERO);
  }

  add(command: Command): void {
    if (command.indexed > 0 || command.definition === undefined) return;
    const { participants } = command.definition;
    this.#all.add(command);
    if (participants === WHOLE_STORE) {
      this.#whole.push(command);
      command.indexed = 1;
      return;
    }
    this.#allocate();
    for (let at = 0; at < participants.length; at += 1) {
      const slot = (participants[at] as number) - this.#from;
      const list = this.#slots[slot] as Command[];
      if (list === NOBODY) this.#slots[slot] = [command];
      else list.push(command);
    }
    command.indexed = participants.length;
  }

  remove(command: Command): void {
    if (command.indexed === 0 || command.definition === undefined) return;
    this.#all.delete(command);
    command.indexed = 0;
    const { participants } = command.definition;
    if (participants === WHOLE_STORE) {
      this.#whole = this.#whole.filter((other) => other !== command);
      return;
    }
    for (let at = 0; at < participants.length; at += 1) {
      const slot = (participants[at] as number) - this.#from;
      const list = this.#slots[slot] as Command[];
      if (list.length === 1) {
        if (list[0] === command) this.#slots[slot] = NOBODY;
        continue;
      }
      const index = list.indexOf(command);
      if (index >= 0) list.splice(index, 1);
    }
  }

  /** Highest time ever recorded on these slots; it never goes back. */
  maxConflict(participants: Participants): Timestamp {
    if (participants === WHOLE_STORE) return this.#maxAny;
    let highest = this.#maxWhole;
    if (this.#maxConflict.length === 0) return highest;
    for (let at = 0; at < participants.length; at += 1) {
      const here = this.#maxConflict[(participants[at] as number) - this.#from] as Timestamp;
      if (here !== highest && compare(here, highest) > 0) highest = here;
    }
    return highest;
  }

  /** Records a vote, a proposal or a decision. */
  bump(participants: Participants, time: Timestamp): void {
    if (compare(time, this.#maxAny) > 0) this.#maxAny = time;
    if (participants === WHOLE_STORE) {
      if (compare(time, this.#maxWhole) > 0) this.#maxWhole = time;
      return;
    }
    this.#allocate();
    for (let at = 0; at < participants.length; at += 1) {
      const slot = (participants[at] as number) - this.#from;
      if (compare(time, this.#maxConflict[slot] as Timestamp) > 0) this.#maxConflict[slot] = time;
    }
  }

  /** A floor for all slots: what was forgotten lies below it. */
  raiseFloor(time: Timestamp): void {
    if (compare(time, this.#maxWhole) > 0) this.#maxWhole = time;
    if (compare(time, this.#maxAny) > 0) this.#maxAny = time;
  }

  /** Calls back for every conflicting transaction in the lists; some more than once. */
  forEachConflict(participants: Participants, visit: (command: Command) => void): void {
    if (participants === WHOLE_STORE) {
      for (const command of this.#all) visit(command);
      return;
    }
    for (const command of this.#whole) visit(command);
    if (this.#slots.length === 0) return;
    let last: Command | undefined;
    for (let at = 0; at < participants.length; at += 1) {
      const list = this.#slots[(participants[at] as number) - this.#from] as Command[];
      for (let i = 0; i < list.length; i += 1) {
        const command = list[i] as Command;
        // Neighbouring slots are mostly shared with the same transaction.
        if (command === last) continue;
        last = command;
        visit(command);
      }
    }
  }

  /** calcDeps of accord.md §2.2: every conflict with t0 < bound that is not invalidated. */
  conflictsBelow(self: Command, participants: Participants, bound: Timestamp): Deps {
    const found = new Set<Command>();
    this.forEachConflict(participants, (other) => {
      if (other !== self && other.status !== Status.Invalidated) found.add(other);
    });
    const ids: TxnId[] = [];
    for (const other of found) if (compare(other.id, bound) < 0) ids.push(other.id);
    return depsOf(ids);
  }

  /**
   * A majority has applied `command`: drop from its slots what a majority has applied and what
   * executes before it.
   */
  prune(command: Command, appliedByMajority: (other: Command) => boolean): void {
    const { definition, executeAt } = command;
    if (definition === undefined || executeAt === undefined || command.indexed === 0) return;
    const covered = (other: Command): boolean =>
      other !== command &&
      other.status === Status.Applied &&
      compare(other.executeAt ?? ZERO, executeAt) < 0 &&
      appliedByMajority(other);
    if (definition.participants === WHOLE_STORE) {
      for (const other of [...this.#all]) if (covered(other)) this.remove(other);
      return;
    }
    const { participants } = definition;
    for (let at = 0; at < participants.length; at += 1) {
      const list = this.#slots[(participants[at] as number) - this.#from] as Command[];
      if (list.length < 2) continue;
      for (let i = list.length - 1; i >= 0; i -= 1) {
        const other = list[i] as Command;
        if (!covered(other)) continue;
        list.splice(i, 1);
        other.indexed -= 1;
        if (other.indexed === 0) this.#all.delete(other);
      }
    }
  }
}
