/**
 * The consumer groups of a stream: how far each has read, its consumers, and the entries that were
 * delivered to them and not yet acknowledged. Each group, each consumer and each such entry is a
 * row. Groups and consumers have numbers, which are never used again, so that those rows are short.
 */
import type { Steps } from '../../steps.ts';
import { TextTree } from '../text-tree.ts';
import { flatId, ID_MIN, type StreamId } from './stream-id.ts';
import {
  CONSUMER_BYTES,
  consumerRow,
  GROUP_BYTES,
  type GroupPlace,
  groupRow,
  NUMBER_BYTES,
  numberOf,
  numberText,
  PENDING_BYTES,
  pendingRow,
  readConsumer,
  readGroup,
  readPending,
} from './stream-rows.ts';

/** Of rows in memory; their order in the engine, so that a group is there before its consumers. */
export const GROUP_KEY = '\x02';
const CONSUMER_KEY = '\x03';
const PENDING_KEY = '\x04';

export interface Consumer {
  readonly number: number;
  readonly name: string;
  /** When it has last asked for entries, and got some; milliseconds; -1: never. */
  readonly seenMs: number;
  readonly activeMs: number;
  readonly pending: TextTree<Pending>;
}

/** An entry that a consumer has not acknowledged. */
export interface Pending {
  readonly consumer: Consumer;
  readonly deliveredMs: number;
  readonly deliveries: number | bigint;
}

export interface ConsumerGroup {
  readonly number: number;
  readonly name: string;
  readonly place: GroupPlace;
  readonly consumers: TextTree<Consumer>;
  /** By id of the entry. */
  readonly pending: TextTree<Pending>;
}

interface MutableConsumer extends Consumer {
  seenMs: number;
  activeMs: number;
}

class Group implements ConsumerGroup {
  readonly number: number;
  readonly name: string;
  place: GroupPlace;
  /** Consumers that it has ever had. */
  consumersMade: number;
  readonly consumers = new TextTree<MutableConsumer>();
  readonly byNumber = new Map<number, MutableConsumer>();
  readonly pending = new TextTree<Pending>();

  constructor(number: number, name: string, place: GroupPlace, consumersMade: number) {
    this.number = number;
    this.name = name;
    this.place = place;
    this.consumersMade = consumersMade;
  }
}

export class ConsumerGroups {
  readonly #touch: (key: string) => void;
  readonly #byName = new TextTree<Group>();
  readonly #byNumber = new Map<number, Group>();
  #rows = 0;
  #bytes = 0;

  /** `touch`: told the row before it changes, comes or goes. */
  constructor(touch: (key: string) => void) {
    this.#touch = touch;
  }

  get size(): number {
    return this.#byName.size;
  }

  get rowCount(): number {
    return this.#rows;
  }

  /** Of the names and values of all rows. */
  get bytes(): number {
    return this.#bytes;
  }

  get(name: string): ConsumerGroup | undefined {
    return this.#byName.get(name);
  }

  /** By name. */
  all(): Iterable<ConsumerGroup> {
    return this.#byName.values();
  }

  /** `number`: never used before in this stream. */
  create(number: number, name: string, place: GroupPlace): void {
    this.#touch(GROUP_KEY + name);
    this.#putGroup(new Group(number, name, place, 0));
  }

  setPlace(of: ConsumerGroup, place: GroupPlace): void {
    const group = of as Group;
    this.#touch(GROUP_KEY + group.name);
    group.place = place;
  }

  addConsumer(of: ConsumerGroup, name: string, seenMs: number): Consumer {
    const group = of as Group;
    this.#touch(GROUP_KEY + group.name);
    group.consumersMade += 1;
    const number = group.consumersMade;
    this.#touch(consumerKey(group, name));
    const consumer = { number, name, seenMs, activeMs: -1, pending: new TextTree<Pending>() };
    this.#putConsumer(group, consumer);
    return consumer;
  }

  seen(group: ConsumerGroup, consumer: Consumer, nowMs: number): void {
    this.#touch(consumerKey(group, consumer.name));
    (consumer as MutableConsumer).seenMs = nowMs;
  }

  active(group: ConsumerGroup, consumer: Consumer, nowMs: number): void {
    this.#touch(consumerKey(group, consumer.name));
    (consumer as MutableConsumer).activeMs = nowMs;
  }

  /** The entry is pending from now on, and no longer with another consumer. */
  deliver(of: ConsumerGroup, id: StreamId, pending: Pending): void {
    this.#touch(pendingKey(of, id));
    this.#putPending(of as Group, id, pending);
  }

  /** `false`: the entry is not pending. */
  forget(of: ConsumerGroup, id: StreamId): boolean {
    if (of.pending.get(id) === undefined) return false;
    this.#touch(pendingKey(of, id));
    this.#takePending(of as Group, id);
    return true;
  }

  /** Forgets a consumer and all that is pending with it. */
  *removeConsumer(of: ConsumerGroup, consumer: Consumer, each: number): Steps {
    const group = of as Group;
    while (consumer.pending.size > 0) {
      for (const [id] of consumer.pending.page(ID_MIN, each)) this.forget(group, id);
      yield;
    }
    this.#touch(consumerKey(group, consumer.name));
    this.#takeConsumer(group, consumer.name);
  }

  *destroy(of: ConsumerGroup, each: number): Steps {
    const group = of as Group;
    for (let name = group.consumers.first; name !== undefined; name = group.consumers.first) {
      yield* this.removeConsumer(group, group.consumers.get(name) as Consumer, each);
      yield;
    }
    this.#touch(GROUP_KEY + group.name);
    this.#takeGroup(group.name);
  }

  rowOf(key: string): string | undefined {
    const name = key.slice(1);
    if (key.startsWith(GROUP_KEY)) {
      const group = this.#byName.get(name);
      return group && groupRow(group.number, group.place, group.consumersMade);
    }
    const group = this.#byNumber.get(numberOf(name));
    const rest = name.slice(NUMBER_BYTES);
    if (key.startsWith(CONSUMER_KEY)) {
      const consumer = group?.consumers.get(rest);
      return consumer && consumerRow(consumer);
    }
    const pending = group?.pending.get(rest);
    return pending && pendingRow(pending);
  }

  /** Sets or removes a row; a group comes before its consumers, and goes behind them. */
  putRow(key: string, value: string | undefined): void {
    const name = key.slice(1);
    if (key.startsWith(GROUP_KEY)) return this.#putGroupRow(name, value);
    const group = this.#byNumber.get(numberOf(name));
    if (group === undefined) {
      if (value === undefined) return;
      throw new Error('a row of a consumer group that is not there');
    }
    const rest = name.slice(NUMBER_BYTES);
    if (key.startsWith(CONSUMER_KEY)) return this.#putConsumerRow(group, rest, value);
    if (value === undefined) return this.#takePending(group, rest);
    const id = flatId(rest);
    const { consumer, ...delivery } = readPending(value);
    const its = group.byNumber.get(consumer);
    if (its === undefined) throw new Error('an entry is pending with no consumer');
    this.#putPending(group, id, { consumer: its, ...delivery });
  }

  /** In the order of the engine. */
  *rowKeys(): Generator<string, void, undefined> {
    for (const { name } of this.#byName.values()) yield GROUP_KEY + name;
    for (const group of this.#byName.values()) {
      for (const { name } of group.consumers.values()) yield consumerKey(group, name);
    }
    for (const group of this.#byName.values()) {
      for (const [id] of group.pending.from(ID_MIN)) yield pendingKey(group, id);
    }
  }

  #putGroupRow(name: string, value: string | undefined): void {
    const before = this.#byName.get(name);
    if (value === undefined) return this.#takeGroup(name);
    const { number, place, consumersMade } = readGroup(value);
    if (before === undefined) return this.#putGroup(new Group(number, name, place, consumersMade));
    before.place = place;
    before.consumersMade = consumersMade;
  }

  #putConsumerRow(group: Group, name: string, value: string | undefined): void {
    const before = group.consumers.get(name);
    if (value === undefined) return this.#takeConsumer(group, name);
    const { number, seenMs, activeMs } = readConsumer(value);
    if (before === undefined) {
      const pending = new TextTree<Pending>();
      return this.#putConsumer(group, { number, name, seenMs, activeMs, pending });
    }
    before.seenMs = seenMs;
    before.activeMs = activeMs;
  }

  #putGroup(group: Group): void {
    this.#byName.set(group.name, group);
    this.#byNumber.set(group.number, group);
    this.#count(1, group.name.length + GROUP_BYTES);
  }

  #takeGroup(name: string): void {
    const group = this.#byName.delete(name);
    if (group === undefined) return;
    this.#byNumber.delete(group.number);
    this.#count(-1, -(name.length + GROUP_BYTES));
  }

  #putConsumer(group: Group, consumer: MutableConsumer): void {
    group.consumers.set(consumer.name, consumer);
    group.byNumber.set(consumer.number, consumer);
    this.#count(1, NUMBER_BYTES + consumer.name.length + CONSUMER_BYTES);
  }

  #takeConsumer(group: Group, name: string): void {
    const consumer = group.consumers.delete(name);
    if (consumer === undefined) return;
    group.byNumber.delete(consumer.number);
    this.#count(-1, -(NUMBER_BYTES + name.length + CONSUMER_BYTES));
  }

  #putPending(group: Group, id: StreamId, pending: Pending): void {
    const before = group.pending.get(id);
    if (before === undefined) this.#count(1, PENDING_ROW_BYTES);
    else if (before.consumer !== pending.consumer) before.consumer.pending.delete(id);
    group.pending.set(id, pending);
    pending.consumer.pending.set(id, pending);
  }

  #takePending(group: Group, id: StreamId): void {
    const pending = group.pending.delete(id);
    if (pending === undefined) return;
    pending.consumer.pending.delete(id);
    this.#count(-1, -PENDING_ROW_BYTES);
  }

  #count(rows: number, bytes: number): void {
    this.#rows += rows;
    this.#bytes += bytes;
  }
}

/** Name and value of the row of a pending entry. */
export const PENDING_ROW_BYTES = NUMBER_BYTES + ID_MIN.length + PENDING_BYTES;

function consumerKey({ number }: ConsumerGroup, name: string): string {
  return CONSUMER_KEY + numberText(number) + name;
}

function pendingKey({ number }: ConsumerGroup, id: StreamId): string {
  return PENDING_KEY + numberText(number) + id;
}
