/**
 * One group of a simulated cluster, with those who look on: the invariants of its replicas, the
 * order that its executions lead to, and what its clients must have been told.
 */
import type { Execution } from '../../actors/accord/local/effects.ts';
import { Group, type GroupDescriptor } from '../../actors/accord/topology/group.ts';
import type { GroupId } from '../../actors/accord/topology/group-id.ts';
import { REDIS_SLOTS, slotOfText } from '../../storage/keyspace/slots.ts';
import type { ClientUnit } from './client.ts';
import { Invariants } from './invariants.ts';
import { Oracle } from './oracle.ts';
import { ReplyJudge } from './reply-judge.ts';

/** Where the keys of a workload are, and who judges its replies. */
export interface KeyPlace {
  readonly judge: ReplyJudge;
  readonly descriptor: Pick<GroupDescriptor, 'fromSlot' | 'toSlot'>;
  readonly keyFor: (key: string) => string;
  /** The groups that order a unit. */
  groupsOf(unit: ClientUnit): readonly GroupId[];
}

export interface GroupObserver {
  readonly violation: (what: string) => void;
  readonly count: (what: string) => void;
  readonly executed: (node: number, execution: Execution) => void;
}

interface SimGroupOptions {
  readonly checks?: boolean | undefined;
  /** It follows that one. */
  readonly parent?: SimGroup | undefined;
  /** Groups may end. */
  readonly splits?: boolean;
}

export class SimGroup implements KeyPlace {
  readonly descriptor: GroupDescriptor;
  readonly group: Group;
  readonly judge: ReplyJudge;
  readonly oracle: Oracle;
  /** Undefined where nothing is checked. */
  readonly invariants: Invariants | undefined;
  /** Its successors, as soon as it is closing. */
  readonly followers: SimGroup[] = [];
  readonly #names = new Map<string, string>();

  /** The group of the beginning that had its slots. */
  readonly root: SimGroup;

  constructor(
    descriptor: GroupDescriptor,
    observer: GroupObserver,
    { checks = true, parent, splits = false }: SimGroupOptions = {},
  ) {
    this.descriptor = descriptor;
    this.root = parent?.root ?? this;
    parent?.followers.push(this);
    this.group = new Group(descriptor);
    const { violation, count, executed } = observer;
    this.judge = parent?.judge ?? new ReplyJudge(violation, splits);
    this.oracle = new Oracle(descriptor, violation);
    this.invariants = checks
      ? new Invariants({
          group: this.group,
          violation,
          count,
          isPassedOver: (node) => this.isPassedOver(node),
          executed: (node, execution) => {
            executed(node, execution);
            this.oracle.executed(node, execution);
          },
        })
      : undefined;
  }

  groupsOf(): readonly GroupId[] {
    return [this.descriptor.id];
  }

  has(node: number): boolean {
    return this.group.bit(node) !== 0;
  }

  /** The group need not wait for the node, which gets the data of a later one. */
  isPassedOver(node: number): boolean {
    if (this.descriptor.absent?.includes(node) === true) return true;
    const { followers } = this;
    return (
      followers.length > 0 &&
      followers.every((each) => each.descriptor.owed?.includes(node) || each.isPassedOver(node))
    );
  }

  /** A key of this group in the place of any: `r1` may become `r1#7`. */
  readonly keyFor = (key: string): string => {
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const { fromConflictSlot, toConflictSlot } = this.group;
    let name = key;
    for (let at = 0; !isBetween(slotOfText(name), fromConflictSlot, toConflictSlot); at += 1) {
      name = `${key}#${at}`;
    }
    this.#names.set(key, name);
    return name;
  };
}

/** Keys that are spread over all groups, and units that span some of them. */
export class SimSpan implements KeyPlace {
  readonly descriptor = { fromSlot: 0, toSlot: REDIS_SLOTS };
  readonly judge: ReplyJudge;
  readonly #groups: readonly SimGroup[];

  constructor(groups: readonly SimGroup[], violation: (what: string) => void, splits: boolean) {
    this.#groups = [...groups];
    this.judge = new ReplyJudge(violation, splits);
  }

  /** Keys with consecutive numbers are in different groups. */
  readonly keyFor = (key: string): string => {
    const number = Number(/\d+$/.exec(key)?.[0] ?? 0) + key.charCodeAt(0);
    const group = this.#groups[number % this.#groups.length] as SimGroup;
    return group.keyFor(`${key}~`);
  };

  groupsOf({ part: { participants, wholeStore } }: ClientUnit): readonly GroupId[] {
    const its = this.#groups.filter(({ group: { fromConflictSlot, toConflictSlot } }) => {
      if (wholeStore) return true;
      return participants.some((slot) => isBetween(slot, fromConflictSlot, toConflictSlot));
    });
    return its.map(({ descriptor }) => descriptor.id);
  }
}

function isBetween(slot: number, from: number, to: number): boolean {
  return slot >= from && slot < to;
}

/** The key that `keyFor` was asked for. */
export function plainKey(name: string): string {
  return name.split('#')[0] ?? name;
}
