/** An engine's facts about each group, besides its data, as of the last completed commit. */
import { type GroupId, GroupMap } from '../../actors/accord/topology/group-id.ts';
import type { FlushBatch, GroupMeta } from '../engine.ts';
import type { SlotBlock } from '../keyspace/slot-counts.ts';
import { BLOCK_SLOTS } from '../keyspace/slot-counts.ts';
import { REDIS_SLOTS } from '../keyspace/slots.ts';
import { databaseOfRow } from './row-key.ts';

interface GroupRows {
  meta: GroupMeta | undefined;
  /** By `keyOfBlock`. */
  readonly blocks: Map<number, SlotBlock>;
  /** By number, what the keys of the rows of dropped collections begin with. */
  readonly dropped: Map<number, Buffer>;
}

/** Blocks of a database. */
const BLOCKS = REDIS_SLOTS / BLOCK_SLOTS;

function keyOfBlock({ database, index }: Pick<SlotBlock, 'database' | 'index'>): number {
  return database * BLOCKS + index;
}

export class GroupTable {
  readonly #groups = new GroupMap<GroupRows>();

  metaOf(group: GroupId): GroupMeta | undefined {
    return this.#groups.get(group)?.meta;
  }

  get metas(): readonly GroupMeta[] {
    return [...this.#groups.values()].flatMap(({ meta }) => meta ?? []);
  }

  countsOf(group: GroupId): readonly SlotBlock[] {
    return [...(this.#groups.get(group)?.blocks.values() ?? [])];
  }

  /** Applied transactions of all groups. */
  get appliedTotal(): number {
    let total = 0;
    for (const { meta } of this.#groups.values()) total += meta?.appliedSequence ?? 0;
    return total;
  }

  /** Of a group that need not be known yet. */
  rowsOf(group: GroupId): GroupRows {
    let rows = this.#groups.get(group);
    if (rows === undefined) {
      rows = { meta: undefined, blocks: new Map(), dropped: new Map() };
      this.#groups.set(group, rows);
    }
    return rows;
  }

  /** The copy does not show later commits. */
  copy(): GroupTable {
    const copy = new GroupTable();
    for (const { meta, blocks, dropped } of this.#groups.values()) {
      if (meta === undefined) continue;
      copy.#groups.set(meta.id, { meta, blocks: new Map(blocks), dropped: new Map(dropped) });
    }
    return copy;
  }

  committed({ meta, databases }: FlushBatch): void {
    const rows = this.rowsOf(meta.id);
    rows.meta = meta;
    if (meta.phase === 'ended') rows.blocks.clear();
    for (const { database, clear, blocks } of databases) {
      for (const [key, block] of clear ? rows.blocks : []) {
        if (block.database === database) rows.blocks.delete(key);
      }
      for (const [number, prefix] of clear ? rows.dropped : []) {
        if (databaseOfRow(prefix) === database) rows.dropped.delete(number);
      }
      for (const block of blocks) rows.blocks.set(keyOfBlock(block), block);
    }
  }

  get hasDropped(): boolean {
    for (const { dropped } of this.#groups.values()) if (dropped.size > 0) return true;
    return false;
  }

  /** All dropped collections of which rows are left. */
  *dropped(): Generator<{ group: GroupId; number: number; prefix: Buffer }, void, undefined> {
    for (const { meta, dropped } of this.#groups.values()) {
      if (meta === undefined) continue;
      for (const [number, prefix] of dropped) yield { group: meta.id, number, prefix };
    }
  }

  addBlock(group: GroupId, block: SlotBlock): void {
    this.rowsOf(group).blocks.set(keyOfBlock(block), block);
  }

  /** Keys of all databases and groups. */
  get keys(): number {
    let keys = 0;
    for (const slots of this.keysOfDatabases().values()) {
      for (const count of slots) keys += count;
    }
    return keys;
  }

  /** Keys of each Redis slot, over all groups, by physical database. */
  keysOfDatabases(): Map<number, Uint32Array> {
    const databases = new Map<number, Uint32Array>();
    for (const { blocks } of this.#groups.values()) {
      for (const { database, index, keys } of blocks.values()) {
        const slots = databases.get(database) ?? new Uint32Array(REDIS_SLOTS);
        databases.set(database, slots);
        keys.forEach((count, i) => {
          const slot = index * BLOCK_SLOTS + i;
          slots[slot] = (slots[slot] ?? 0) + count;
        });
      }
    }
    return databases;
  }

  /** A group of which there are counts but no more. */
  get incomplete(): boolean {
    return [...this.#groups.values()].some(({ meta }) => meta === undefined);
  }
}
