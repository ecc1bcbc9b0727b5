/**
 * The search for a linearization of one key: Wing and Gong's algorithm (1993) with Lowe's memo of
 * configurations (2017), as Porcupine and Knossos have it. `linearizability.ts` calls it per key.
 *
 * The events of the key (invocations and returns, in time order) lie in a list. The search takes an
 * operation invoked before the first return that is left, lets the model step, takes both its
 * events out of the list, and goes on; when nothing fits it takes back the last operation. Three
 * things keep it fast on long histories:
 * - A configuration is (first return left, state, operations taken beyond it), not a bit per
 *   operation: all returns before the first one left are taken, by construction.
 * - An operation that changes nothing and fits may be taken at once, with no second thought: any
 *   order that takes it later is as good when it takes it now.
 * - Open operations are tried last, and of equal ones the earliest first: it can stand for the
 *   rest.
 */
import { type Added, ConfigurationSet, WORDS_MAX_DEFAULT } from './configuration-set.ts';
import { type Events, NONE, orderEvents } from './event-order.ts';
import type { Operation } from './history.ts';
import type { Model, State } from './model.ts';

/** A longest linearizable prefix: as far into the history as any order gets. */
export interface Prefix {
  readonly linearized: readonly Operation[];
  readonly state: State;
  /** Completed operations that had been invoked by then, and that `state` does not admit. */
  readonly unplaced: readonly Operation[];
}

export interface SearchLimits {
  readonly stepsMax: number;
  /** Prefixes reported of a violation. */
  readonly prefixesMax?: number;
  /** 32-bit words of memory for the memo. */
  readonly memoWordsMax?: number;
}

export type SearchResult =
  | { readonly verdict: 'ok'; readonly steps: number; readonly order: readonly Operation[] }
  | { readonly verdict: 'violation'; readonly steps: number; readonly prefixes: readonly Prefix[] }
  | { readonly verdict: 'exhausted'; readonly steps: number };

const PREFIXES_MAX = 3;

/** `operations`: those of one key that may have happened. */
export function search(
  model: Model,
  operations: readonly Operation[],
  limits: SearchLimits,
): SearchResult {
  const first = new Search(model, operations, limits, 0);
  const end = first.run();
  if (end !== 'violation') return { verdict: end, steps: first.steps, order: first.order() };
  // The same search again, which is deterministic, now knows where the longest prefixes end.
  const second = new Search(model, operations, limits, first.furthest);
  second.run();
  return { verdict: 'violation', steps: first.steps, prefixes: second.prefixes };
}

class Search {
  steps = 0;
  /** The latest position of a first return left at which the search got stuck. */
  furthest = 0;
  readonly prefixes: Prefix[] = [];

  readonly #model: Model;
  readonly #operations: readonly Operation[];
  readonly #stepsMax: number;
  readonly #prefixesMax: number;
  readonly #memo: ConfigurationSet;
  /** Position of a first return left at which stuck configurations are kept; 0 keeps none. */
  readonly #collectAt: number;

  /** Events at positions 1..2n of completed operations; 0 is the head, `#end` the end. */
  readonly #events: Events;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  readonly #states: State[] = [];
  readonly #stateIds = new Map<State, number>();

  /** Operations taken so far and the state before each. */
  readonly #taken: Int32Array;
  readonly #stateBefore: Int32Array;
  #depth = 0;
  #state = 0;
  /** Position of the first return left. */
  #frontier = 0;
  /** Taken operations whose return lies beyond the frontier; ascending, without open ones. */
  readonly #ahead: SortedList;
  readonly #openAhead: SortedList;
  /** 1 for taken open operations. */
  readonly #openTaken: Uint8Array;
  readonly #words: Int32Array;

  constructor(
    model: Model,
    operations: readonly Operation[],
    limits: SearchLimits,
    collectAt: number,
  ) {
    this.#model = model;
    this.#operations = operations;
    this.#stepsMax = limits.stepsMax;
    this.#prefixesMax = limits.prefixesMax ?? PREFIXES_MAX;
    this.#memo = new ConfigurationSet(limits.memoWordsMax ?? WORDS_MAX_DEFAULT);
    this.#collectAt = collectAt;
    this.#events = orderEvents(model, operations);
    const positions = this.#events.length + 2;
    this.#next = Int32Array.from({ length: positions }, (_, at) => at + 1);
    this.#previous = Int32Array.from({ length: positions }, (_, at) => at - 1);
    this.#taken = new Int32Array(operations.length);
    this.#stateBefore = new Int32Array(operations.length);
    this.#ahead = new SortedList(operations.length);
    this.#openAhead = new SortedList(operations.length);
    this.#openTaken = new Uint8Array(operations.length);
    this.#words = new Int32Array(operations.length + 2);
    this.#state = this.#intern(model.initial);
    this.#frontier = this.#firstReturnFrom(1);
  }

  run(): 'ok' | 'violation' | 'exhausted' {
    const events = this.#events;
    const end = events.length + 1;
    /** Where the scan of this configuration's candidates goes on: a position, then open ones. */
    let position = this.#next[0] ?? end;
    let open = 0;
    while (this.#frontier !== end) {
      if (this.steps >= this.#stepsMax) return 'exhausted';
      let tried: 'taken' | 'rejected' | 'full' = 'rejected';
      if (position < this.#frontier) {
        tried = this.#try(events.operationAt[position] ?? 0);
        if (tried === 'rejected') position = this.#next[position] ?? end;
      } else if (this.#mayTakeOpen(open)) {
        tried = this.#try(events.open[open] ?? 0);
        if (tried === 'rejected') open += 1;
      } else if (open < events.open.length && this.#isInvoked(open)) {
        open += 1;
      } else {
        this.#stuck();
        if (this.#collectAt > 0 && this.prefixes.length >= this.#prefixesMax) return 'violation';
        const undone = this.#backtrack();
        if (undone === NONE) return 'violation';
        const openIndex = events.openIndex[undone] ?? NONE;
        // Scanning goes on behind the operation that did not work out.
        position = openIndex === NONE ? (this.#next[events.callOf[undone] ?? 0] ?? end) : end;
        open = openIndex === NONE ? 0 : openIndex + 1;
      }
      if (tried === 'full') return 'exhausted';
      if (tried === 'taken') {
        position = this.#next[0] ?? end;
        open = 0;
      }
    }
    return 'ok';
  }

  order(): Operation[] {
    const order: Operation[] = [];
    for (let at = 0; at < this.#depth; at += 1) {
      const operation = this.#operations[this.#taken[at] ?? 0];
      if (operation !== undefined) order.push(operation);
    }
    return order;
  }

  #isInvoked(open: number): boolean {
    return (this.#events.openCall[open] ?? 0) < this.#frontier;
  }

  #mayTakeOpen(open: number): boolean {
    const events = this.#events;
    if (open >= events.open.length || !this.#isInvoked(open)) return false;
    const operation = events.open[open] ?? 0;
    if (this.#openTaken[operation] === 1) return false;
    const twin = events.twin[open] ?? NONE;
    return twin === NONE || this.#openTaken[twin] === 1;
  }

  /** Takes the operation if the model admits it and the configuration is new. */
  #try(id: number): 'taken' | 'rejected' | 'full' {
    this.steps += 1;
    const operation = this.#operations[id];
    if (operation === undefined) return 'rejected';
    const before = this.#states[this.#state] ?? null;
    const after = this.#model.step(before, operation);
    if (after === undefined) return 'rejected';
    const isOpen = operation.outcome === 'unknown';
    // An open operation may never happen; without an effect there is no point in its happening.
    if (isOpen && after === before) return 'rejected';
    this.#stateBefore[this.#depth] = this.#state;
    this.#taken[this.#depth++] = id;
    this.#state = this.#intern(after);
    if (isOpen) this.#takeOpen(id);
    else this.#takeCompleted(id);
    const added = this.#remember();
    if (added === 'added') return 'taken';
    this.#undo();
    return added === 'full' ? 'full' : 'rejected';
  }

  #remember(): Added {
    const words = this.#words;
    words[0] = this.#frontier;
    words[1] = this.#state;
    const coreLength = this.#ahead.copyTo(words, 2);
    return this.#memo.add(words, coreLength, this.#openAhead.copyTo(words, coreLength));
  }

  #takeOpen(id: number): void {
    this.#openTaken[id] = 1;
    this.#openAhead.insert(id);
  }

  #takeCompleted(id: number): void {
    const call = this.#events.callOf[id] ?? 0;
    const back = this.#events.returnOf[id] ?? 0;
    this.#unlink(call);
    this.#unlink(back);
    if (back !== this.#frontier) {
      this.#ahead.insert(id);
      return;
    }
    const frontier = this.#firstReturnFrom(this.#next[0] ?? 0);
    for (let at = back + 1; at < frontier; at += 1) {
      if (this.#events.isReturn[at] === 1) this.#ahead.remove(this.#events.operationAt[at] ?? 0);
    }
    this.#frontier = frontier;
  }

  /** Takes back the last operation and returns it. */
  #undo(): number {
    const id = this.#taken[--this.#depth] ?? 0;
    this.#state = this.#stateBefore[this.#depth] ?? 0;
    if (this.#openTaken[id] === 1) {
      this.#openTaken[id] = 0;
      this.#openAhead.remove(id);
      return id;
    }
    const back = this.#events.returnOf[id] ?? 0;
    if (back < this.#frontier) {
      for (let at = back + 1; at < this.#frontier; at += 1) {
        if (this.#events.isReturn[at] === 1) this.#ahead.insert(this.#events.operationAt[at] ?? 0);
      }
      this.#frontier = back;
    } else {
      this.#ahead.remove(id);
    }
    this.#link(back);
    this.#link(this.#events.callOf[id] ?? 0);
    return id;
  }

  /** Takes back operations up to one whose place another may take; `NONE` if there is none. */
  #backtrack(): number {
    while (this.#depth > 0) {
      const id = this.#undo();
      if (this.#events.readOnly[id] !== 1) return id;
    }
    return NONE;
  }

  #stuck(): void {
    if (this.#frontier > this.furthest) this.furthest = this.#frontier;
    if (this.#collectAt !== this.#frontier || this.#collectAt === 0) return;
    const state = this.#states[this.#state] ?? null;
    if (this.prefixes.some((prefix) => prefix.state === state)) return;
    const unplaced: Operation[] = [];
    for (let at = this.#next[0] ?? 0; at < this.#frontier; at = this.#next[at] ?? 0) {
      const operation = this.#operations[this.#events.operationAt[at] ?? 0];
      const isCall = this.#events.isReturn[at] === 0;
      if (operation === undefined || !isCall) continue;
      // Something still fits, so a longer prefix was stuck before this one.
      if (this.#model.step(state, operation) !== undefined) return;
      unplaced.push(operation);
    }
    this.prefixes.push({ linearized: this.order(), state, unplaced });
  }

  #firstReturnFrom(position: number): number {
    const end = this.#events.length + 1;
    let at = position;
    while (at < end && this.#events.isReturn[at] !== 1) at = this.#next[at] ?? end;
    return at;
  }

  #intern(state: State): number {
    const known = this.#stateIds.get(state);
    if (known !== undefined) return known;
    const id = this.#states.length;
    this.#states.push(state);
    this.#stateIds.set(state, id);
    return id;
  }

  #unlink(at: number): void {
    const next = this.#next[at] ?? 0;
    const previous = this.#previous[at] ?? 0;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  /** The reverse of `#unlink`, in reverse order: the removed node still knows its neighbours. */
  #link(at: number): void {
    this.#next[this.#previous[at] ?? 0] = at;
    this.#previous[this.#next[at] ?? 0] = at;
  }
}

/** A short ascending list of numbers. */
class SortedList {
  readonly #numbers: Int32Array;
  #length = 0;

  constructor(lengthMax: number) {
    this.#numbers = new Int32Array(lengthMax);
  }

  insert(number: number): void {
    let at = this.#length++;
    while (at > 0 && (this.#numbers[at - 1] ?? 0) > number) {
      this.#numbers[at] = this.#numbers[at - 1] ?? 0;
      at -= 1;
    }
    this.#numbers[at] = number;
  }

  remove(number: number): void {
    let at = 0;
    while (this.#numbers[at] !== number) at += 1;
    this.#numbers.copyWithin(at, at + 1, this.#length--);
  }

  /** Returns the position behind the last number copied. */
  copyTo(words: Int32Array, at: number): number {
    for (let from = 0; from < this.#length; from += 1) words[at + from] = this.#numbers[from] ?? 0;
    return at + this.#length;
  }
}
