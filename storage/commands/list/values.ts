/** How commands get at lists, small and large, and change them. */
import type { Arguments } from '../../arguments.ts';
import type { Found, Keyspace } from '../../keyspace/keyspace.ts';
import { forEachInSteps, type Steps } from '../../steps.ts';
import { parseInteger } from '../../types/integers.ts';
import { ItemArray } from '../../types/item-array.ts';
import type { Items } from '../../types/items.ts';
import { LIST, LIST_LISTPACK, LIST_QUICKLIST, List } from '../../types/list.ts';
import { labelOf, PACKED_BYTES_MAX } from '../../types/packed.ts';
import { overwrite, store } from '../collections.ts';

type ListValue = string | List;
export type FoundList = Found<ListValue>;

/** A list that a command changes. */
interface EditedList extends Items {
  /** The label of its encoding. */
  label: number;
  /** Bytes of all items. */
  readonly contentBytes: number;
}

class SmallList extends ItemArray implements EditedList {
  label: number;

  constructor(packed: string | undefined) {
    super(packed);
    this.label = packed === undefined ? LIST_LISTPACK : labelOf(packed);
  }
}

/** The list of a key, to be read. */
export function findItems(keyspace: Keyspace, args: Arguments, i: number): Items | undefined {
  const found = keyspace.findCollection(LIST, args, i);
  return found === undefined ? undefined : itemsOfList(found.entry.value);
}

/**
 * Lets `change` change the list of argument `i`, which `found` is, if there is one. `change` tells
 * whether it has changed anything, must not fail after that, and writes at most `bytes`.
 */
export function editList(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  found: FoundList | undefined,
  bytes: number,
  change: (list: EditedList) => boolean,
): void {
  const list = beginList(keyspace, found, bytes);
  if (change(list)) endList(keyspace, args, i, found, list);
}

/** The same in two halves, for a change in steps: the list that is changed, */
export function beginList(
  keyspace: Keyspace,
  found: FoundList | undefined,
  bytes: number,
): EditedList {
  const value = found?.entry.value;
  if (value instanceof List) {
    keyspace.edit(found as Found, bytes);
    return value;
  }
  return bytes > PACKED_BYTES_MAX ? asLarge(new SmallList(value)) : new SmallList(value);
}

/** and then, if it was changed, its way into the key. */
export function endList(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  found: FoundList | undefined,
  list: EditedList,
): void {
  relabel(keyspace, list);
  if (list === found?.entry.value) return keyspace.changed(found as Found);
  store(keyspace, args, i, LIST, found, packedList(list) ?? asLarge(list));
}

/** The result of SORT: a new list in argument `i`; without items it removes what is there. */
export function* storeList(
  keyspace: Keyspace,
  args: Arguments,
  i: number,
  items: readonly string[],
): Steps {
  const list = new List(LIST_LISTPACK);
  yield* forEachInSteps(items, keyspace.stepElements, (item) => list.pushRight(item));
  relabel(keyspace, list);
  overwrite(keyspace, args, i, LIST, packedList(list) ?? list, 'sortstore');
}

function asLarge(list: EditedList): List {
  if (list instanceof List) return list;
  const large = new List(list.label);
  list.ascend(0, list.length, (item) => large.pushRight(item));
  return large;
}

/** `undefined`: it is a large one. */
function packedList(list: EditedList): string | undefined {
  if (list instanceof SmallList) return list.packed(list.label);
  if (list instanceof List && list.contentBytes > PACKED_BYTES_MAX) return undefined;
  const small = new SmallList(undefined);
  list.ascend(0, list.length, (item) => small.pushRight(item));
  return small.packed(list.label);
}

/** Bytes of a listpack that a list may fill: Redis' `list-max-listpack-size` from -1 to -5. */
const LISTPACK_BYTES = [4_096, 8_192, 16_384, 32_768, 65_536];
const LISTPACK_FRAME_BYTES = 7;
/** An entry has at least two bytes, and at least half of those of its item. */
const ENTRY_BYTES_MIN = 2;
/** Beside its item. */
const ENTRY_EXTRA_BYTES_MAX = 10;

/**
 * The encoding that the size asks for: a listpack that grows beyond its limit becomes a quicklist,
 * and a quicklist that shrinks to half of it a listpack.
 */
function relabel(keyspace: Keyspace, list: EditedList): void {
  const { listMaxListpackSize } = keyspace.thresholds;
  const part = list.label === LIST_LISTPACK ? 1 : 2;
  const countMax = listMaxListpackSize < 0 ? Infinity : listMaxListpackSize / part;
  const bytesMax = (LISTPACK_BYTES[-1 - listMaxListpackSize] ?? 8_192) / part;
  const isFit = list.length <= countMax && isListpackWithin(list, bytesMax);
  list.label = isFit ? LIST_LISTPACK : LIST_QUICKLIST;
}

function isListpackWithin(list: EditedList, bytesMax: number): boolean {
  const { length } = list;
  const bytes = list.contentBytes;
  const room = bytesMax - LISTPACK_FRAME_BYTES;
  if (Math.max(ENTRY_BYTES_MIN * length, bytes / 2) > room) return false;
  if (bytes + ENTRY_EXTRA_BYTES_MAX * length <= room) return true;
  let size = 0;
  list.ascend(0, length, (item) => {
    size += entryBytes(item);
  });
  return size <= room;
}

/** Bytes of an entry of a listpack, with its length at both ends. */
function entryBytes(item: string): number {
  const body = integerBytes(item) ?? stringBytes(item.length);
  if (body < 128) return body + 1;
  return body + (body < 16_384 ? 2 : body < 2_097_152 ? 3 : body < 268_435_456 ? 4 : 5);
}

function stringBytes(length: number): number {
  return length + (length < 64 ? 1 : length < 4_096 ? 2 : 5);
}

function integerBytes(item: string): number | undefined {
  const value = item.length <= 20 ? parseInteger(item) : undefined;
  if (value === undefined) return undefined;
  if (value >= 0 && value < 128) return 1;
  if (value >= -4_096 && value < 4_096) return 2;
  if (value >= -32_768 && value < 32_768) return 3;
  if (value >= -8_388_608 && value < 8_388_608) return 4;
  return value >= -2_147_483_648 && value < 2_147_483_648 ? 5 : 9;
}

export function itemsOfList(value: ListValue): Items {
  return typeof value === 'string' ? new ItemArray(value) : value;
}
