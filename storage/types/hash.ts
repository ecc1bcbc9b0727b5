/** Hashes: fields with values. Packed, each field is followed by its value. */
import type { Steps } from '../steps.ts';
import { collectionType } from './collection-type.ts';
import { Fields } from './fields.ts';
import { itemsOf, labelled, labelOf, PackedItems, pack, splice, unpack } from './packed.ts';
import type { Thresholds } from './thresholds.ts';

export const HASH = collectionType<Fields>({
  code: 6,
  name: 'hash',
  encodings: ['listpack', 'hashtable'],
  empty: (label, head) => new Fields(true, label, head),
});

const HASH_LISTPACK = 0;
const HASH_TABLE = 1;

export type HashValue = string | Fields;

const EMPTY = pack(HASH_LISTPACK, []) as string;
const items = new PackedItems();

export function emptyHash(): HashValue {
  return EMPTY;
}

export function fieldCount(value: HashValue): number {
  return typeof value === 'string' ? itemsOf(value) / 2 : value.count;
}

export function fieldValue(value: HashValue, field: string): string | undefined {
  if (typeof value !== 'string') return value.get(field);
  if (!items.begin(value).find(field, 2)) return undefined;
  items.next();
  return items.text();
}

/** In an order that is the same on every replica. */
export function forEachField(
  value: HashValue,
  visit: (field: string, value: string) => void,
): void {
  if (typeof value !== 'string') return value.forEach(visit);
  const all = new PackedItems().begin(value);
  while (all.next()) {
    const field = all.text();
    all.next();
    visit(field, all.text());
  }
}

/** The same in steps of so many fields. */
export function* forEachFieldInSteps(
  value: HashValue,
  each: number,
  visit: (field: string, value: string) => void,
): Steps {
  if (typeof value === 'string') return forEachField(value, visit);
  for (let from = 0, more = true; more; ) {
    from = value.page(from, each, visit);
    more = from !== 0;
    if (more) yield;
  }
}

/** The hash with a field: another one, or the same large one, changed. */
export function withField(hash: HashValue, field: string, value: string): HashValue {
  if (typeof hash !== 'string') {
    hash.set(field, value);
    return hash;
  }
  const label = labelOf(hash);
  const found = items.begin(hash).find(field, 2);
  // Behind the field where it is, else behind all.
  const from = items.to;
  if (found) items.next();
  const added = found ? [value] : [field, value];
  const packed = splice(hash, label, from, items.to, found ? 1 : 0, added);
  if (packed !== undefined) return packed;
  const fields = HASH.empty(label);
  const all = unpack(hash);
  for (let i = 0; i < all.length; i += 2) fields.set(all[i] as string, all[i + 1] as string);
  fields.set(field, value);
  return fields;
}

/** The same without a field; `undefined`: there is none. */
export function withoutField(hash: HashValue, field: string): HashValue | undefined {
  if (typeof hash !== 'string') return hash.delete(field) ? hash : undefined;
  if (!items.begin(hash).find(field, 2)) return undefined;
  const { from } = items;
  items.next();
  return splice(hash, labelOf(hash), from, items.to, 2, []);
}

/** The same with the label that the size asks for; `longest`: of the names and values just set. */
export function relabelled(hash: HashValue, longest: number, thresholds: Thresholds): HashValue {
  const { hashMaxListpackEntries, hashMaxListpackValue } = thresholds;
  if (longest <= hashMaxListpackValue && fieldCount(hash) <= hashMaxListpackEntries) return hash;
  if (typeof hash === 'string') return labelled(hash, HASH_TABLE);
  hash.label = HASH_TABLE;
  return hash;
}
