/**
 * Knows whether a log alone can bring its store back. It is asked when a store is begun anew
 * beside a log that goes on. Where nothing was ever forgotten, the log is executed again from its
 * beginning. Where something was, the group has lost its data. Pure.
 */
import type { ReplayedRecord } from '../../wal/replay.ts';
import { decodeRecord, groupOfRecord, typeOfRecord } from '../accord/local/journal.ts';
import { equal, ZERO } from '../accord/primitives/timestamp.ts';
import type { GroupDescriptor } from '../accord/topology/group.ts';
import { isMetaGroup } from '../accord/topology/group-id.ts';

const MARK = typeOfRecord('DurableBefore');
const JOINED = typeOfRecord('Joined');

export class Forgotten {
  /** Of the table's group, and of any other: data of one may go on in another. */
  readonly #is = { table: false, keys: false };

  /** Each record of the log, as it is read. */
  note({ type, payload }: Pick<ReplayedRecord, 'type' | 'payload'>): void {
    if (type !== MARK && type !== JOINED) return;
    const record = decodeRecord(type, payload);
    if (record.type === 'DurableBefore' && equal(record.before, ZERO)) return;
    const isTable = isMetaGroup(groupOfRecord(payload));
    this.#is[isTable ? 'table' : 'keys'] = true;
  }

  /** Of the groups that a node began with, those whose data are lost without its store. */
  among(groups: readonly GroupDescriptor[]): readonly GroupDescriptor[] {
    return groups.filter(({ machine }) => this.#is[machine === 'meta' ? 'table' : 'keys']);
  }
}
