/**
 * Clients whose command over several groups has found nothing. The group that executes it first
 * answers the client; the others note the keys that are theirs when they come to it in their own
 * orders. Until then the clients are known here. Pure.
 */
import type { UnitId } from '../../transport/resp/connection/part.ts';

interface SpanningWait {
  /** Of the transaction. */
  readonly key: string;
  readonly unit: UnitId;
  /** Groups of this store that have not executed it. */
  left: number;
}

export class SpanningWaits {
  /** By connection: only its last attempt counts. */
  readonly #waits = new Map<number, SpanningWait>();
  /** Connections, by transaction. */
  readonly #connections = new Map<string, number>();

  get size(): number {
    return this.#waits.size;
  }

  /** Some group has answered that there is nothing; `left` others are to execute it. */
  begin(key: string, unit: UnitId, left: number): void {
    this.#drop(unit.connection);
    if (left === 0) return;
    this.#waits.set(unit.connection, { key, unit, left });
    this.#connections.set(key, unit.connection);
  }

  has(key: string): boolean {
    return this.#connections.has(key);
  }

  /** A further group has executed the transaction: the client that waits, if one still does. */
  next(key: string): UnitId | undefined {
    const connection = this.#connections.get(key);
    const wait = connection === undefined ? undefined : this.#waits.get(connection);
    if (wait === undefined) return undefined;
    wait.left -= 1;
    if (wait.left === 0) this.#drop(wait.unit.connection);
    return wait.unit;
  }

  /** The client waits no longer, unless it has made a later attempt. */
  stop({ connection, sequence }: UnitId): void {
    const wait = this.#waits.get(connection);
    if (wait !== undefined && wait.unit.sequence <= sequence) this.#drop(connection);
  }

  /** Another client waits for the same keys in its place. */
  pass(from: UnitId, to: UnitId): void {
    const wait = this.#waits.get(from.connection);
    if (wait === undefined || wait.unit.sequence > from.sequence) return;
    this.#drop(from.connection);
    this.begin(wait.key, to, wait.left);
  }

  /** All that wait are to try again. */
  clear(): void {
    this.#waits.clear();
    this.#connections.clear();
  }

  #drop(connection: number): void {
    const wait = this.#waits.get(connection);
    if (wait === undefined) return;
    this.#waits.delete(connection);
    this.#connections.delete(wait.key);
  }
}
