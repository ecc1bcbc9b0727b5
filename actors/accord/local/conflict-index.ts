/**
 * Finds the transactions of a group that conflict with one another: a table of the group's own
 * slots, so that cost and memory depend on what is under way, not on how many keys there are. The
 * table is allocated on first use: an idle group costs nothing.
 *
 * A slot's list holds every transaction that has not been covered: γ may go once a majority has
 * applied both γ and a later ω on the same slot. Whatever waits for ω waits for γ through it, every
 * recovery of γ meets a replica that knows its decision, and nothing undecided can still be ordered
 * before ω.
 *
 * A batch of thousands of commands stands in as many lists, so these are typed arrays of small
 * numbers: a pass over the slots touches few lines of memory, and asks each transaction once.
 */

import { type Deps, depsOf } from '../primitives/deps.ts';
import { type Participants, WHOLE_STORE } from '../primitives/participants.ts';
import { Status } from '../primitives/status.ts';
import { compare, type Timestamp, type TxnId, ZERO } from '../primitives/timestamp.ts';
import type { Command } from './command.ts';

/** Entries of all lists before the pool grows; entry 0 is none. */
const ENTRIES_MIN = 1_024;
/** The end of a list. */
const END = 0;

export class ConflictIndex {
  readonly #from: number;
  readonly #count: number;
  /** By slot, from the group's first on: the first entry of its list. Empty until first use. */
  #heads = new Int32Array(0);
  #maxConflict: Timestamp[] = [];
  /** By entry: the number of its transaction, and the entry behind it. */
  #holders = new Int32Array(0);
  #next = new Int32Array(0);
  /** Entries that have been used; of these, those that are free again form a list. */
  #used = 1;
  #free = END;
  /** By number; a number is used again when its transaction has left all lists. */
  readonly #commands: (Command | undefined)[] = [];
  readonly #freeNumbers: number[] = [];
  /** By number: the pass that asked last, twice, plus one if the answer was yes. */
  readonly #asked: number[] = [];
  #pass = 0;
  /** Transactions over the whole store stand in no slot; they meet all of them. */
  #whole: Command[] = [];
  #maxWhole: Timestamp = ZERO;
  #maxAny: Timestamp = ZERO;

  /** Of the conflict slots from `from` up to, and without, `to`. */
  constructor(from: number, to: number) {
    this.#from = from;
    this.#count = to - from;
  }

  get size(): number {
    return this.#commands.length - this.#freeNumbers.length;
  }

  /** Whether the table holds memory. */
  get isAllocated(): boolean {
    return this.#heads.length > 0;
  }

  #allocate(): void {
    if (this.isAllocated) return;
    this.#heads = new Int32Array(this.#count);
    this.#maxConflict = new Array(this.#count).fill(ZERO);
    this.#holders = new Int32Array(ENTRIES_MIN);
    this.#next = new Int32Array(ENTRIES_MIN);
  }

  #reserve(entries: number): void {
    let capacity = this.#next.length;
    if (this.#used + entries <= capacity) return;
    while (this.#used + entries > capacity) capacity *= 2;
    const holders = new Int32Array(capacity);
    const next = new Int32Array(capacity);
    holders.set(this.#holders);
    next.set(this.#next);
    this.#holders = holders;
    this.#next = next;
  }

  add(command: Command): void {
    if (command.indexed > 0 || command.definition === undefined) return;
    const { participants } = command.definition;
    const number = this.#freeNumbers.pop() ?? this.#commands.length;
    this.#commands[number] = command;
    this.#asked[number] = 0;
    command.indexNumber = number;
    if (participants === WHOLE_STORE) {
      this.#whole.push(command);
      command.indexed = 1;
      return;
    }
    this.#allocate();
    this.#reserve(participants.length);
    const heads = this.#heads;
    const next = this.#next;
    for (let at = 0; at < participants.length; at += 1) {
      const slot = (participants[at] as number) - this.#from;
      let entry = this.#free;
      if (entry === END) {
        entry = this.#used;
        this.#used += 1;
      } else this.#free = next[entry] as number;
      this.#holders[entry] = number;
      next[entry] = heads[slot] as number;
      heads[slot] = entry;
    }
    command.indexed = participants.length;
  }

  remove(command: Command): void {
    if (command.indexed === 0 || command.definition === undefined) return;
    const { participants } = command.definition;
    if (participants === WHOLE_STORE) {
      this.#whole = this.#whole.filter((other) => other !== command);
      command.indexed = 0;
    } else {
      for (let at = 0; at < participants.length; at += 1) {
        this.#unlink((participants[at] as number) - this.#from, command);
      }
    }
    this.#leave(command);
  }

  #unlink(slot: number, command: Command): void {
    const next = this.#next;
    let before = END;
    let entry = this.#heads[slot] as number;
    while (entry !== END && this.#holders[entry] !== command.indexNumber) {
      before = entry;
      entry = next[entry] as number;
    }
    if (entry !== END) this.#take(slot, before, entry);
  }

  /** Takes the entry behind `before`, or the first one, out of the slot's list. */
  #take(slot: number, before: number, entry: number): void {
    const next = this.#next;
    if (before === END) this.#heads[slot] = next[entry] as number;
    else next[before] = next[entry] as number;
    next[entry] = this.#free;
    this.#free = entry;
    (this.#commands[this.#holders[entry] as number] as Command).indexed -= 1;
  }

  /** It stands in no list any more. */
  #leave({ indexNumber }: Command): void {
    this.#commands[indexNumber] = undefined;
    this.#freeNumbers.push(indexNumber);
  }

  /** Highest time ever recorded on these slots; it never goes back. */
  maxConflict(participants: Participants): Timestamp {
    if (participants === WHOLE_STORE) return this.#maxAny;
    let highest = this.#maxWhole;
    if (!this.isAllocated) return highest;
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
    const highest = this.#maxConflict;
    for (let at = 0; at < participants.length; at += 1) {
      const slot = (participants[at] as number) - this.#from;
      const here = highest[slot] as Timestamp;
      if (here !== time && compare(time, here) > 0) highest[slot] = time;
    }
  }

  /** A floor for all slots: what was forgotten lies below it. */
  raiseFloor(time: Timestamp): void {
    if (compare(time, this.#maxWhole) > 0) this.#maxWhole = time;
    if (compare(time, this.#maxAny) > 0) this.#maxAny = time;
  }

  /** Calls back once for every conflicting transaction in the lists. Change nothing meanwhile. */
  forEachConflict(participants: Participants, visit: (command: Command) => void): void {
    if (participants === WHOLE_STORE) {
      for (const command of this.#commands) if (command !== undefined) visit(command);
      return;
    }
    for (const command of this.#whole) visit(command);
    if (!this.isAllocated) return;
    this.#pass += 2;
    const pass = this.#pass;
    const asked = this.#asked;
    const holders = this.#holders;
    const next = this.#next;
    for (let at = 0; at < participants.length; at += 1) {
      let entry = this.#heads[(participants[at] as number) - this.#from] as number;
      for (; entry !== END; entry = next[entry] as number) {
        const number = holders[entry] as number;
        if (asked[number] === pass) continue;
        asked[number] = pass;
        visit(this.#commands[number] as Command);
      }
    }
  }

  /** calcDeps of accord.md §2.2: every conflict with t0 < bound that is not invalidated. */
  conflictsBelow(self: Command, participants: Participants, bound: Timestamp): Deps {
    const ids: TxnId[] = [];
    this.forEachConflict(participants, (other) => {
      if (other === self || other.status === Status.Invalidated) return;
      if (compare(other.id, bound) < 0) ids.push(other.id);
    });
    return depsOf(ids);
  }

  /**
   * A majority has applied `command`: drop from its slots what a majority has applied and what
   * executes before it.
   */
  prune(command: Command, appliedByMajority: (other: Command) => boolean): void {
    const { definition, executeAt } = command;
    if (definition === undefined || executeAt === undefined || command.indexed === 0) return;
    const isCovered = (other: Command): boolean =>
      other !== command &&
      other.status === Status.Applied &&
      compare(other.executeAt ?? ZERO, executeAt) < 0 &&
      appliedByMajority(other);
    if (definition.participants === WHOLE_STORE) {
      for (const other of this.#commands) {
        if (other !== undefined && isCovered(other)) this.remove(other);
      }
      return;
    }
    this.#pruneSlots(definition.participants, isCovered);
  }

  #pruneSlots(slots: Uint16Array, isCovered: (other: Command) => boolean): void {
    this.#pass += 2;
    const pass = this.#pass;
    const asked = this.#asked;
    const next = this.#next;
    for (let at = 0; at < slots.length; at += 1) {
      const slot = (slots[at] as number) - this.#from;
      let before = END;
      let entry = this.#heads[slot] as number;
      while (entry !== END) {
        const after = next[entry] as number;
        const number = this.#holders[entry] as number;
        let answer = asked[number] as number;
        if (answer < pass) {
          answer = pass + Number(isCovered(this.#commands[number] as Command));
          asked[number] = answer;
        }
        if (answer > pass) this.#takeCovered(slot, before, entry);
        else before = entry;
        entry = after;
      }
    }
  }

  #takeCovered(slot: number, before: number, entry: number): void {
    const command = this.#commands[this.#holders[entry] as number] as Command;
    this.#take(slot, before, entry);
    if (command.indexed === 0) this.#leave(command);
  }
}
