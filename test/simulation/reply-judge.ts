/**
 * Judges what transactions tell their clients, with a view that no client has: which transaction a
 * unit was part of, and when that executed. Needs no model and no search, so it takes any command.
 *
 *  - A transaction that was begun after another one's answer, and meets it, executes later.
 *  - Replies are those of the transactions executed one by one in the order of executeAt.
 */

import {
  compare,
  keyOf,
  max,
  type Timestamp,
  ZERO,
} from '../../actors/accord/primitives/timestamp.ts';
import { toldByOthers } from '../../actors/store/spanning-work.ts';
import { CONFLICT_SLOTS } from '../../storage/keyspace/slots.ts';
import type { ClientUnit, UnitItem } from './client.ts';

interface Answered {
  readonly node: number;
  readonly unit: ClientUnit;
  readonly replies: Buffer;
  readonly order: number;
  /** Commands behind the next one that are to have answered nothing. */
  readonly silent: number;
}

/** One command of an executed body, and what it replied there. */
export interface Replied {
  /** Offset in the body. */
  readonly at: number;
  readonly reply: Buffer;
}

export class ReplyJudge {
  readonly #violation: (what: string) => void;
  readonly #walksInParts: boolean;
  /** By slot: the highest executeAt that a client was told of. */
  readonly #told: Timestamp[] = new Array<Timestamp>(CONFLICT_SLOTS).fill(ZERO);
  #toldWhole = ZERO;
  #toldAny = ZERO;
  /** By executeAt, in the order of execution. */
  readonly #answered = new Map<string, Answered[]>();

  /** `walksInParts`: a page of SCAN is of one group, and ordered with what is in that alone. */
  constructor(violation: (what: string) => void, walksInParts = false) {
    this.#violation = violation;
    this.#walksInParts = walksInParts;
  }

  /** The unit must execute after this. */
  begin(unit: ClientUnit): Timestamp {
    const { participants: slots, wholeStore } = unit.part;
    if (this.#walksInParts && isWalk(unit)) return ZERO;
    if (wholeStore) return this.#toldAny;
    let floor = this.#toldWhole;
    for (const slot of slots) floor = max(floor, this.#told[slot] ?? ZERO);
    return floor;
  }

  /**
   * A transaction has answered the unit; `floor` is what `begin` said of it. `order`: of the units
   * of one transaction, the one that executed first has the lowest.
   */
  answered(
    { node, unit, order, silent = 0 }: Omit<Answered, 'replies' | 'silent'> & { silent?: number },
    floor: Timestamp,
    at: Timestamp,
    bytes: Buffer,
  ): void {
    const key = keyOf(at);
    if (compare(at, floor) <= 0) {
      const both = `${key}, but was begun after the answer of ${keyOf(floor)}`;
      this.#violation(`I20: ${textOf(unit)} at node ${node} executes at ${both}`);
    }
    if (this.#walksInParts && isWalk(unit)) return;
    this.#toldAny = max(this.#toldAny, at);
    if (unit.part.wholeStore) this.#toldWhole = max(this.#toldWhole, at);
    for (const slot of unit.part.participants) this.#told[slot] = max(this.#told[slot] ?? ZERO, at);
    if (hasPage(unit)) return;
    const replies = Buffer.from(bytes);
    const others = this.#answered.get(key);
    if (others === undefined) this.#answered.set(key, [{ node, unit, replies, order, silent }]);
    else others.push({ node, unit, replies, order, silent });
  }

  /** Whether a client got a reply of the transaction that executed then. */
  awaits(executeAt: Timestamp): boolean {
    return this.#answered.has(keyOf(executeAt));
  }

  /** The reply of the transaction of that time when all execute one by one. */
  executed(executeAt: Timestamp, body: Buffer, commands: readonly Replied[]): void {
    let next = 0;
    const all = this.#answered.get(keyOf(executeAt)) ?? [];
    for (const answered of all.toSorted((a, b) => a.order - b.order)) {
      const late = isListing(answered.unit);
      const found = this.#find(answered, body, commands, late ? 0 : next);
      if (found !== undefined && !late) next = found + answered.unit.part.count;
    }
  }

  /** Units of clients that gave up lie between those that were answered. */
  #find(
    { node, unit, replies, silent }: Answered,
    body: Buffer,
    commands: readonly Replied[],
    from: number,
  ): number | undefined {
    const { count } = unit.part;
    const requests = requestsOf(unit.part);
    let expected: string | undefined;
    for (let first = from; first + count <= commands.length; first += 1) {
      const at = commands[first]?.at ?? 0;
      // All but the first byte, which marks the head of a unit.
      const isOwn = (bytes: Uint8Array): boolean =>
        body.subarray(at + 1, at + bytes.length).equals(bytes.subarray(1));
      if (!requests.some(isOwn)) continue;
      const layout = laidOut(unit.items, commands.slice(first, first + count));
      if (layout.equals(replies) || (isListing(unit) && hasSameKeys(layout, replies))) {
        const behind = commands.slice(first + count + 1, first + count + 1 + silent);
        if (behind.some(({ reply }) => reply.length > 0)) {
          this.#violation(`I20: what is behind ${textOf(unit)} has run, and will run once more`);
        }
        return first;
      }
      expected ??= JSON.stringify(layout.toString('latin1'));
    }
    const told = JSON.stringify(replies.toString('latin1'));
    const should = expected ?? 'its transaction does not hold it';
    this.#violation(`I20: node ${node} answers ${textOf(unit)} with ${told}, not ${should}`);
    return undefined;
  }
}

/** KEYS by itself has another form where its node is no member of all groups. */
function requestsOf(part: ClientUnit['part']): readonly Uint8Array[] {
  const told = toldByOthers(part).bytes;
  return told === part.bytes ? [told] : [part.bytes, told];
}

/** KEYS by itself is answered when its listing ends, later than units that executed after it. */
export function isListing({ part }: ClientUnit): boolean {
  if (part.count !== 1) return false;
  return Buffer.from(part.bytes).toString('latin1').slice(1).startsWith('2\r\n$4\r\nKEYS\r\n');
}

/** The groups of a KEYS are listed in no order. */
function hasSameKeys(reply: Buffer, other: Buffer): boolean {
  const [lines, others] = [reply, other].map((each) => each.toString('latin1').split('\r\n'));
  return lines?.sort().join() === others?.sort().join();
}

function isWalk({ part }: ClientUnit): boolean {
  return /^\*\d+\r\n\$4\r\nSCAN\r\n/.test(Buffer.from(part.bytes).toString('latin1'));
}

/** A page of SCAN holds a few keys more or less, by what is in memory. */
function hasPage({ part }: ClientUnit): boolean {
  return /^\*\d+\r\n\$4\r\nSCAN\r\n.*MATCH/s.test(Buffer.from(part.bytes).toString('latin1'));
}

function laidOut(items: readonly UnitItem[], commands: readonly Replied[]): Buffer {
  const parts: Buffer[] = [];
  let next = 0;
  for (const item of items) {
    const count = typeof item === 'number' ? item : item.exec;
    if (typeof item !== 'number') parts.push(Buffer.from(`*${count}\r\n`));
    for (const { reply } of commands.slice(next, next + count)) parts.push(reply);
    next += count;
  }
  return Buffer.concat(parts);
}

const TEXT_CHARS_MAX = 200;

function textOf({ part }: ClientUnit): string {
  const words = Buffer.from(part.bytes).toString('latin1').split('\r\n');
  const text = words.filter((word) => !/^([*$]\d+)?$/.test(word)).join(' ');
  return JSON.stringify(text.slice(0, TEXT_CHARS_MAX));
}
