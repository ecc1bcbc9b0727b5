/**
 * One node of the protocol cluster: the pure replica and coordinator, a log that keeps its synced
 * records in a crash (and a random part of the rest), and an engine that survives.
 */
import {
  Coordinator,
  type CoordinatorLimits,
} from '../../../actors/accord/coordinate/coordinator.ts';
import type { Execution } from '../../../actors/accord/local/effects.ts';
import {
  decodeRecord,
  type EncodedRecord,
  encodeRecord,
  type JournalRecord,
} from '../../../actors/accord/local/journal.ts';
import { Replica, type ReplicaMessage } from '../../../actors/accord/local/replica.ts';
import type { ReplicaLimits } from '../../../actors/accord/local/replica-state.ts';
import { HybridClock } from '../../../actors/accord/primitives/hybrid-clock.ts';
import { compare, keyOf } from '../../../actors/accord/primitives/timestamp.ts';
import type { Group } from '../../../actors/accord/topology/group.ts';
import {
  decodeClockLimit,
  encodeClockLimit,
  NODE_RECORDS_FROM,
} from '../../../actors/log/clock-limits.ts';
import { ProtocolViolation } from './protocol-invariants.ts';

export interface LoggedRecord {
  readonly lsn: number;
  readonly type: number;
  readonly payload: Uint8Array;
}

interface Gated {
  readonly lsn: number;
  readonly to: number;
  readonly message: ReplicaMessage;
}

/** In the body of a transaction over the whole store. */
export const EVERY_SLOT = 255;
const WALL_START_US = 1_700_000_000_000_000;
const RESERVE_US = 3_000_000;

export class SimulatedNode {
  readonly id: number;
  /** How far the wall clock is off. */
  skewUs: number;
  replica!: Replica;
  coordinator!: Coordinator;
  clock!: HybridClock;
  up = false;
  incarnation = 0;
  #group!: Group;
  records: LoggedRecord[] = [];
  lsn = 0;
  durableLsn = 0;
  syncing = false;
  /** Replies that wait for the log. */
  gated: Gated[] = [];
  /** Messages to peers that wait for a reservation of the clock. */
  held: Array<{ to: number; message: ReplicaMessage }> = [];
  /** Truncations that wait for the log. */
  truncations: Array<{ lsn: number; fromLsn: number }> = [];
  applied: Execution[] = [];
  /** The engine's content: survives a crash. */
  flushed: Execution[] = [];
  /** LSN of the record that gave an execution its place. */
  readonly appliedLsn = new Map<number, number>();

  constructor(id: number, skewUs: number) {
    this.id = id;
    this.skewUs = skewUs;
  }

  start(
    group: Group,
    nowMs: () => number,
    random: () => number,
    limits: { replica: Partial<ReplicaLimits>; coordinator: Partial<CoordinatorLimits> },
  ): void {
    this.incarnation += 1;
    this.up = true;
    this.#group = group;
    const nowUs = (): number => Math.round(nowMs() * 1_000) + this.skewUs + WALL_START_US;
    const clock = new HybridClock({ node: this.id, store: 0, nowUs, reserveUs: RESERVE_US });
    const self = this.id;
    this.clock = clock;
    this.replica = new Replica({ self, group, clock, random, limits: limits.replica });
    this.coordinator = new Coordinator({ self, group, clock, limits: limits.coordinator });
    this.gated = [];
    this.held = [];
    this.truncations = [];
    this.syncing = false;
    this.applied = [...this.flushed];
    for (const { type, payload, lsn } of this.records) {
      if (type >= NODE_RECORDS_FROM) clock.restore(decodeClockLimit(type, payload));
      else this.replica.restore(decodeRecord(type, payload), lsn);
    }
    this.lsn = Math.max(this.lsn, this.records.at(-1)?.lsn ?? 0);
    this.durableLsn = this.lsn;
    this.replica.restored(this.flushed.at(-1)?.sequence ?? 0, nowMs());
  }

  append(record: JournalRecord): number {
    const lsn = this.#write(encodeRecord(this.#group.id, record));
    if (record.type === 'Applied') this.appliedLsn.set(record.sequence, lsn);
    return lsn;
  }

  /** A record of the node's log, not of the replica. */
  appendLimit(limitUs: number): number {
    return this.#write(encodeClockLimit(limitUs));
  }

  #write({ type, parts }: EncodedRecord): number {
    this.lsn += 1;
    this.records.push({ lsn: this.lsn, type, payload: Buffer.concat(parts) });
    return this.lsn;
  }

  /** The same for a record of the replica, which wants to know where a transaction begins. */
  persist(record: JournalRecord): number {
    const lsn = this.append(record);
    if ('id' in record) this.replica.logged(record.id, lsn);
    return lsn;
  }

  /** Nothing below this LSN is needed, once all that is written by now is durable. */
  cutLog(fromLsn: number): void {
    this.truncations.push({ lsn: this.lsn, fromLsn });
  }

  /** Cuts the log as far as that may be done now; the replies that may leave. */
  takeDurable(): Gated[] {
    const isOver = ({ lsn }: { lsn: number }): boolean => lsn > this.durableLsn;
    for (const { fromLsn } of takeUntil(this.truncations, isOver)) {
      const limit = this.records.findLast(({ type }) => type >= NODE_RECORDS_FROM);
      this.records = this.records.filter((each) => each.lsn >= fromLsn || each === limit);
    }
    return takeUntil(this.gated, isOver);
  }

  /** Executes, and looks whether the order is kept: I10, and that every place is taken once. */
  execute(execution: Execution): void {
    const key = keyOf(execution.id);
    const slots = slotsOf(execution);
    const expected = (this.applied.at(-1)?.sequence ?? 0) + 1;
    if (execution.sequence !== expected) {
      throw new ProtocolViolation(
        `node ${this.id}: sequence ${execution.sequence}, not ${expected}`,
      );
    }
    for (const earlier of this.applied) {
      if (keyOf(earlier.id) === key) throw new ProtocolViolation(`${key} applied twice`);
      const conflict = share(slotsOf(earlier), slots);
      if (conflict && compare(earlier.executeAt, execution.executeAt) > 0) {
        throw new ProtocolViolation(
          `I10: node ${this.id} applies ${key} after ${keyOf(earlier.id)}, which executes later`,
        );
      }
    }
    this.applied.push(execution);
  }

  /** The engine takes what has been applied, as far as the log knows the order durably. */
  flush(): void {
    for (let at = this.flushed.length; at < this.applied.length; at += 1) {
      const execution = this.applied[at] as Execution;
      if ((this.appliedLsn.get(execution.sequence) ?? Infinity) > this.durableLsn) break;
      this.flushed.push(execution);
    }
    this.replica.flushed(this.flushed.at(-1)?.sequence ?? 0);
  }

  /** Power is cut: `keep` (0 to 1) of what was not synced survives. */
  cut(keep: number): void {
    this.up = false;
    const kept = this.durableLsn + Math.floor(keep * (this.lsn - this.durableLsn + 1));
    this.records = this.records.filter(({ lsn }) => lsn <= kept);
    this.lsn = kept;
    for (const [sequence, lsn] of this.appliedLsn) if (lsn > kept) this.appliedLsn.delete(sequence);
  }
}

/** In this model the body is the list of slots. */
function slotsOf(execution: Execution): readonly number[] {
  return [...execution.body];
}

export function share(a: readonly number[], b: readonly number[]): boolean {
  if (a.includes(EVERY_SLOT) || b.includes(EVERY_SLOT)) return true;
  return a.some((slot) => b.includes(slot));
}

/** Removes and returns what comes before the first that is over. */
function takeUntil<T>(queue: T[], isOver: (item: T) => boolean): T[] {
  const end = queue.findIndex(isOver);
  return queue.splice(0, end < 0 ? queue.length : end);
}
