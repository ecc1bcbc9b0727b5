/**
 * Messages between two nodes about the data of a group: a new member asks one that has left, chunk
 * by chunk. What comes from a peer is checked here; the chunks themselves as they are installed.
 */
import type { ChunkCursor } from '../../storage/snapshots/chunk.ts';
import type { GroupDescription } from '../../storage/snapshots/installation.ts';
import type { GroupId } from '../accord/topology/group-id.ts';

/** Asks for the chunk from there on; null: for the first one. */
export interface SnapshotAsk {
  readonly type: 'SnapshotAsk';
  /** The group that has ended. */
  readonly group: GroupId;
  /** Comes back with the answer. */
  readonly token: number;
  readonly from: ChunkCursor | null;
}

export interface SnapshotChunk {
  readonly type: 'SnapshotChunk';
  readonly group: GroupId;
  readonly token: number;
  readonly body: Uint8Array;
  /** Null behind the last chunk, which comes with the description. */
  readonly next: ChunkCursor | null;
  readonly description: readonly GroupDescription[] | null;
}

/** The sender does not have the data, or has them no more. */
interface SnapshotMissing {
  readonly type: 'SnapshotMissing';
  readonly group: GroupId;
  readonly token: number;
}

/** To members of the meta group: the sender has the data of a group that it has joined. */
interface SnapshotHeld {
  readonly type: 'SnapshotHeld';
  readonly group: GroupId;
  readonly token: number;
}

/** To members of the meta group: the sender is a member of the group, and finds no data for it. */
interface SnapshotLacking {
  readonly type: 'SnapshotLacking';
  readonly group: GroupId;
  readonly token: number;
}

/** To members of the meta group: too much is kept in the group for the sake of a member. */
interface MemberLagging {
  readonly type: 'MemberLagging';
  readonly group: GroupId;
  readonly token: number;
  readonly node: number;
}

export type SnapshotMessage =
  | SnapshotAsk
  | SnapshotChunk
  | SnapshotMissing
  | SnapshotHeld
  | SnapshotLacking
  | MemberLagging;

/** Rows that describe a group: one, and the counts of its slots in each database. */
const DESCRIPTION_ROWS_MAX = 1 + 16 * 256;

type Fields = Readonly<Record<string, unknown>>;

const SOUND: Readonly<Record<SnapshotMessage['type'], (fields: Fields) => boolean>> = {
  SnapshotAsk: ({ from }) => from === null || isCursor(from),
  SnapshotChunk: ({ body, next, description }) =>
    body instanceof Uint8Array &&
    (next === null ? isDescription(description) : isCursor(next) && description === null),
  SnapshotMissing: () => true,
  SnapshotHeld: () => true,
  SnapshotLacking: () => true,
  MemberLagging: ({ node }) => isCount(node),
};

/** `undefined`: the peer has sent something that is no such message. */
export function snapshotMessageOf(message: object): SnapshotMessage | undefined {
  const fields = message as Fields;
  const { type, group, token } = fields as { readonly type?: unknown } & Fields;
  if (typeof type !== 'string' || !Object.hasOwn(SOUND, type)) return undefined;
  if (!isGroup(group) || !isCount(token)) return undefined;
  const isSound = SOUND[type as SnapshotMessage['type']](fields);
  return isSound ? (message as SnapshotMessage) : undefined;
}

function isCursor(value: unknown): value is ChunkCursor {
  if (!isFields(value)) return false;
  const { database, position, skip, after } = value;
  if (!isCount(database) || !isCount(position) || !isCount(skip)) return false;
  if (after === undefined) return true;
  return isFields(after) && isCount(after['order']) && typeof after['name'] === 'string';
}

function isDescription(value: unknown): value is readonly GroupDescription[] {
  if (!Array.isArray(value) || value.length > DESCRIPTION_ROWS_MAX) return false;
  return value.every((item: unknown) => {
    if (!isFields(item)) return false;
    return item['key'] instanceof Uint8Array && item['row'] instanceof Uint8Array;
  });
}

function isGroup(value: unknown): value is GroupId {
  return isFields(value) && isCount(value['range']) && isCount(value['generation']);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
