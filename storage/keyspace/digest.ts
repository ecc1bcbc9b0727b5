/**
 * An order-independent hash over entries: a sum of strong hashes, so that replicas with different
 * orders of keys can be compared. For convergence checks; not on the hot path.
 */
import { createHash } from 'node:crypto';
import { keyOf, type Timestamp } from '../../actors/accord/primitives/timestamp.ts';
import type { Entry } from './entry.ts';

const LANES = 4;

export class KeyspaceDigest {
  readonly #lanes = new Uint32Array(LANES);
  #count = 0;

  add(database: number, key: string, entry: Entry): void {
    const version = keyOf(entry.version);
    const head = `${database}:${key.length}:${entry.type.code}:${entry.deadline}:${version}:`;
    const hash = createHash('sha256').update(head, 'latin1').update(key, 'latin1');
    entry.type.digest(hash, entry.value);
    this.#add(hash.digest());
    this.#count += 1;
  }

  /** A removal of a key in a slot. */
  addRemoval(database: number, slot: number, version: Timestamp): void {
    this.#add(
      createHash('sha256')
        .update(`removal:${database}:${slot}:${keyOf(version)}`)
        .digest(),
    );
  }

  /** The database that clients select by a number. */
  addDatabase(database: number, physical: number, swappedAt: Timestamp): void {
    const hash = createHash('sha256');
    this.#add(hash.update(`database:${database}:${physical}:${keyOf(swappedAt)}`).digest());
  }

  #add(bytes: Buffer): void {
    for (let lane = 0; lane < LANES; lane += 1) {
      // A sum and not an exclusive or: two equal entries must not cancel out.
      this.#lanes[lane] = (this.#lanes[lane] as number) + bytes.readUInt32LE(lane * 4);
    }
  }

  toString(): string {
    const hex = Array.from(this.#lanes, (lane) => lane.toString(16).padStart(8, '0')).join('');
    return `${this.#count}-${hex}`;
  }
}
