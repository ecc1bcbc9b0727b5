/**
 * Judges a run at its end: every answer has its effect, each once; all reads and results
 * fit one order; the members of open groups agree; no transaction lies outside its group's life;
 * and the order of conflicts and of real time together have no cycle.
 */
import { type Changes, META_KEY } from './changes.ts';
import type { Body, Id } from './words.ts';
import { must, Violation } from './words.ts';
import type { World } from './world.ts';

export interface ReadOfOne {
  readonly key: string;
  readonly submitted: number;
  readonly acknowledged: number | null;
  readonly value: readonly number[];
}

export function judge(
  world: World,
  changes: Changes,
  reads: ReadonlyMap<number, ReadOfOne>,
  isDone: boolean,
): void {
  const effects = effective(world);
  const order = [...effects.keys()].sort((p, q) => must(effects.get(p)) - must(effects.get(q)));
  const byUnit = new Map<number, Id>();
  for (const t of order) {
    const { unit } = world.body(t);
    if (byUnit.has(unit)) throw new Violation(`unit ${unit} had its effect twice`);
    byUnit.set(unit, t);
  }
  const lists = replay(world, order);
  if (isDone) converged(world, lists);
  for (const t of order) inLife(world, t, must(effects.get(t)));
  if (world.config.meta === true && isDone) {
    const wrong = changes.wrongCloses(lists.get(META_KEY) ?? []);
    if (wrong.length > 0) throw new Violation(`closed without a decision: ${wrong.join('; ')}`);
  }
  noCycle(graph(world, order, lists, byUnit, reads));
}

/** Transactions with an effect, and when. */
function effective(world: World): Map<Id, Id> {
  const effects = new Map<Id, Id>();
  const add = (t: Id): void => {
    const executeAt = world.executeAts.get(t);
    if (executeAt === undefined) throw new Violation(`a result of ${t}, which is undecided`);
    effects.set(t, executeAt);
  };
  for (const [t, outcome] of world.outcomes) {
    if (outcome === 'eff' && world.body(t).kind !== 'C') add(t);
  }
  for (const t of world.results.keys()) add(t);
  for (const [id, { acknowledged, by }] of world.units) {
    if (acknowledged !== null && !effects.has(must(by))) {
      throw new Violation(`unit ${id} was answered and has no effect`);
    }
  }
  return effects;
}

function keysOf(b: Body): string[] {
  return [...b.parts.values()].flat();
}

/** The lists of all keys, and whether every result is what they held. */
function replay(world: World, order: readonly Id[]): Map<string, number[]> {
  const lists = new Map<string, number[]>();
  for (const t of order) {
    const b = world.body(t);
    const result = world.results.get(t);
    const found = keysOf(b).map((key) => `${key}:${(lists.get(key) ?? []).join(',')}`);
    const expected = found.sort().join(';');
    if (result !== undefined && result !== expected) {
      throw new Violation(`result of ${t}: ${result}, expected ${expected}`);
    }
    if (b.kind !== 'w') continue;
    for (const key of keysOf(b)) lists.set(key, [...(lists.get(key) ?? []), b.unit]);
  }
  return lists;
}

function openGroups(world: World): number[] {
  const open = world.roots.map(({ gid }) => gid);
  for (let i = 0; i < open.length; i += 1) {
    const close = world.closedBy.get(open[i] as number);
    if (close === undefined) continue;
    for (const gid of world.body(close).successors) if (!open.includes(gid)) open.push(gid);
  }
  return open.filter((gid) => !world.closedBy.has(gid));
}

function converged(world: World, lists: ReadonlyMap<string, number[]>): void {
  const owners = new Map<string, number>();
  for (const gid of openGroups(world)) {
    const { keys, members } = world.group(gid);
    for (const key of keys) {
      if (owners.has(key)) throw new Violation(`two open groups own ${key}`);
      owners.set(key, gid);
      const expected = (lists.get(key) ?? []).join(',');
      for (const member of members) {
        if (member === world.dead) continue;
        const found = (world.node(member).data.get(key) ?? []).join(',');
        if (found === expected) continue;
        throw new Violation(`node ${member}, group ${gid}, ${key}: ${found} for ${expected}`);
      }
    }
  }
  for (const key of world.roots.flatMap((group) => group.keys)) {
    if (!owners.has(key)) throw new Violation(`no open group owns ${key}`);
  }
}

function inLife(world: World, t: Id, executeAt: Id): void {
  for (const gid of world.body(t).parts.keys()) {
    const close = world.closedBy.get(gid);
    const end = close === undefined ? undefined : world.executeAts.get(close);
    const { floor } = world.group(gid);
    const isAfter = end !== undefined && end < executeAt;
    if (isAfter || (floor !== null && floor >= executeAt)) {
      throw new Violation(`${t} executes outside of the life of group ${gid}`);
    }
  }
}

interface Operation {
  readonly name: string;
  readonly from: number;
  readonly to: number | null;
  readonly after: Set<Operation>;
}

function graph(
  world: World,
  order: readonly Id[],
  lists: ReadonlyMap<string, number[]>,
  byUnit: ReadonlyMap<number, Id>,
  reads: ReadonlyMap<number, ReadOfOne>,
): Operation[] {
  const of = new Map<Id, Operation>();
  for (const t of order) {
    const { submitted, acknowledged, by } = must(world.units.get(world.body(t).unit));
    const to = by === t ? acknowledged : null;
    of.set(t, { name: `${t}`, from: submitted, to, after: new Set() });
  }
  for (const [i, t] of order.entries()) {
    const a = world.body(t);
    for (const later of order.slice(i + 1)) {
      const b = world.body(later);
      const isConflict = a.kind === 'w' || b.kind === 'w';
      if (!isConflict || !keysOf(a).some((key) => keysOf(b).includes(key))) continue;
      must(of.get(t)).after.add(must(of.get(later)));
    }
  }
  const all = [...of.values()];
  const writer = (unit: number | undefined): Operation =>
    must(of.get(must(byUnit.get(must(unit)))));
  for (const [unit, { key, submitted, acknowledged, value }] of reads) {
    if (acknowledged === null) continue;
    const list = lists.get(key) ?? [];
    if (value.some((each, i) => each !== list[i])) {
      throw new Violation(`a read of ${key} saw ${value}, no beginning of ${list}`);
    }
    const read = {
      name: `read ${unit}`,
      from: submitted,
      to: acknowledged,
      after: new Set<Operation>(),
    };
    if (value.length > 0) writer(value.at(-1)).after.add(read);
    if (value.length < list.length) read.after.add(writer(list[value.length]));
    all.push(read);
  }
  for (const a of all) {
    for (const b of all) if (a !== b && a.to !== null && a.to < b.from) a.after.add(b);
  }
  return all;
}

function noCycle(operations: readonly Operation[]): void {
  const state = new Map<Operation, 'open' | 'done'>();
  const visit = (at: Operation): void => {
    state.set(at, 'open');
    for (const next of at.after) {
      if (state.get(next) === 'open') {
        throw new Violation(`not strictly serializable: ${at.name} and ${next.name}`);
      }
      if (!state.has(next)) visit(next);
    }
    state.set(at, 'done');
  };
  for (const each of operations) if (!state.has(each)) visit(each);
}
