/**
 * The rows of a group beside its data: one that says up to where it is applied, and one per block
 * of Redis slots with their counts. A block without a row is empty. And one for each dropped
 * collection of which rows are left: it holds what the keys of those rows begin with. Their keys,
 * big endian:
 *
 *   1 u8 | range u32 | generation u32
 *   2 u8 | range u32 | generation u32 | database u16 | block u16
 *   3 u8 | range u32 | generation u32 | number u48
 */
import { crc32 } from 'node:zlib';
import {
  readTimestamp,
  TIMESTAMP_BYTES,
  type Timestamp,
  writeTimestamp,
  ZERO,
} from '../../actors/accord/primitives/timestamp.ts';
import type { GroupId } from '../../actors/accord/topology/group-id.ts';
import type { DatabaseMarks, GroupMeta, GroupPhase } from '../engine.ts';
import { EngineError } from '../errors.ts';
import { BLOCK_SLOTS, type SlotBlock } from '../keyspace/slot-counts.ts';
import { DATABASES } from '../limits.ts';
import type { GroupTable } from './group-table.ts';

const GROUP = 1;
const BLOCK = 2;
const DROPPED = 3;
const GROUP_KEY_BYTES = 9;
const BLOCK_KEY_BYTES = 13;
const DROPPED_KEY_BYTES = 15;
const NUMBER_BYTES = 6;
/** By kind. */
const KEY_BYTES = new Map([
  [GROUP, GROUP_KEY_BYTES],
  [BLOCK, BLOCK_KEY_BYTES],
  [DROPPED, DROPPED_KEY_BYTES],
]);

const META_LAYOUT = 8;
const PHASES: readonly GroupPhase[] = ['open', 'ended', 'left', 'partial', 'lost'];
const MARKS_AT = 1 + 2 * 2 + 2 * 8;
/** Of one database: when it was cleared, and what its number means since when. */
const MARKS_BYTES = TIMESTAMP_BYTES + 2 + TIMESTAMP_BYTES;
const MARKS_END = MARKS_AT + DATABASES * MARKS_BYTES;
const META_CHECKED_BYTES = MARKS_END + NUMBER_BYTES + 1;
const CHECKSUM_BYTES = 4;

const BLOCK_LAYOUT = 1;
const COUNTS_BYTES = 2 * 4 + 8 + TIMESTAMP_BYTES;
const BLOCK_CHECKED_BYTES = 1 + BLOCK_SLOTS * COUNTS_BYTES;

export function groupRowKey(group: GroupId): Buffer {
  return keyOf(GROUP, group, GROUP_KEY_BYTES);
}

export function blockRowKey(
  group: GroupId,
  { database, index }: Pick<SlotBlock, 'database' | 'index'>,
): Buffer {
  const key = keyOf(BLOCK, group, BLOCK_KEY_BYTES);
  key.writeUInt16BE(database, GROUP_KEY_BYTES);
  key.writeUInt16BE(index, GROUP_KEY_BYTES + 2);
  return key;
}

export function droppedRowKey(group: GroupId, number: number): Buffer {
  const key = keyOf(DROPPED, group, DROPPED_KEY_BYTES);
  key.writeUIntBE(number, GROUP_KEY_BYTES, NUMBER_BYTES);
  return key;
}

function keyOf(kind: number, { range, generation }: GroupId, bytes: number): Buffer {
  const key = Buffer.alloc(bytes);
  key[0] = kind;
  key.writeUInt32BE(range, 1);
  key.writeUInt32BE(generation, 5);
  return key;
}

export function encodeGroup(meta: GroupMeta): Buffer {
  const row = Buffer.alloc(META_CHECKED_BYTES + CHECKSUM_BYTES);
  let at = row.writeUInt8(META_LAYOUT, 0);
  at = row.writeUInt16LE(meta.fromSlot, at);
  at = row.writeUInt16LE(meta.toSlot, at);
  at = row.writeDoubleLE(meta.appliedSequence, at);
  at = row.writeDoubleLE(meta.appliedUnits, at);
  for (let database = 0; database < DATABASES; database += 1) {
    const { physical, swappedAt } = meta.databases[database] ?? { physical: 0, swappedAt: ZERO };
    writeMark(row, at, meta.clearedAt[database] ?? ZERO);
    row.writeUInt16LE(physical, at + TIMESTAMP_BYTES);
    writeMark(row, at + TIMESTAMP_BYTES + 2, swappedAt);
    at += MARKS_BYTES;
  }
  at = row.writeUIntLE(meta.lastCollection, at, NUMBER_BYTES);
  row.writeUInt8(PHASES.indexOf(meta.phase), at);
  return sealed(row);
}

export function encodeBlock(block: SlotBlock): Buffer {
  const row = Buffer.alloc(BLOCK_CHECKED_BYTES + CHECKSUM_BYTES);
  let at = row.writeUInt8(BLOCK_LAYOUT, 0);
  for (let i = 0; i < BLOCK_SLOTS; i += 1) {
    at = row.writeUInt32LE(block.keys[i] ?? 0, at);
    at = row.writeUInt32LE(block.volatileKeys[i] ?? 0, at);
    at = row.writeDoubleLE(block.bytes[i] ?? 0, at);
    writeMark(row, at, block.removedAt[i] ?? ZERO);
    at += TIMESTAMP_BYTES;
  }
  return sealed(row);
}

/** Zeroes stand for `ZERO`. */
function writeMark(row: Buffer, at: number, version: Timestamp): void {
  if (version !== ZERO) writeTimestamp(row, at, version);
}

function readMark(row: Buffer, at: number): Timestamp {
  const version = readTimestamp(row, at);
  return version.hlc === 0 ? ZERO : version;
}

/** The prefix begins the keys of all rows of the collection. */
export function encodeDropped(prefix: Buffer): Buffer {
  const row = Buffer.alloc(prefix.length + CHECKSUM_BYTES);
  row.set(prefix);
  return sealed(row);
}

function sealed(row: Buffer): Buffer {
  const end = row.length - CHECKSUM_BYTES;
  row.writeUInt32LE(crc32(row.subarray(0, end)), end);
  return row;
}

/**
 * Adds a row to what is known of its group; `table` holds that.
 *
 * @throws EngineError HOLO_STORE_DAMAGED
 */
export function decodeRow(key: Buffer, row: Buffer, table: GroupTable): void {
  const kind = KEY_BYTES.get(key[0] ?? 0) === key.length ? (key[0] ?? 0) : 0;
  if (kind === 0) throw damaged('a row has an unknown key');
  const group = { range: key.readUInt32BE(1), generation: key.readUInt32BE(5) };
  if (kind === DROPPED) {
    if (!isSealed(row)) throw damaged('the row of a dropped collection is damaged');
    const number = key.readUIntBE(GROUP_KEY_BYTES, NUMBER_BYTES);
    table.rowsOf(group).dropped.set(number, Buffer.from(row.subarray(0, -CHECKSUM_BYTES)));
    return;
  }
  const bytes = kind === GROUP ? META_CHECKED_BYTES : BLOCK_CHECKED_BYTES;
  const layout = kind === GROUP ? META_LAYOUT : BLOCK_LAYOUT;
  if (row.length !== bytes + CHECKSUM_BYTES || row[0] !== layout) {
    throw damaged('the row of a group has an unknown layout');
  }
  if (!isSealed(row)) {
    throw damaged('the row of a group does not match its checksum');
  }
  if (kind === GROUP) {
    table.rowsOf(group).meta = decodeGroup(group, row);
  } else {
    const database = key.readUInt16BE(GROUP_KEY_BYTES);
    const index = key.readUInt16BE(GROUP_KEY_BYTES + 2);
    table.addBlock(group, decodeBlock(database, index, row));
  }
}

function isSealed(row: Buffer): boolean {
  const end = row.length - CHECKSUM_BYTES;
  return end > 0 && row.readUInt32LE(end) === crc32(row.subarray(0, end));
}

function decodeGroup(id: GroupId, row: Buffer): GroupMeta {
  const clearedAt: Timestamp[] = [];
  const databases: DatabaseMarks[] = [];
  for (let at = MARKS_AT; at < MARKS_END; at += MARKS_BYTES) {
    clearedAt.push(readMark(row, at));
    const physical = row.readUInt16LE(at + TIMESTAMP_BYTES);
    databases.push({ physical, swappedAt: readMark(row, at + TIMESTAMP_BYTES + 2) });
  }
  return {
    id,
    fromSlot: row.readUInt16LE(1),
    toSlot: row.readUInt16LE(3),
    appliedSequence: row.readDoubleLE(5),
    appliedUnits: row.readDoubleLE(13),
    clearedAt,
    databases,
    lastCollection: row.readUIntLE(MARKS_END, NUMBER_BYTES),
    phase: phaseOf(row.readUInt8(MARKS_END + NUMBER_BYTES)),
  };
}

function phaseOf(code: number): GroupPhase {
  const phase = PHASES[code];
  if (phase === undefined) throw damaged('the row of a group has an unknown phase');
  return phase;
}

function decodeBlock(database: number, index: number, row: Buffer): SlotBlock {
  const keys = new Uint32Array(BLOCK_SLOTS);
  const volatileKeys = new Uint32Array(BLOCK_SLOTS);
  const bytes = new Float64Array(BLOCK_SLOTS);
  const removedAt = [];
  let at = 1;
  for (let i = 0; i < BLOCK_SLOTS; i += 1) {
    keys[i] = row.readUInt32LE(at);
    volatileKeys[i] = row.readUInt32LE(at + 4);
    bytes[i] = row.readDoubleLE(at + 8);
    removedAt.push(readMark(row, at + 16));
    at += COUNTS_BYTES;
  }
  return { database, index, keys, volatileKeys, bytes, removedAt };
}

function damaged(what: string): EngineError {
  return new EngineError('HOLO_STORE_DAMAGED', what);
}
