/**
 * The data of a group on their way from chunks into the engine: whole entries, counted per slot,
 * under a group that is `partial` until the last chunk. Only when the counts are those of the
 * donor does the group become one that may be executed. Owns no engine; makes batches.
 */

import { max, type Timestamp, ZERO } from '../../actors/accord/primitives/timestamp.ts';
import {
  blockRowKey,
  decodeRow,
  encodeBlock,
  encodeGroup,
  groupRowKey,
} from '../engine/group-rows.ts';
import { GroupTable } from '../engine/group-table.ts';
import type {
  CollectionRows,
  DatabaseBatch,
  FlushBatch,
  GroupMeta,
  GroupSlots,
} from '../engine.ts';
import { emptyMeta, noChanges } from '../engine.ts';
import { EngineError } from '../errors.ts';
import { NO_DEADLINE } from '../keyspace/entry.ts';
import { blocksWithin, type SlotBlock, SlotCounts } from '../keyspace/slot-counts.ts';
import { redisSlotOf } from '../keyspace/slots.ts';
import { isCollection } from '../types/collection.ts';
import { type ChunkEntry, databasesOf, entriesOf } from './chunk.ts';

/** The rows that describe a group: what the last chunk comes with. */
export interface GroupDescription {
  readonly key: Uint8Array;
  readonly row: Uint8Array;
}

export function describeGroup(meta: GroupMeta, blocks: readonly SlotBlock[]): GroupDescription[] {
  return [
    { key: groupRowKey(meta.id), row: encodeGroup(meta) },
    ...blocks.map((block) => ({ key: blockRowKey(meta.id, block), row: encodeBlock(block) })),
  ];
}

export class Installation {
  readonly group: GroupSlots;
  /** By the physical number of a database. */
  readonly #counts: ReadonlyMap<number, SlotCounts>;
  /** The version of the newest entry so far. */
  #newest: Timestamp = ZERO;
  /** The last entry so far, if it is a large collection: more of its rows may follow. */
  #open: ChunkEntry | undefined;
  #isBegun = false;

  constructor(group: GroupSlots) {
    this.group = group;
    const { fromSlot, toSlot } = group;
    const [first, end] = databasesOf(group);
    this.#counts = new Map(
      Array.from({ length: end - first }, (_, at) => {
        return [first + at, new SlotCounts(first + at, fromSlot, toSlot, [])];
      }),
    );
  }

  /**
   * The writes of the next chunk; the first one removes all that the slots held before.
   *
   * @throws EngineError HOLO_STORE_DAMAGED
   */
  next(chunk: Uint8Array): FlushBatch {
    const entries = this.#whole(entriesOf(chunk, this.#open));
    const clear = !this.#isBegun;
    this.#isBegun = true;
    const meta: GroupMeta = { ...emptyMeta(this.group), phase: 'partial' };
    return { meta, databases: this.#batches(entries, clear) };
  }

  /**
   * The end: the group as the donor describes it, at this place of its own order.
   *
   * @throws EngineError HOLO_STORE_DAMAGED where it is not whole
   */
  last(description: readonly GroupDescription[], appliedSequence: number): FlushBatch {
    const table = tableOf(description);
    const [donor] = table.metas;
    if (donor === undefined || !this.#isBegun) throw notWhole('it has no description');
    const { id, fromSlot, toSlot } = this.group;
    const blocks = blocksWithin(table.countsOf(donor.id), fromSlot, toSlot);
    const entries = this.#open === undefined ? [] : [this.#open];
    this.#open = undefined;
    const rest = this.#batches(entries, false);
    this.#compare(blocks);
    const databases = [...this.#counts.keys()].map((database) => ({
      ...(rest.find((batch) => batch.database === database) ?? noChanges(database)),
      blocks: blocks.filter((block) => block.database === database),
    }));
    const place = { id, fromSlot, toSlot, appliedSequence, appliedUnits: 0 };
    return { meta: { ...donor, ...place, phase: 'open' }, databases };
  }

  /** When anything of it was changed last, or removed. */
  lastChange(description: readonly GroupDescription[]): Timestamp {
    const removals = tableOf(description).metas.flatMap(({ id, clearedAt }) => [
      ...clearedAt,
      ...tableOf(description)
        .countsOf(id)
        .flatMap(({ removedAt }) => removedAt),
    ]);
    return removals.reduce(max, this.#newest);
  }

  /** Those of which all rows are here: of the last one more may come. */
  #whole(entries: readonly ChunkEntry[]): readonly ChunkEntry[] {
    if (entries.length === 0) return [];
    const before = this.#open === undefined ? [] : [this.#open];
    const last = entries.at(-1) as ChunkEntry;
    const all = [...before, ...entries];
    this.#open = isCollection(last.entry.value) ? last : undefined;
    return this.#open === undefined ? all : all.slice(0, -1);
  }

  #batches(entries: readonly ChunkEntry[], clear: boolean): DatabaseBatch[] {
    const batches: DatabaseBatch[] = [];
    for (const [database, counts] of this.#counts) {
      const its = entries.filter((each) => each.database === database);
      if (its.length === 0 && !clear) continue;
      for (const each of its) this.#count(each);
      const blocks = counts.capture();
      batches.push({ ...batchOf(database, its), clear, blocks });
    }
    return batches;
  }

  #count({ database, slot, key, entry }: ChunkEntry): void {
    const redisSlot = redisSlotOf(slot);
    const { fromSlot, toSlot } = this.group;
    if (redisSlot < fromSlot || redisSlot >= toSlot) throw notWhole('a key of other slots');
    const isVolatile = entry.deadline !== NO_DEADLINE;
    const bytes = key.length + entry.bytes;
    const counts = this.#counts.get(database);
    if (counts === undefined) throw notWhole('a key of another database');
    this.#newest = max(this.#newest, entry.version);
    counts.changed(redisSlot, 1, isVolatile ? 1 : 0, bytes);
  }

  #compare(blocks: readonly SlotBlock[]): void {
    for (const [database, counts] of this.#counts) {
      const expected = blocks.filter((block) => block.database === database);
      const { fromSlot, toSlot } = this.group;
      const donor = new SlotCounts(database, fromSlot, toSlot, expected);
      for (let slot = fromSlot; slot < toSlot; slot += 1) {
        const isSame =
          counts.keysIn(slot) === donor.keysIn(slot) &&
          counts.volatileKeysIn(slot) === donor.volatileKeysIn(slot);
        if (!isSame) throw notWhole(`slot ${slot} has other keys than the donor counts`);
      }
    }
  }
}

function tableOf(description: readonly GroupDescription[]): GroupTable {
  const table = new GroupTable();
  for (const { key, row } of description) decodeRow(Buffer.from(key), Buffer.from(row), table);
  return table;
}

function batchOf(database: number, entries: readonly ChunkEntry[]): DatabaseBatch {
  let taken = 0;
  const rows = rowsIn(entries);
  return {
    ...noChanges(database),
    count: entries.length,
    take(limit, visit) {
      const next = entries.slice(taken, taken + limit);
      for (const { key, slot, place, entry } of next) visit({ key, slot, place }, entry);
      taken += next.length;
      return next.length;
    },
    takeRows(limit, visit) {
      let count = 0;
      while (count < limit) {
        const next = rows.next();
        if (next.done === true) return count;
        const { of, row } = next.value;
        visit(of, row.order, row.name, row.value);
        count += 1;
      }
      return count;
    },
  };
}

function* rowsIn(
  entries: readonly ChunkEntry[],
): Generator<{ of: CollectionRows; row: ChunkEntry['rows'][number] }, void, undefined> {
  for (const { database, key, slot, place, entry, rows } of entries) {
    const { value } = entry;
    if (!isCollection(value)) continue;
    const of = { database, key, slot, place, number: value.number };
    for (const row of rows) yield { of, row };
  }
}

function notWhole(what: string): EngineError {
  return new EngineError('HOLO_STORE_DAMAGED', `a snapshot is not whole: ${what}`);
}
