/**
 * The work behind the transactions: snapshots, durability rounds, the sweeper of the outcome table,
 * reports of data, forgetting of ended groups, and reads that are not logged.
 */
import type { Changes } from './changes.ts';
import type { Answers, Coordination, Verdict } from './coordination.ts';
import type { Replica } from './replica.ts';
import { APP, type Id, INV, must, nodeOf, place } from './words.ts';
import type { World } from './world.ts';

/** Asks all members whether they have the data; each answer counts by itself. */
export function* askData(world: World, changes: Changes, gid: number): Coordination {
  yield {
    targets: world.members([gid]),
    message: { type: 'HasData' },
    stop: (answers) => {
      for (const [at, { has }] of answers) if (has === true) changes.heardData(gid, nodeOf(at));
      return undefined;
    },
  };
}

function isHeld(world: World, t: Id, answers: Answers, own: number): boolean {
  const groups = world.mutants.has('table_one_group') ? [own] : [...world.body(t).parts.keys()];
  return groups.every((gid) => {
    const { members, quorum } = world.group(gid);
    const holders = members.filter((member) => answers.get(place(gid, member))?.has === true);
    return holders.length >= (world.mutants.has('table_one_holder') ? 1 : quorum);
  });
}

/** An entry of the outcome table goes when a quorum of every group holds the transaction. */
export function* sweep(world: World, node: number, t: Id): Coordination {
  const { parts } = world.body(t);
  const own = [...parts.keys()].find((gid) => world.group(gid).members.includes(node));
  const verdict = yield {
    targets: world.members(parts.keys()),
    message: { type: 'Holds', t },
    stop: (answers): Verdict | undefined =>
      isHeld(world, t, answers, own ?? must([...parts.keys()][0])) ? { is: 'ok' } : undefined,
  };
  if (verdict.is === 'ok') world.node(node).receive(0, { type: 'Drop', t });
}

/** A durability round: reject below X, settle what was named, erase. */
export function* round(world: World, changes: Changes, gid: number, node: number): Coordination {
  const group = world.group(gid);
  const x = world.node(node).uniqueNow(0) - world.dice.int(0, 60) * 64;
  const targets = world.members([gid]);
  const isOver = (answers: Answers): boolean =>
    [...answers.values()].some(({ ended, ok }) => ended === true || !ok);
  const rejected = yield {
    targets,
    message: { type: 'Reject', x },
    stop: (answers): Verdict | undefined => {
      if (isOver(answers)) return { is: 'fail' };
      const electors = group.electorate.filter((member) => answers.has(place(gid, member)));
      const { electorate, fast, failures } = group;
      const enough = electors.length >= electorate.length - fast + failures + 1;
      const isMutant = world.mutants.has('few_reject') && answers.size > 0;
      const isQuorum = answers.size >= group.quorum && enough;
      return isQuorum || isMutant ? { is: 'ok', answers: new Map(answers) } : undefined;
    },
  };
  if (rejected.is === 'fail') return;
  const ids = [...new Set([...must(rejected.answers).values()].flatMap((each) => each.ids ?? []))];
  for (let tries = 0; tries < 12; tries += 1) {
    for (const id of ids) world.wanted.add(id);
    const settled = yield {
      targets,
      message: { type: 'Settle', x, ids: settledList(world, gid, ids) },
      stop: (answers): Verdict | undefined => {
        if (isOver(answers)) return { is: 'fail' };
        if (isSettled(world, changes, gid, answers)) return { is: 'ok' };
        return answers.size === targets.length ? { is: 'none' } : undefined;
      },
    };
    if (settled.is === 'fail') return;
    if (settled.is !== 'ok') continue;
    world.count('rounds');
    yield { targets, message: { type: 'Erase', x }, stop: () => undefined };
    return;
  }
}

/** An invalidated transaction may be missing at a member: it is left out of the list. */
function settledList(world: World, gid: number, ids: readonly Id[]): Id[] {
  return ids.filter((id) => {
    const known = world.group(gid).members.map((member) => {
      return world.replicaOf(gid, member)?.commands.get(id)?.status;
    });
    return !known.includes(INV);
  });
}

/** All members that are known to have data have settled; the others are owed a snapshot. */
function isSettled(world: World, changes: Changes, gid: number, answers: Answers): boolean {
  const { members, quorum } = world.group(gid);
  const settled = members.filter((member) => {
    const answer = answers.get(place(gid, member));
    return answer?.done === true;
  });
  const owing = members.filter((member) => {
    const isKnown = changes.withData(gid).has(member);
    const answer = answers.get(place(gid, member));
    return (isKnown || answer?.has === true) && !settled.includes(member);
  });
  return settled.length >= quorum && owing.length === 0;
}

/** Tells the other members what is applied here, durably. */
export function hint(world: World, replica: Replica): void {
  const { group, node } = replica;
  if (node.synced < node.journal.length) return;
  const ids = replica.appliedIds();
  if (ids.length === 0) return;
  for (const member of group.members) {
    if (member === node.id) continue;
    world.send(place(group.gid, member), { type: 'Hint', from: node.id, ids });
  }
}

interface Transfer {
  readonly gid: number;
  readonly to: number;
  readonly from: number;
  readonly part: number | null;
}

/** Sends one snapshot of those that are wanted. */
export function snapshot(world: World): void {
  const wanted: Transfer[] = [];
  for (const group of world.groups.values()) {
    if (group.floor === null) continue;
    const learners = [...(world.learnersOf.get(group.gid) ?? [])];
    for (const to of [...group.members, ...learners]) {
      wanted.push(...transfersTo(world, group.gid, to));
    }
  }
  const possible = wanted.filter(({ to, from }) => !world.isDead(to) && !world.isDead(from));
  if (possible.length === 0) return;
  const { gid, to, from, part } = world.dice.pick(possible);
  const message = { type: 'Snapshot', snapshot: world.node(from).snapshot(gid, part) } as const;
  world.send(place(gid, to), message);
}

function transfersTo(world: World, gid: number, to: number): Transfer[] {
  const group = world.group(gid);
  const replica = world.replicaOf(gid, to);
  const isBehind = replica !== undefined && replica.behind > replica.redundantBefore;
  if (world.node(to).forgotten.has(gid)) return [];
  if (replica !== undefined && (replica.ended !== null || (replica.isReady && !isBehind))) {
    return [];
  }
  const donors = [...group.members].filter((member) => {
    const donor = world.replicaOf(gid, member);
    if (member === to || donor === undefined || !donor.isReady || donor.ended !== null) {
      return false;
    }
    return !isBehind || donor.redundantBefore >= replica.behind;
  });
  const whole = donors.map((from) => ({ gid, to, from, part: null }));
  if (replica?.isReady === true || world.mutants.has('donor_member_only')) return whole;
  const parts = group.parents
    .filter((part) => replica === undefined || !replica.have.has(part))
    .flatMap((part) => partDonors(world, gid, part).map((from) => ({ gid, to, from, part })));
  const mixed = world.mutants.has('mix_parts')
    ? donors.flatMap((from) => group.parents.map((part) => ({ gid, to, from, part })))
    : [];
  return [...whole, ...parts, ...mixed];
}

/** Nodes that executed the parent's Close and hold its slots unchanged, members or not. */
function partDonors(world: World, gid: number, part: number): number[] {
  const birth = world.births.get(gid);
  const parent = world.group(part);
  const { keys } = world.group(gid);
  return world.ids.filter((id) => {
    const { replicas, executedCloses } = world.node(id);
    if (birth === undefined || !replicas.has(part) || executedCloses.get(part) !== birth) {
      return false;
    }
    return ![...replicas.values()].some(
      (other) =>
        other.group.generation > parent.generation &&
        other.isReady &&
        other.group.keys.some((key) => parent.keys.includes(key) && keys.includes(key)),
    );
  });
}

export interface EphemeralRead {
  readonly unit: number;
  readonly key: string;
  readonly node: number;
  readonly gid: number;
  readonly ids: readonly Id[];
  readonly mark: Id;
}

/** The barrier of a read that is not logged. */
export function* barrier(
  world: World,
  { key, gid }: { readonly key: string; readonly gid: number },
  onDeps: (ids: readonly Id[], mark: Id) => void,
  onBounce: () => void,
): Coordination {
  const { quorum } = world.group(gid);
  const verdict = yield {
    targets: world.members([gid]),
    message: { type: 'Barrier', key },
    stop: (answers): Verdict | undefined => {
      if ([...answers.values()].some(({ ended }) => ended === true)) return { is: 'bounce' };
      return answers.size >= quorum ? { is: 'ok', answers: new Map(answers) } : undefined;
    },
  };
  if (verdict.is === 'bounce') return onBounce();
  const deps = [...must(verdict.answers).values()].map((answer) => must(answer.deps));
  onDeps(
    deps.flatMap(({ ids }) => ids),
    Math.max(...deps.map(({ mark }) => mark)),
  );
}

/** The end of a read that waits: its value, or a reason to go elsewhere; undefined for not yet. */
export function tryRead(
  world: World,
  read: EphemeralRead,
): readonly number[] | 'again' | undefined {
  const { node, gid, ids, key, mark } = read;
  const at = world.node(node);
  const replica = at.replicas.get(gid);
  const isSloppy = world.mutants.has('eph_no_bounce');
  if (replica === undefined || at.forgotten.has(gid)) return 'again';
  if (replica.ended !== null && !isSloppy) return 'again';
  if (!replica.isReady || replica.skipped) return undefined;
  if (mark > replica.redundantBefore && !world.mutants.has('deps_without_mark')) return undefined;
  const isSeen = ids.every((id) => {
    const command = replica.commands.get(id);
    if (command === undefined) return id < replica.redundantBefore;
    const isOver = command.status === APP || command.status === INV;
    return isOver || (isSloppy && command.body?.kind === 'C') || id < replica.redundantBefore;
  });
  return isSeen ? (at.data.get(key) ?? []) : undefined;
}
