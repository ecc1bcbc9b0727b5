/**
 * Commands that wait for keys of several groups, of some of which this node is no member: before
 * each attempt a member of each of those notes what the client waits for, since a transaction is
 * executed, and so noted, by the members that begin it alone. What is noted stays until the client
 * has its answer. Pure.
 */
import type { Part, UnitId } from '../../../transport/resp/connection/part.ts';
import { type GroupId, isSameGroup } from '../../accord/topology/group-id.ts';

interface Noting {
  readonly part: Part;
  /** Groups whose members have not answered. */
  left: number;
}

export class Notings {
  /** By connection: each has one command that waits. */
  readonly #under = new Map<number, Noting>();

  /** The parts to be sent first, one for each group; none: the attempt may begin. */
  begin(part: Part, groups: readonly GroupId[]): readonly Part[] {
    if (groups.length === 0) return [];
    this.#under.set(part.unit.connection, { part, left: groups.length });
    return groups.map((group, at) => ({
      ...part,
      part: part.part + 1 + at,
      groups: [group],
      // It goes by the keys that the member has.
      participants: [],
      readOnly: true,
      onlyNotes: true,
    }));
  }

  /** A member has noted the keys: the attempt, once all have; `false`: nobody waits for it. */
  noted({ connection, sequence }: UnitId): Part | undefined | false {
    const noting = this.#under.get(connection);
    if (noting?.part.unit.sequence !== sequence) return false;
    noting.left -= 1;
    if (noting.left > 0) return undefined;
    this.#under.delete(connection);
    return noting.part;
  }

  /** It cannot be noted: the attempt that is not made. */
  failed({ connection, sequence }: UnitId): Part | undefined {
    const noting = this.#under.get(connection);
    if (noting?.part.unit.sequence !== sequence) return undefined;
    this.#under.delete(connection);
    return noting.part;
  }

  /** The client waits no longer. */
  stop(connection: number): void {
    this.#under.delete(connection);
  }
}

export function without(groups: readonly GroupId[], noted: readonly GroupId[]): readonly GroupId[] {
  return groups.filter((group) => !noted.some((each) => isSameGroup(each, group)));
}
