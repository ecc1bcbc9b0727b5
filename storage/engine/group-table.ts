/** An engine's facts about each group, besides its data, as of the last completed commit. */
import { type GroupId, GroupMap } from '../../actors/accord/topology/group-id.ts';
import type { FlushBatch, GroupMeta } from '../engine.ts';
import type { SlotBlock } from '../keyspace/slot-counts.ts';
import { BLOCK_SLOTS } from '../keyspace/slot-counts.ts';

interface GroupRows {
  meta: GroupMeta | undefined;
  readonly blocks: Map<number, SlotBlock>;
}

export class GroupTable {
  readonly #groups = new GroupMap<GroupRows>();

  metaOf(group: GroupId): GroupMeta | undefined {
    return this.#groups.get(group)?.meta;
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
      rows = { meta: undefined, blocks: new Map() };
      this.#groups.set(group, rows);
    }
    return rows;
  }

  /** The copy does not show later commits. */
  copy(): GroupTable {
    const copy = new GroupTable();
    for (const { meta, blocks } of this.#groups.values()) {
      if (meta === undefined) continue;
      copy.#groups.set(meta.id, { meta, blocks: new Map(blocks) });
    }
    return copy;
  }

  committed({ meta, clear, blocks }: FlushBatch): void {
    const rows = this.rowsOf(meta.id);
    rows.meta = meta;
    if (clear) rows.blocks.clear();
    for (const block of blocks) rows.blocks.set(block.index, block);
  }

  /** Keys of each Redis slot, over all groups. */
  keysOfSlots(slots: number): Uint32Array {
    const keys = new Uint32Array(slots);
    for (const { blocks } of this.#groups.values()) {
      for (const block of blocks.values()) {
        block.keys.forEach((count, i) => {
          const slot = block.index * BLOCK_SLOTS + i;
          keys[slot] = (keys[slot] ?? 0) + count;
        });
      }
    }
    return keys;
  }

  /** A group of which there are counts but no more. */
  get incomplete(): boolean {
    return [...this.#groups.values()].some(({ meta }) => meta === undefined);
  }
}
