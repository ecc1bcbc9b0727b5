/**
 * Commands in the order of their ids, for work on ranges of time. The cost of a range depends on
 * its own commands, not on all that are retained. Ids arrive almost in order, so most additions are
 * appends; the others take a binary search and a move inside one short chunk.
 */

import { compare, type Timestamp, type TxnId, ZERO } from '../primitives/timestamp.ts';
import type { Command } from './command.ts';

const CHUNK_COMMANDS_MAX = 512;

export class CommandOrder implements Iterable<Command> {
  /** Ascending, none of them empty. */
  readonly #chunks: Command[][] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** It must not stand here already. */
  add(command: Command): void {
    this.#size += 1;
    const index = this.#chunkOf(command.id);
    const chunk = this.#chunks[index];
    if (chunk === undefined) {
      this.#chunks.push([command]);
      return;
    }
    const last = chunk.at(-1) as Command;
    if (compare(last.id, command.id) < 0) chunk.push(command);
    else chunk.splice(placeOf(chunk, command.id), 0, command);
    if (chunk.length <= CHUNK_COMMANDS_MAX) return;
    // At the end the chunk stays full: what follows is appended to the new one.
    const isLast = index === this.#chunks.length - 1;
    const kept = isLast ? CHUNK_COMMANDS_MAX : CHUNK_COMMANDS_MAX / 2;
    this.#chunks.splice(index + 1, 0, chunk.splice(kept));
  }

  /** `false`: it does not stand here. */
  delete(command: Command): boolean {
    const index = this.#chunkOf(command.id);
    const chunk = this.#chunks[index];
    if (chunk === undefined) return false;
    const place = placeOf(chunk, command.id);
    if (chunk[place] !== command) return false;
    this.#size -= 1;
    if (chunk.length === 1) this.#chunks.splice(index, 1);
    else chunk.splice(place, 1);
    return true;
  }

  /** Removes and returns everything with an id below `end`, ascending. */
  takeBelow(end: Timestamp): Command[] {
    const taken: Command[] = [];
    let whole = 0;
    for (const chunk of this.#chunks) {
      const last = chunk.at(-1) as Command;
      if (compare(last.id, end) < 0) {
        for (const command of chunk) taken.push(command);
        whole += 1;
        continue;
      }
      for (const command of chunk.splice(0, placeOf(chunk, end))) taken.push(command);
      break;
    }
    this.#chunks.splice(0, whole);
    this.#size -= taken.length;
    return taken;
  }

  /** Ascending, beginning with the first id that is not below `start`. Change nothing meanwhile. */
  *from(start: Timestamp): Generator<Command, void, undefined> {
    const first = this.#chunkOf(start);
    for (let index = first; index < this.#chunks.length; index += 1) {
      const chunk = this.#chunks[index] as Command[];
      let place = index === first ? placeOf(chunk, start) : 0;
      for (; place < chunk.length; place += 1) yield chunk[place] as Command;
    }
  }

  [Symbol.iterator](): Generator<Command, void, undefined> {
    return this.from(ZERO);
  }

  /** The last chunk that begins at or below the id, else the first. */
  #chunkOf(id: TxnId): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      // Rounded up, so that the newest chunk is tried early where there are few.
      const middle = (low + high + 1) >>> 1;
      const [first] = this.#chunks[middle] as [Command];
      if (compare(first.id, id) <= 0) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Of the first id that is not below `id`. */
function placeOf(chunk: readonly Command[], id: Timestamp): number {
  let low = 0;
  let high = chunk.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare((chunk[middle] as Command).id, id) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
