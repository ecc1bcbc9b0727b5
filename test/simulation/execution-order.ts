/**
 * The order of execution over all replicas: each slot has one order, in which the decided times
 * ascend (I10), and a transaction that executes after another waits for it, directly or through
 * those between them (I9). Fed by `invariants.ts`.
 */

import type { Execution } from '../../actors/accord/local/effects.ts';
import { type Deps, includes, isSubset } from '../../actors/accord/primitives/deps.ts';
import type { Participants } from '../../actors/accord/primitives/participants.ts';
import {
  compare,
  keyOf,
  type Timestamp,
  type TxnId,
  ZERO,
} from '../../actors/accord/primitives/timestamp.ts';

interface Transaction {
  readonly id: TxnId;
  readonly key: string;
  slots: readonly number[] | undefined;
  executeAt: Timestamp | undefined;
  /** Stable deps; replicas may hold different ones. */
  readonly versions: Deps[];
  /** How many replicas have executed it, in their present lives. */
  executedAt: number;
}

interface Executed {
  readonly transaction: Transaction;
}

export class ExecutionOrder {
  /** Below it everything is applied everywhere: there is nothing to wait for. */
  durableBefore: Timestamp = ZERO;
  readonly #violation: (what: string) => void;
  readonly #transactions = new Map<string, Transaction>();
  /** By slot: decided to execute, in the order of their times. */
  readonly #decided = new Map<number, Transaction[]>();
  /** By slot: as first executed anywhere. */
  readonly #executed = new Map<number, string[]>();
  readonly #replicas = new Map<number, { log: Executed[]; positions: Map<number, number> }>();

  constructor(members: readonly number[], violation: (what: string) => void) {
    this.#violation = violation;
    for (const node of members) this.#replicas.set(node, { log: [], positions: new Map() });
  }

  #of(id: TxnId): Transaction {
    const key = keyOf(id);
    const known = this.#transactions.get(key);
    if (known !== undefined) return known;
    const transaction = {
      id,
      key,
      slots: undefined,
      executeAt: undefined,
      versions: [],
      executedAt: 0,
    };
    this.#transactions.set(key, transaction);
    return transaction;
  }

  /** No node has it on record any more; its id may be used again for other commands. */
  lost(key: string): void {
    const transaction = this.#transactions.get(key);
    if (transaction?.executeAt === undefined) this.#transactions.delete(key);
  }

  defined(id: TxnId, participants: Participants): void {
    const transaction = this.#of(id);
    if (transaction.slots !== undefined || typeof participants === 'string') return;
    transaction.slots = [...participants];
    if (transaction.executeAt !== undefined) this.#insert(transaction);
  }

  decided(id: TxnId, executeAt: Timestamp): void {
    const transaction = this.#of(id);
    if (transaction.executeAt !== undefined) return;
    transaction.executeAt = executeAt;
    if (transaction.slots !== undefined) this.#insert(transaction);
  }

  stable(id: TxnId, deps: Deps): void {
    const transaction = this.#of(id);
    const same = (other: Deps): boolean => other.length === deps.length && isSubset(deps, other);
    if (transaction.versions.some(same)) return;
    transaction.versions.push(deps);
    for (const slot of transaction.slots ?? []) this.#check(slot, transaction);
  }

  #insert(transaction: Transaction): void {
    for (const slot of transaction.slots ?? []) {
      const list = this.#decided.get(slot) ?? [];
      this.#decided.set(slot, list);
      let at = list.length;
      while (at > 0 && isAfter(list[at - 1], transaction)) at -= 1;
      list.splice(at, 0, transaction);
      this.#check(slot, transaction);
      const next = list[at + 1];
      if (next !== undefined) this.#check(slot, next);
    }
  }

  /** I9 for a transaction and the one right before it on the slot; by induction, for all before. */
  #check(slot: number, transaction: Transaction): void {
    const list = this.#decided.get(slot) ?? [];
    const before = list[list.lastIndexOf(transaction) - 1];
    if (before === undefined || transaction.versions.length === 0) return;
    if (before.executedAt === this.#replicas.size) return;
    if (compare(before.id, this.durableBefore) < 0) return;
    for (const deps of transaction.versions) {
      if (this.#waitsFor(deps, before, transaction)) continue;
      this.#violation(`I9: ${transaction.key} does not wait for ${before.key} on slot ${slot}`);
    }
  }

  #waitsFor(deps: Deps, before: Transaction, after: Transaction): boolean {
    const visited = new Set<string>();
    const stack: Deps[] = [deps];
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      if (includes(next, before.id)) return true;
      for (const id of next) {
        const key = keyOf(id);
        const between = this.#transactions.get(key);
        if (visited.has(key) || between?.executeAt === undefined) continue;
        visited.add(key);
        if (isAfter(between, after) || !isAfter(between, before)) continue;
        const [first] = between.versions;
        if (first !== undefined) stack.push(first);
      }
    }
    return false;
  }

  /** I10: at every replica the same beginning of one order, each transaction once. */
  executed(node: number, execution: Execution): void {
    const replica = this.#replicas.get(node);
    if (replica === undefined) return;
    const transaction = this.#of(execution.id);
    if (execution.sequence !== replica.log.length + 1) {
      const numbers = `${execution.sequence} after ${replica.log.length}`;
      this.#violation(`I10: node ${node} executes number ${numbers}`);
    }
    replica.log.push({ transaction });
    transaction.executedAt += 1;
    for (const slot of transaction.slots ?? []) {
      const order = this.#executed.get(slot) ?? [];
      this.#executed.set(slot, order);
      const position = replica.positions.get(slot) ?? 0;
      replica.positions.set(slot, position + 1);
      const expected = order[position];
      if (expected !== undefined) {
        if (expected === transaction.key) continue;
        const both = `${transaction.key} where others have ${expected}`;
        this.#violation(`I10: node ${node} executes ${both}, on slot ${slot}`);
        continue;
      }
      const last = this.#transactions.get(order.at(-1) ?? '');
      if (last !== undefined && isAfter(last, transaction)) {
        const both = `${transaction.key} after ${last.key}`;
        this.#violation(`I10: node ${node} executes ${both}, on slot ${slot}, against their times`);
      }
      order.push(transaction.key);
    }
  }

  /** Its store is gone: what it orders from now on is void, or counted anew. */
  forgets(node: number): void {
    this.#replicas.delete(node);
  }

  /** The store holds the first `flushedSequence` executions; the others will be done again. */
  restarted(node: number, flushedSequence: number): void {
    const replica = this.#replicas.get(node);
    if (replica === undefined) return;
    if (flushedSequence > replica.log.length) {
      const numbers = `${flushedSequence} executions, it did ${replica.log.length}`;
      this.#violation(`I10: the store of node ${node} holds ${numbers}`);
    }
    for (const { transaction } of replica.log.splice(flushedSequence)) {
      transaction.executedAt -= 1;
      for (const slot of transaction.slots ?? []) {
        replica.positions.set(slot, (replica.positions.get(slot) ?? 1) - 1);
      }
    }
  }

  checkAll(): void {
    for (const [slot, list] of this.#decided) {
      for (const transaction of list) this.#check(slot, transaction);
    }
  }
}

function isAfter(a: Transaction | undefined, b: Transaction): boolean {
  return compare(a?.executeAt ?? ZERO, b.executeAt ?? ZERO) > 0;
}
