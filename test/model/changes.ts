/**
 * Changes of groups: what could be split, merged or given other members, and, where a run has a
 * meta group, how a change is decided there: intended, then closing, then done. The state of the
 * meta group is a fold over the units of its key, so it is agreed upon like everything else.
 */

import { type Body, type Group, type Id, must } from './words.ts';
import type { World } from './world.ts';

export const META_KEY = 'M';

export interface Change {
  readonly parents: readonly number[];
  readonly successors: readonly number[];
}

type MetaCommand =
  | { readonly type: 'intend'; readonly change: Change }
  | { readonly type: 'closing' | 'cancel' | 'done'; readonly of: number }
  | { readonly type: 'look' };

type Phase = 'intended' | 'closing' | 'cancelled' | 'done';

interface MetaState {
  readonly phases: Map<number, Phase>;
  readonly current: Set<number>;
}

const RESULT = /^M:(.*)$/;

function successor(
  world: World,
  keys: readonly string[],
  parents: readonly Group[],
  isMove: boolean,
): number {
  const { dice } = world;
  const members = [...(parents[0] as Group).members];
  const others = world.ids.filter((id) => !members.includes(id));
  const learners = others.filter((id) =>
    parents.every(({ gid }) => world.learnersOf.get(gid)?.has(id)),
  );
  if (dice.chance(isMove ? 0.6 : 0.25) && others.length > 0) {
    const joining = learners.length > 0 && dice.chance(0.8) ? learners : others;
    members[dice.int(0, members.length)] = dice.pick(joining);
    if (others.length > 1 && dice.chance(0.2)) {
      const left = world.ids.filter((id) => !members.includes(id));
      members[dice.int(0, members.length)] = dice.pick(left);
    }
  }
  const least = members.length - Math.floor((members.length - 1) / 2);
  const electorate = dice.chance(0.5) ? members : dice.sample(members, least);
  const generation = 1 + Math.max(...parents.map((parent) => parent.generation));
  const ids = parents.map(({ gid }) => gid);
  return world.newGroup(generation, keys, members, electorate, null, ids).gid;
}

/** A random change of one of the groups. */
function plan(world: World, candidates: readonly number[]): Change {
  const { dice } = world;
  const group = world.group(dice.pick(candidates));
  const isMeta = group.keys.includes(META_KEY);
  const others = candidates.filter((gid) => {
    const { members, keys } = world.group(gid);
    if (gid === group.gid || keys.includes(META_KEY) || isMeta) return false;
    return members.length === group.members.length;
  });
  const kinds = ['member', 'electorate'];
  if (group.keys.length > 1) kinds.push('split', 'split', 'split');
  if (others.length > 0) kinds.push('merge', 'merge');
  const kind = dice.pick(kinds);
  if (kind === 'split') {
    const keys = group.keys.toSorted();
    const cut = dice.int(1, keys.length);
    const halves = [keys.slice(0, cut), keys.slice(cut)];
    const successors = halves.map((half) => successor(world, half, [group], false));
    return { parents: [group.gid], successors };
  }
  if (kind === 'merge') {
    const other = world.group(dice.pick(others));
    const keys = [...group.keys, ...other.keys];
    const merged = successor(world, keys, [group, other], false);
    return { parents: [group.gid, other.gid], successors: [merged] };
  }
  const only = successor(world, group.keys, [group], kind === 'member');
  return { parents: [group.gid], successors: [only] };
}

export class Changes {
  readonly #world: World;
  readonly #commands = new Map<number, MetaCommand>();
  /** Members that are known to have the data of a group: told by themselves, durably. */
  readonly #withData = new Map<number, Set<number>>();

  constructor(world: World) {
    this.#world = world;
    for (const { gid, members } of world.roots) this.#withData.set(gid, new Set(members));
  }

  heardData(gid: number, node: number): void {
    const known = this.#withData.get(gid) ?? new Set();
    known.add(node);
    this.#withData.set(gid, known);
  }

  withData(gid: number): ReadonlySet<number> {
    return this.#withData.get(gid) ?? new Set();
  }

  hasDataAtQuorum(gid: number): boolean {
    return this.withData(gid).size >= this.#world.group(gid).quorum;
  }

  /** Begins a change at a node; false if the node knows no group that could be changed. */
  begin(node: number): boolean {
    const world = this.#world;
    const known = [...new Set(world.node(node).view.values())].sort((p, q) => p - q);
    const candidates = known.filter((gid) => this.#mayClose(gid));
    if (candidates.length === 0) return false;
    const change = plan(world, candidates);
    world.count('changes');
    if (world.config.meta === true) this.#intend(node, change);
    else this.propose(node, change, 0);
    return true;
  }

  #mayClose(gid: number): boolean {
    return this.#world.mutants.has('close_unready') || this.hasDataAtQuorum(gid);
  }

  propose(node: number, { parents, successors }: Change, unit: number): Id {
    const world = this.#world;
    const groups = parents.map((gid) => world.group(gid));
    const parts = new Map(groups.map(({ gid, keys }) => [gid, keys]));
    const b: Body = { kind: 'C', parts, unit, successors, isMulti: parts.size > 1 };
    world.count('closes');
    if (world.mutants.has('intent_is_known')) {
      for (const gid of successors) {
        const group = world.group(gid);
        group.floor ??= Math.max(...groups.map(({ floorTime }) => floorTime)) + 1;
        world.node(node).learn(group);
      }
    }
    return world.propose(b, Math.max(...groups.map(({ floorTime }) => floorTime)), node);
  }

  // The meta group.

  #intend(node: number, change: Change): void {
    const { dice, mutants } = this.#world;
    const id = this.#tell(node, { type: 'intend', change }, (state) => {
      if (state.phases.get(id) !== 'intended') return;
      if (mutants.has('close_before_closing')) this.propose(node, change, id);
      if (dice.chance(0.25)) this.#tell(dice.pick(this.#world.ids), { type: 'cancel', of: id });
      if (dice.chance(0.85)) this.#close(node, id);
    });
  }

  #close(node: number, of: number): void {
    const change = this.#changeOf(of);
    if (!change.parents.every((gid) => this.#mayClose(gid))) return;
    this.#tell(node, { type: 'closing', of }, ({ phases }) => {
      const isLeft = this.#world.dice.chance(0.2) && !this.#world.isLate;
      if (phases.get(of) === 'closing' && !isLeft) this.propose(node, change, of);
    });
  }

  /** A node asks the meta group how things stand, and takes up what others have left. */
  resume(node: number): void {
    this.#tell(node, { type: 'look' }, ({ phases }) => {
      for (const [of, phase] of phases) {
        const { executedCloses } = this.#world.node(node);
        const { parents, successors } = this.#changeOf(of);
        const birth = this.#world.births.get(successors[0] as number);
        const isClosed = parents.some(
          (gid) => birth !== undefined && executedCloses.get(gid) === birth,
        );
        if (phase === 'closing' && isClosed) this.#tell(node, { type: 'done', of });
        else if (phase === 'closing') this.propose(node, this.#changeOf(of), of);
        else if (phase === 'intended' && this.#world.dice.chance(0.5)) this.#close(node, of);
      }
    });
  }

  #changeOf(of: number): Change {
    const command = must(this.#commands.get(of));
    if (command.type !== 'intend') throw new Error('no change');
    return command.change;
  }

  #tell(node: number, command: MetaCommand, then: (state: MetaState) => void = () => {}): number {
    const world = this.#world;
    const id = world.newUnit();
    this.#commands.set(id, command);
    world.count(`meta ${command.type}`);
    world.submit(id, 'w', [META_KEY], node, (result) => {
      const before = RESULT.exec(result)?.[1] ?? '';
      const units = before === '' ? [] : before.split(',').map(Number);
      then(this.#fold([...units, id]));
    });
    return id;
  }

  /** The decisions of the meta group, from all its commands in order. */
  #fold(units: readonly number[]): MetaState {
    const phases = new Map<number, Phase>();
    const current = new Set(this.#world.roots.map(({ gid }) => gid));
    const isLocked = (gid: number): boolean =>
      [...phases].some(
        ([of, phase]) => phase === 'closing' && this.#changeOf(of).parents.includes(gid),
      );
    for (const id of units) {
      const command = must(this.#commands.get(id));
      if (command.type === 'look') continue;
      if (command.type === 'intend') {
        const isFree = command.change.parents.every((gid) => current.has(gid) && !isLocked(gid));
        if (isFree) phases.set(id, 'intended');
        continue;
      }
      const phase = phases.get(command.of);
      const { parents, successors } = this.#changeOf(command.of);
      const isFree = parents.every((gid) => current.has(gid) && !isLocked(gid));
      if (command.type === 'closing' && phase === 'intended' && isFree) {
        phases.set(command.of, 'closing');
      } else if (command.type === 'cancel' && phase === 'intended') {
        phases.set(command.of, 'cancelled');
      } else if (command.type === 'done' && phase === 'closing') {
        phases.set(command.of, 'done');
        for (const gid of parents) current.delete(gid);
        for (const gid of successors) current.add(gid);
      }
    }
    return { phases, current };
  }

  /** A Close had its effect only if its change was closing, and is it still. */
  wrongCloses(units: readonly number[]): string[] {
    const { phases } = this.#fold(units);
    return [...this.#world.closedBy].flatMap(([gid, t]) => {
      const phase = phases.get(this.#world.body(t).unit);
      return phase === 'closing' || phase === 'done' ? [] : [`group ${gid}: ${phase}`];
    });
  }

  isOpen(units: readonly number[]): boolean {
    return [...this.#fold(units).phases.values()].includes('closing');
  }
}
