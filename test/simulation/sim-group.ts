/**
 * One group of a simulated cluster, with those who look on: the invariants of its replicas, the
 * order that its executions lead to, and what its clients must have been told.
 */
import type { Execution } from '../../actors/accord/local/effects.ts';
import { Group, type GroupDescriptor } from '../../actors/accord/topology/group.ts';
import { slotOfText } from '../../storage/keyspace/slots.ts';
import { Invariants } from './invariants.ts';
import { Oracle } from './oracle.ts';
import { ReplyJudge } from './reply-judge.ts';

export interface GroupObserver {
  readonly violation: (what: string) => void;
  readonly count: (what: string) => void;
  readonly executed: (node: number, execution: Execution) => void;
}

export class SimGroup {
  readonly descriptor: GroupDescriptor;
  readonly group: Group;
  readonly judge: ReplyJudge;
  readonly oracle: Oracle;
  /** Undefined where nothing is checked. */
  readonly invariants: Invariants | undefined;
  readonly #names = new Map<string, string>();

  constructor(descriptor: GroupDescriptor, observer: GroupObserver, checks = true) {
    this.descriptor = descriptor;
    this.group = new Group(descriptor);
    const { violation, count, executed } = observer;
    this.judge = new ReplyJudge(violation);
    this.oracle = new Oracle(descriptor, violation);
    this.invariants = checks
      ? new Invariants({
          group: this.group,
          violation,
          count,
          executed: (node, execution) => {
            executed(node, execution);
            this.oracle.executed(node, execution);
          },
        })
      : undefined;
  }

  has(node: number): boolean {
    return this.group.bit(node) !== 0;
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

function isBetween(slot: number, from: number, to: number): boolean {
  return slot >= from && slot < to;
}

/** The key that `keyFor` was asked for. */
export function plainKey(name: string): string {
  return name.split('#')[0] ?? name;
}
