/** A view of an LMDB store as of one commit: a read transaction that stays open. */
import type { GroupId } from '../../actors/accord/topology/group-id.ts';
import type { CollectionRows, ElementRow, EngineSnapshot, GroupMeta } from '../engine.ts';
import type { StoredEntry } from '../keyspace/entry.ts';
import { decodeRow, groupRowKey } from './group-rows.ts';
import { GroupTable } from './group-table.ts';
import type { StoredRows } from './lmdb-check.ts';
import { bufferOf, elementsOf, type LmdbRows, pageOf, reading, rowOf } from './lmdb-rows.ts';
import type { OpenSnapshots } from './open-snapshots.ts';

interface SnapshotSource {
  readonly data: LmdbRows;
  readonly elements: LmdbRows;
  readonly info: LmdbRows;
  readonly transaction: { done(): void };
}

export class LmdbSnapshot implements EngineSnapshot {
  readonly #source: SnapshotSource;
  readonly #life: ReturnType<OpenSnapshots['add']>;

  constructor(source: SnapshotSource, snapshots: OpenSnapshots) {
    this.#source = source;
    this.#life = snapshots.add(() => source.transaction.done());
  }

  metaOf(group: GroupId): GroupMeta | undefined {
    this.#life.assertOpen();
    const { info, transaction } = this.#source;
    const key = groupRowKey(group);
    const row = rowOf(info, key, { transaction });
    if (row === undefined) return undefined;
    const table = new GroupTable();
    decodeRow(key, row, table);
    return table.metaOf(group);
  }

  page(database: number, from: number, to: number, limit: number): StoredEntry[] {
    this.#life.assertOpen();
    const { data, transaction } = this.#source;
    return pageOf(data, { transaction }, database, from, to, limit);
  }

  rows(of: CollectionRows, after: ElementRow | undefined, limit: number): ElementRow[] {
    this.#life.assertOpen();
    const { elements, transaction } = this.#source;
    return elementsOf(elements, { transaction }, of, after, limit);
  }

  /** The rows of the keys, or those of the collections, for the check. */
  stored(of: 'data' | 'elements'): StoredRows {
    const { [of]: rows, transaction } = this.#source;
    return {
      keysAfter: (after, limit) => {
        this.#life.assertOpen();
        const start = after === undefined ? {} : { start: after, exclusiveStart: true };
        return reading(() => [...rows.getKeys({ ...start, limit, transaction })]).map(bufferOf);
      },
      find: (key) => {
        this.#life.assertOpen();
        return rowOf(rows, key, { transaction });
      },
    };
  }

  close(): void {
    this.#life.close();
  }
}
