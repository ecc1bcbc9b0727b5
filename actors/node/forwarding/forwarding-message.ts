/**
 * Messages between two nodes about parts of clients' units: a node that is no member of a part's
 * groups hands it to one that is (ranges.md §3a). What comes from a peer is checked here.
 */
import { isCommandBody } from '../../../storage/arguments.ts';
import type { Notification } from '../../../storage/keyspace/key-events.ts';
import { CONFLICT_SLOTS } from '../../../storage/keyspace/slots.ts';
import type { ReadyKey, Waiting } from '../../../storage/keyspace/waited-keys.ts';
import type { Written } from '../../../storage/keyspace/written-keys.ts';
import type { Part, PartReplies } from '../../../transport/resp/connection/part.ts';
import type { GroupId } from '../../accord/topology/group-id.ts';

/** A part as it travels; `body` are its bytes. */
type PartInMessage = Omit<Part, 'unit' | 'part' | 'bytes' | 'sampledMs' | 'leftMs' | 'isNoted'>;

/** To a member. It runs the part as if a client of its own had sent it, and hands it to nobody. */
export interface Forward extends PartInMessage {
  readonly type: 'Forward';
  /** Of the sender's parts; never used again by its process. */
  readonly id: number;
  /** The time that is left for it. */
  readonly leftMs: number;
  readonly body: Uint8Array;
}

/** Nothing was begun: another member may take it. */
interface ForwardRefused {
  readonly type: 'ForwardRefused';
  readonly id: number;
}

/** As `PartReplies`; `body` are the replies. */
export interface ForwardReplies
  extends Omit<PartReplies, 'type' | 'unit' | 'part' | 'replies' | 'renderedMs'> {
  readonly type: 'ForwardReplies';
  readonly id: number;
  readonly body: Uint8Array;
}

/** As `PartFailed`. */
interface ForwardFailed {
  readonly type: 'ForwardFailed';
  readonly id: number;
  readonly line: string;
}

/** As `RepliesLost`. */
interface ForwardLost {
  readonly type: 'ForwardLost';
  readonly id: number;
}

/** As `ReplyCredit`. */
interface ForwardCredit {
  readonly type: 'ForwardCredit';
  readonly id: number;
  readonly upTo: number;
}

/** The rest of the replies is not needed, or the client waits no longer. */
interface ForwardOver {
  readonly type: 'ForwardOver';
  readonly id: number;
}

/** The member knows nothing of these any more: no answer follows, and nobody waits there. */
interface ForwardsDropped {
  readonly type: 'ForwardsDropped';
  readonly ids: readonly number[];
}

/** Whether clients of the sender keep what they read. */
interface TracksWrites {
  readonly type: 'TracksWrites';
  readonly isOn: boolean;
}

/** To a node that is no member of the group: as the messages of the stores of that name. */
interface RelayedReady {
  readonly type: 'KeysReady';
  readonly group: GroupId;
  readonly atUs: number;
  readonly keys: readonly ReadyKey[];
}

interface RelayedWritten {
  readonly type: 'KeysWritten';
  readonly group: GroupId;
  readonly keys: Written;
  /** The receiver's part that has written them; 0: it is of no client of the receiver's. */
  readonly by: number;
}

interface RelayedChanged {
  readonly type: 'KeysChanged';
  readonly group: GroupId;
  readonly events: readonly Notification[];
}

interface RelayedLost {
  readonly type: 'WaitsLost';
}

/** From the node that has handed a part over. */
export type ToMember = Forward | ForwardCredit | ForwardOver | TracksWrites;

/** To the node whose client waits. */
export type ToEntry =
  | ForwardRefused
  | ForwardReplies
  | ForwardFailed
  | ForwardLost
  | ForwardsDropped
  | RelayedReady
  | RelayedWritten
  | RelayedChanged
  | RelayedLost;

export type ForwardingMessage = ToMember | ToEntry;

/** Ids in one `ForwardsDropped`. */
export const DROPPED_IDS_MAX = 1_024;
/** Groups of one part. */
const GROUPS_MAX = 1_024;
/** Items of any other list in a message. */
const ITEMS_MAX = 4 * 1024 * 1024;

export function isForMember(message: ForwardingMessage): message is ToMember {
  switch (message.type) {
    case 'Forward':
    case 'ForwardCredit':
    case 'ForwardOver':
    case 'TracksWrites':
      return true;
    default:
      return false;
  }
}

/** Bytes of a message that have no fixed size. */
export function forwardedBytes(message: ForwardingMessage): number {
  return 'body' in message ? message.body.length : 0;
}

type Fields = Readonly<Record<string, unknown>>;

const SOUND: Readonly<Record<ForwardingMessage['type'], (fields: Fields) => boolean>> = {
  Forward: isForward,
  ForwardRefused: hasId,
  ForwardReplies: isReplies,
  ForwardFailed: (fields) => hasId(fields) && isText(fields['line']),
  ForwardLost: hasId,
  ForwardCredit: (fields) => hasId(fields) && isCount(fields['upTo']),
  ForwardOver: hasId,
  ForwardsDropped: ({ ids }) => isList(ids, isCount, DROPPED_IDS_MAX),
  TracksWrites: ({ isOn }) => typeof isOn === 'boolean',
  KeysReady: ({ group, atUs, keys }) => isGroup(group) && isCount(atUs) && isList(keys, isReady),
  KeysWritten: ({ group, keys, by }) =>
    isGroup(group) && isCount(by) && (keys === 'all' || isList(keys, isText)),
  KeysChanged: ({ group, events }) => isGroup(group) && isList(events, isEvent),
  WaitsLost: () => true,
};

/** `undefined`: the peer has sent something that is no such message. */
export function forwardingMessageOf(message: object): ForwardingMessage | undefined {
  const fields = message as Fields;
  const { type } = fields as { readonly type?: unknown };
  if (typeof type !== 'string' || !Object.hasOwn(SOUND, type)) return undefined;
  const isSound = SOUND[type as ForwardingMessage['type']](fields);
  return isSound ? (message as ForwardingMessage) : undefined;
}

function isForward(fields: Fields): boolean {
  const { groups, body, count, layout, protocol, readOnly, readsFrom, wholeStore } = fields;
  const { waits, onlyNotes, participants, window, leftMs } = fields;
  return (
    hasId(fields) &&
    isList(groups, isGroup, GROUPS_MAX) &&
    (groups as unknown[]).length > 0 &&
    isCount(count) &&
    (count as number) > 0 &&
    isList(layout, isCount) &&
    (layout as number[]).reduce((sum, run) => sum + run, 0) === count &&
    (protocol === 2 || protocol === 3) &&
    typeof readOnly === 'boolean' &&
    isCount(readsFrom) &&
    typeof wholeStore === 'boolean' &&
    typeof waits === 'boolean' &&
    (onlyNotes === undefined || typeof onlyNotes === 'boolean') &&
    isList(participants, isSlot) &&
    isCount(window) &&
    isTime(leftMs) &&
    body instanceof Uint8Array &&
    isCommandBody(body)
  );
}

function isReplies(fields: Fields): boolean {
  const { body, from, ends, errors, codes, answered, last, waiting } = fields;
  return (
    hasId(fields) &&
    body instanceof Uint8Array &&
    isCount(from) &&
    isList(ends, isCount) &&
    isList(errors, isCount) &&
    (codes === undefined || isList(codes, isText)) &&
    isCount(answered) &&
    typeof last === 'boolean' &&
    (waiting === undefined || isWaiting(waiting))
  );
}

function isWaiting(value: unknown): value is Waiting {
  if (!isFields(value)) return false;
  const { database, keys, type, again } = value;
  const isKnown = isCount(database) && isList(keys, isText) && isText(type);
  return isKnown && (again === undefined || again instanceof Uint8Array);
}

function isReady(value: unknown): value is ReadyKey {
  if (!isFields(value)) return false;
  const { database, key, type, added, left, isGone } = value;
  const isKnown = isCount(database) && isText(key) && isText(type);
  return isKnown && isCount(added) && isCount(left) && typeof isGone === 'boolean';
}

function isEvent(value: unknown): value is Notification {
  if (!isFields(value)) return false;
  const { channel, payload, isEverywhere } = value;
  return isText(channel) && isText(payload) && isEverywhere === false;
}

function isGroup(value: unknown): value is GroupId {
  return isFields(value) && isCount(value['range']) && isCount(value['generation']);
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

function hasId({ id }: Fields): boolean {
  return isCount(id);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTime(value: unknown): value is number {
  return Number.isFinite(value) && (value as number) >= 0;
}

function isSlot(value: unknown): value is number {
  return isCount(value) && value < CONFLICT_SLOTS;
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isList(value: unknown, isItem: (item: unknown) => boolean, max = ITEMS_MAX): boolean {
  return Array.isArray(value) && value.length <= max && value.every(isItem);
}
