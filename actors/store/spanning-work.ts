/**
 * Parts over several groups that wait to become transactions, each one alone: none of them shares a
 * transaction with commands of other clients. Knows which slots belong to which group. Pure.
 */
import { Arguments } from '../../storage/arguments.ts';
import { fitsArity } from '../../storage/commands/command.ts';
import { commandFor } from '../../storage/commands/command-table.ts';
import { TOLD_KEYS_COMMAND } from '../../storage/commands/whole-store.ts';
import { requestOf } from '../../storage/request.ts';
import type { Part } from '../../transport/resp/connection/part.ts';
import { participantsOf, WHOLE_STORE } from '../accord/primitives/participants.ts';
import type { SpanningPart } from '../accord/primitives/spanning-body.ts';
import { followersOf, type Group } from '../accord/topology/group.ts';
import { type GroupId, GroupMap, isSameGroup } from '../accord/topology/group-id.ts';
import type { Pending } from './batcher.ts';

export class SpanningWork {
  /** Those that have not ended, ascending by range. */
  #groups: readonly Group[];
  /** Of each that has, the groups that have its slots now. */
  readonly #successors = new GroupMap<readonly Group[]>();
  /** Some group has ended. */
  #isDivided = false;
  readonly #waitingMax: number;
  #waiting: Pending[] = [];

  /** `groups`: of the whole cluster. */
  constructor(groups: readonly Group[], waitingMax: number) {
    this.#groups = inOrder(groups.filter(({ machine }) => machine === 'keyspace'));
    this.#waitingMax = waitingMax;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  hasEnded(group: GroupId): boolean {
    return this.#successors.has(group);
  }

  /**
   * Ends come in any order: a group that this node has joined may end before the node hears of the
   * end of the one before it, and what follows both is then the same.
   */
  ended(parent: GroupId, successors: readonly Group[]): void {
    this.#isDivided = true;
    this.#successors.set(parent, successors);
    this.#groups = inOrder(this.#groups.flatMap((group) => followersOf(group, this.#successors)));
  }

  /** The same part with the groups that have its slots now. */
  current(part: Part): Part {
    if (!this.#isDivided || !part.groups.some((group) => this.hasEnded(group))) return part;
    const { participants: slots, wholeStore } = part;
    const open = part.groups.flatMap((group) => this.#openOf(group));
    const walkedAt = walksFrom(part);
    if (walkedAt !== undefined) {
      const groups = open.filter((group) => holds(group, walkedAt)).map(({ id }) => id);
      return { ...part, groups };
    }
    const its = open.filter((group) => wholeStore || slots.some((slot) => holds(group, slot)));
    // Commands without a key are of no group in particular.
    const groups = (its.length > 0 ? its : open.slice(0, 1)).map(({ id }) => id);
    return { ...part, groups };
  }

  #openOf(id: GroupId): readonly Group[] {
    const successors = this.#successors.get(id);
    if (successors !== undefined) {
      return successors.flatMap((group) => followersOf(group, this.#successors));
    }
    return this.#groups.filter((group) => isSameGroup(group.id, id));
  }

  /** `false`: too much is waiting already. */
  add(pending: Pending): boolean {
    if (this.#waiting.length >= this.#waitingMax) return false;
    this.#waiting.push(pending);
    return true;
  }

  /** The first that may begin; it stays here until `begun`. */
  next(mayBegin: (parts: readonly SpanningPart[]) => boolean): Pending | undefined {
    return this.#waiting.find(({ part }) => mayBegin(this.partsOf(part)));
  }

  begun(pending: Pending): void {
    this.#waiting.splice(this.#waiting.indexOf(pending), 1);
  }

  /** Takes out what `keep` refuses. */
  drop(keep: (pending: Pending) => boolean): Pending[] {
    const dropped = this.#waiting.filter((pending) => !keep(pending));
    this.#waiting = this.#waiting.filter(keep);
    return dropped;
  }

  /** The slots that the part touches in each group, ascending by range. */
  partsOf({ participants: slots, wholeStore }: Part): SpanningPart[] {
    const parts: SpanningPart[] = [];
    for (const { id: group, fromConflictSlot, toConflictSlot } of this.#groups) {
      if (wholeStore) {
        parts.push({ group, participants: WHOLE_STORE });
        continue;
      }
      const its = slots.filter((slot) => slot >= fromConflictSlot && slot < toConflictSlot);
      if (its.length > 0) parts.push({ group, participants: participantsOf(its) });
    }
    return parts;
  }
}

function inOrder(groups: readonly Group[]): readonly Group[] {
  return [...groups].sort((a, b) => a.id.range - b.id.range);
}

function holds({ fromConflictSlot, toConflictSlot }: Group, slot: number): boolean {
  return slot >= fromConflictSlot && slot < toConflictSlot;
}

const args = new Arguments();

/** Of a walk by itself: the slot that it is in. */
function walksFrom({ bytes, count, wholeStore, groups }: Part): number | undefined {
  if (!wholeStore || count !== 1 || groups.length !== 1) return undefined;
  args.next(bytes, 0);
  const command = commandFor(args);
  return command !== undefined && fitsArity(command.arity, args.count)
    ? command.walksFrom?.(args)
    : undefined;
}

/**
 * KEYS by itself is listed in every group by the node whose client waits. One that is no member of
 * all of them is told the keys by the others, as it is for KEYS among other commands.
 */
export function toldByOthers<P extends Pick<Part, 'bytes' | 'count' | 'wholeStore'>>(part: P): P {
  const { bytes, count, wholeStore } = part;
  if (!wholeStore || count !== 1) return part;
  args.next(bytes, 0);
  if (!args.is(0, 'KEYS') || args.count !== 2) return part;
  const told = requestOf([TOLD_KEYS_COMMAND, args.text(1)]);
  // The database that it is for.
  told[0] = bytes[0] as number;
  return { ...part, bytes: told };
}
