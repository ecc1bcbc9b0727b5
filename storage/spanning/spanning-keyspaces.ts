/**
 * The databases of a group while a transaction over several groups runs: the group's own keys, and
 * beside them those that the other groups have sent. Every group of the transaction runs the same
 * commands over the same entries, and keeps what they do to its own keys.
 */
import type { Timestamp } from '../../actors/accord/primitives/timestamp.ts';
import type { Arguments } from '../arguments.ts';
import type { ClusterSettings } from '../cluster-settings.ts';
import type { GroupSlots } from '../engine.ts';
import type { Cell } from '../keyspace/cell-cache.ts';
import type { Databases } from '../keyspace/databases.ts';
import type { Deadline, StoredEntry } from '../keyspace/entry.ts';
import { type GroupKeyspace, inOrder } from '../keyspace/group-keyspace.ts';
import type { EventClass } from '../keyspace/key-events.ts';
import type { Found, KeyPage, Keyspace, NothingOptions } from '../keyspace/keyspace.ts';
import type { SideEffects } from '../keyspace/side-effects.ts';
import { firstSlotOf, POSITIONS, slotOfText } from '../keyspace/slots.ts';
import type { ScriptLimits } from '../script-limits.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { Steps } from '../steps.ts';
import type { TopologyRules } from '../topology-rules.ts';
import type { Thresholds } from '../types/thresholds.ts';
import type { Value, ValueType } from '../types/value-type.ts';
import type { FetchedGroup } from './fetched-entries.ts';
import { FetchedKeyspace } from './fetched-keyspace.ts';

/** Keys that a list takes from the group's own at a time. */
const PAGE_KEYS = 256;

export class SpanningKeyspaces {
  readonly databases: Databases;
  /** Of all groups, in the order of their ranges. */
  readonly #groups: readonly FetchedGroup[];
  readonly #group: GroupSlots;
  readonly #fromSlot: number;
  readonly #toSlot: number;
  readonly #open = new Map<number, SpanningKeyspace>();
  /** By the number that clients select. */
  readonly #fetched = new Map<number, FetchedKeyspace>();
  #isCleared = false;

  /** `groups`: all of them; the entries of this group itself are not used. */
  constructor(databases: Databases, group: GroupSlots, groups: readonly FetchedGroup[]) {
    this.databases = databases;
    this.#group = group;
    this.#groups = groups;
    this.#fromSlot = firstSlotOf(group.fromSlot);
    this.#toSlot = firstSlotOf(group.toSlot);
  }

  /** The database that clients select by this number. */
  of(database: number): SpanningKeyspace {
    const known = this.#open.get(database);
    if (known !== undefined) return known;
    const made = new SpanningKeyspace(this, database);
    this.#open.set(database, made);
    return made;
  }

  /** The keys of the other groups in a database. */
  fetchedOf(database: number): FetchedKeyspace {
    const known = this.#fetched.get(database);
    if (known !== undefined) return known;
    const others = this.#groups.filter(({ fromSlot }) => fromSlot !== this.#group.fromSlot);
    const entries = others.flatMap((group) => group.entries);
    const sizesOf = (groups: readonly FetchedGroup[]): number[] =>
      groups.flatMap(({ databases }) =>
        databases.flatMap((each) => (each.database === database ? each.keys : [])),
      );
    const { keysInUnitMax } = this.databases.context;
    const made = new FetchedKeyspace(
      this.databases.context,
      entries.filter((each) => each.database === database),
      {
        size: sizesOf(others).reduce((sum, keys) => sum + keys, 0),
        // Of all groups, this one too: each of them must come to the same.
        isListed: sizesOf(this.#groups).every((keys) => keys <= keysInUnitMax),
      },
    );
    if (this.#isCleared) made.clear();
    this.#fetched.set(database, made);
    return made;
  }

  clearAll(): void {
    this.databases.clear();
    this.#isCleared = true;
    for (const fetched of this.#fetched.values()) fetched.clear();
  }

  swap(a: number, b: number): void {
    this.databases.swap(a, b);
    const [first, second] = [this.fetchedOf(a), this.fetchedOf(b)];
    this.#fetched.set(a, second);
    this.#fetched.set(b, first);
  }

  /** Of all groups by their numbers of keys, as of the beginning of the transaction. */
  anyKey(database: number): string | undefined {
    const its = this.#groups.flatMap((group) =>
      group.databases.filter((each) => each.database === database && each.anyKey !== undefined),
    );
    const keys = its.reduce((sum, each) => sum + each.keys, 0);
    if (keys === 0) return undefined;
    let left = this.databases.context.random().below(keys);
    const drawn = its.find((each) => {
      left -= each.keys;
      return left < 0;
    });
    return drawn?.anyKey;
  }

  /** Of the group itself. */
  isOwn(slot: number): boolean {
    return slot >= this.#fromSlot && slot < this.#toSlot;
  }
}

class SpanningKeyspace implements Keyspace {
  readonly #all: SpanningKeyspaces;
  readonly #database: number;

  constructor(all: SpanningKeyspaces, database: number) {
    this.#all = all;
    this.#database = database;
  }

  /** SWAPDB gives the number another meaning. */
  #own(): GroupKeyspace {
    return this.#all.databases.of(this.#database);
  }

  #fetched(): FetchedKeyspace {
    return this.#all.fetchedOf(this.#database);
  }

  get nowMs(): number {
    return this.#own().nowMs;
  }

  get version(): Timestamp {
    return this.#own().version;
  }

  get reading(): boolean {
    return this.#own().reading;
  }

  get keysInUnitMax(): number {
    return this.#own().keysInUnitMax;
  }

  get stepElements(): number {
    return this.#own().stepElements;
  }

  get thresholds(): Thresholds {
    return this.#own().thresholds;
  }

  get scriptLimits(): ScriptLimits {
    return this.#own().scriptLimits;
  }

  get settings(): ClusterSettings {
    return this.#own().settings;
  }

  get sideEffects(): SideEffects | undefined {
    return this.#own().sideEffects;
  }

  find(args: Arguments, i: number): Found | undefined {
    return this.#at(args.slot(i)).find(args, i);
  }

  findNamed(key: string): Found | undefined {
    return this.#at(slotOfText(key)).findNamed(key);
  }

  need(args: Arguments, i: number): void {
    this.#at(args.slot(i)).need(args, i);
  }

  /** A transaction over all slots is one over all groups. */
  needAll(): void {
    this.#all.databases.context.needAll(true);
  }

  findOf<V extends Value>(type: ValueType<V>, args: Arguments, i: number): Found<V> | undefined {
    return this.#at(args.slot(i)).findOf(type, args, i);
  }

  findCollection<V extends Value>(
    type: ValueType<V>,
    args: Arguments,
    i: number,
  ): Found<V> | undefined {
    const found = this.findOf(type, args, i);
    if (found !== undefined) this.load(found as Found);
    return found;
  }

  /** The entries of other groups are whole. */
  load(found: Found): void {
    if (this.#isOwn(found)) this.#own().load(found);
  }

  copyOf(found: Found): Steps<Value> {
    return this.#of(found).copyOf(found);
  }

  edit(found: Found, bytes: number): void {
    this.#of(found).edit(found, bytes);
  }

  changed(found: Found): void {
    this.#of(found).changed(found);
  }

  /** Each group notes its own keys. */
  nothingYet(
    args: Arguments,
    keys: readonly number[],
    type: ValueType,
    options?: NothingOptions,
  ): void {
    const own = keys.filter((i) => this.#all.isOwn(args.slot(i)));
    const allKeys = keys.map((i) => args.text(i));
    this.#own().nothingYet(args, own, type, { ...options, allKeys });
  }

  /** The group of a key tells of it. */
  notify(kind: EventClass, event: string, args: Arguments, i: number): void {
    if (this.#all.isOwn(args.slot(i))) this.#own().notify(kind, event, args, i);
  }

  random(): SeededRandom {
    return this.#own().random();
  }

  set<V extends Value>(
    args: Arguments,
    i: number,
    type: ValueType<V>,
    value: V,
    deadline: Deadline,
  ): void {
    this.#at(args.slot(i)).set(args, i, type, value, deadline);
  }

  replace<V extends Value>(found: Found, type: ValueType<V>, value: V, deadline: Deadline): void {
    if (this.#isOwn(found)) this.#own().replace(found as Cell, type, value, deadline);
    else this.#fetched().replace(found, type, value, deadline);
  }

  remove(found: Found): void {
    if (this.#isOwn(found)) this.#own().remove(found as Cell);
    else this.#fetched().remove(found);
  }

  lastRemoval(args: Arguments, i: number): Timestamp {
    return this.#at(args.slot(i)).lastRemoval(args, i);
  }

  /** SWAPDB is one transaction over all groups, so it is the same in each of them. */
  swappedAt(database: number): Timestamp {
    return this.#own().swappedAt(database);
  }

  in(database: number): Keyspace {
    return this.#all.of(database);
  }

  get size(): number {
    return this.#own().size + this.#fetched().size;
  }

  anyKey(): string | undefined {
    return this.#all.anyKey(this.#database);
  }

  clear(): void {
    this.#own().clear();
    this.#fetched().clear();
  }

  clearAll(): void {
    this.#all.clearAll();
  }

  swap(a: number, b: number): void {
    this.#all.swap(a, b);
  }

  listed(): readonly StoredEntry[] | undefined {
    const items = this.#fetched().listed();
    if (items === undefined || this.size > this.keysInUnitMax) return undefined;
    let position = 0;
    do {
      const page = this.#own().page(position, PAGE_KEYS);
      items.push(...page.items);
      position = page.next;
    } while (position !== 0);
    return items.sort(inOrder);
  }

  get end(): number {
    return POSITIONS;
  }

  /** KEYS by itself lists the group's own keys in each group; the client's node joins the lists. */
  page(position: number, limit: number, keysOnly?: boolean): KeyPage {
    return this.#own().page(position, limit, keysOnly);
  }

  isAlive(item: StoredEntry): boolean {
    return (this.#all.isOwn(item.slot) ? this.#own() : this.#fetched()).isAlive(item);
  }

  // Of commands that look at `listed` instead, or do not run over several groups.

  keysIn(): number {
    return noWhole();
  }

  volatileKeysIn(): number {
    return noWhole();
  }

  slotOfNth(): number {
    return noWhole();
  }

  table(): Keyspace {
    return noWhole();
  }

  tableChanged(): void {
    noWhole();
  }

  get topologyRules(): TopologyRules {
    return noWhole();
  }

  exactPage(): KeyPage {
    return noWhole();
  }

  #isOwn(found: Found): boolean {
    return this.#all.isOwn((found as Cell).slot);
  }

  #of(found: Found): GroupKeyspace | FetchedKeyspace {
    return this.#isOwn(found) ? this.#own() : this.#fetched();
  }

  #at(slot: number): GroupKeyspace | FetchedKeyspace {
    return this.#all.isOwn(slot) ? this.#own() : this.#fetched();
  }
}

function noWhole(): never {
  throw new Error('a command that belongs to one group ran over several');
}
