/**
 * Judges what clients of queues were told: elements that are pushed once, and taken by commands
 * that wait for them. An element is taken at most once, in the order of its queue where that has
 * one; one that is missing is explained by a pop of which nobody knows; and no client is told that
 * there is nothing while there is something. Pure.
 */

/** The times of an operation; one that was refused has no effect, and is not told here. */
interface Told {
  readonly invokedAt: number;
  /** Undefined: it may have happened at any time since, or may yet. */
  readonly completedAt: number | undefined;
}

export interface Push extends Told {
  readonly key: string;
  readonly element: string;
}

export interface Pop extends Told {
  /** It waited for an element of any of them. */
  readonly keys: readonly string[];
  /** Its element; undefined: it took nothing, or nobody knows. */
  readonly taken: { readonly key: string; readonly element: string } | undefined;
  /** Where it puts what it takes; undefined: to its client alone. */
  readonly destination: string | undefined;
}

export interface QueueHistory {
  readonly pushes: readonly Push[];
  readonly pops: readonly Pop[];
  /** All elements at the end, by key; when they were read nothing was under way any more. */
  readonly left: ReadonlyMap<string, readonly string[]>;
  /** Elements of these keys are pushed behind all others and taken in front of them. */
  isInOrder(key: string): boolean;
}

export interface QueueVerdict {
  readonly violations: readonly string[];
  readonly taken: number;
  /** Elements that nobody was told, and that are not there. */
  readonly missing: number;
  /** Pops that have told nothing, since there was nothing. */
  readonly ended: number;
  /** Pops of which nobody knows. */
  readonly open: number;
}

interface Fate {
  readonly push: Push;
  readonly takers: Pop[];
  /** Keys that it is in at the end. */
  readonly places: string[];
}

export function checkQueues(history: QueueHistory): QueueVerdict {
  const violations: string[] = [];
  const fates = new Map<string, Fate>();
  for (const push of history.pushes) {
    fates.set(push.element, { push, takers: [], places: [] });
  }
  for (const pop of history.pops) {
    if (pop.taken === undefined) continue;
    const { key, element } = pop.taken;
    const fate = fates.get(element);
    fate?.takers.push(pop);
    const isOwn = fate?.push.key === key && pop.keys.includes(key);
    if (!isOwn || fate.push.invokedAt > (pop.completedAt ?? Infinity)) {
      violations.push(`${element} was taken from ${key}, where nobody had pushed it`);
    }
  }
  for (const [key, elements] of history.left) {
    for (const element of elements) {
      const fate = fates.get(element);
      if (fate === undefined) violations.push(`${element} is in ${key}, and nobody pushed it`);
      else fate.places.push(key);
    }
  }
  const all = [...fates.values()];
  for (const fate of all) violations.push(...faultsOf(fate, history.pops));
  const lost = all.filter(isMissing);
  const unknown = history.pops.filter((pop) => pop.completedAt === undefined);
  violations.push(...unexplained(lost, unknown));
  violations.push(...outOfOrder(all, history.isInOrder));
  const nothing = history.pops.filter((pop) => pop.completedAt !== undefined && !pop.taken);
  violations.push(...wrongNothings(all, nothing));
  return {
    violations,
    taken: history.pops.filter(({ taken }) => taken !== undefined).length,
    missing: lost.length,
    ended: nothing.length,
    open: unknown.length,
  };
}

function faultsOf({ push, takers, places }: Fate, pops: readonly Pop[]): string[] {
  const { element, key } = push;
  const found: string[] = [];
  if (takers.length > 1) found.push(`${element} was taken ${takers.length} times`);
  const [taker] = takers;
  if (places.length > 1) found.push(`${element} is in ${places.join(' and ')}`);
  const [place] = places;
  const moves = (pop: Pop): boolean => pop.keys.includes(key) && pop.destination === place;
  if (taker !== undefined && taker.destination !== place) {
    found.push(`${element} was taken, and is ${place === undefined ? 'gone' : `in ${place}`}`);
  } else if (taker === undefined && place !== undefined && place !== key) {
    // The client of an open pop may have moved it without hearing of it.
    const isOpen = pops.some((pop) => pop.completedAt === undefined && moves(pop));
    if (!isOpen) found.push(`${element} is in ${place}, and nobody moved it`);
  }
  return found;
}

/** It was acknowledged, nobody was told of it, and it is nowhere. */
function isMissing({ push, takers, places }: Fate): boolean {
  return push.completedAt !== undefined && takers.length === 0 && places.length === 0;
}

/** Each open pop explains one element, of those that it may have taken. */
function unexplained(lost: readonly Fate[], open: readonly Pop[]): string[] {
  const explains = new Map<Pop, Fate>();
  const loses = open.filter(({ destination }) => destination === undefined);
  const explain = (fate: Fate, tried: Set<Pop>): boolean => {
    for (const pop of loses) {
      if (tried.has(pop) || !pop.keys.includes(fate.push.key)) continue;
      tried.add(pop);
      const other = explains.get(pop);
      if (other !== undefined && !explain(other, tried)) continue;
      explains.set(pop, fate);
      return true;
    }
    return false;
  };
  return lost
    .filter((fate) => !explain(fate, new Set()))
    .map(({ push }) => `${push.element} of ${push.key} is gone, and no pop is open that took it`);
}

/** One that was pushed behind another one was taken, and only then was the other one asked for. */
function outOfOrder(all: readonly Fate[], isInOrder: (key: string) => boolean): string[] {
  const found: string[] = [];
  const byKey = new Map<string, { readonly push: Push; readonly pop: Pop | undefined }[]>();
  for (const { push, takers, places } of all) {
    // Of one that is gone or was never acknowledged nobody knows when it was there.
    const isThere = push.completedAt !== undefined && places.includes(push.key);
    if (!isInOrder(push.key) || (takers.length === 0 && !isThere)) continue;
    byKey.set(push.key, [...(byKey.get(push.key) ?? []), { push, pop: takers[0] }]);
  }
  for (const [key, its] of byKey) {
    for (const later of its) {
      if (later.pop === undefined) continue;
      const takenAt = later.pop.completedAt ?? Infinity;
      for (const { push, pop } of its) {
        const wasBefore = (push.completedAt ?? Infinity) < later.push.invokedAt;
        if (wasBefore && (pop?.invokedAt ?? Infinity) > takenAt) {
          found.push(`${later.push.element} of ${key} was taken before ${push.element}`);
        }
      }
    }
  }
  return found;
}

/** It was there before the client asked, and until after it was told that there is nothing. */
function wrongNothings(all: readonly Fate[], nothing: readonly Pop[]): string[] {
  const found: string[] = [];
  const byKey = new Map<string, Pop[]>();
  for (const pop of nothing) {
    for (const key of pop.keys) byKey.set(key, [...(byKey.get(key) ?? []), pop]);
  }
  for (const { push, takers, places } of all) {
    const takenAt = takers[0]?.invokedAt ?? (places.includes(push.key) ? Infinity : 0);
    for (const { keys, invokedAt, completedAt = Infinity } of byKey.get(push.key) ?? []) {
      const wasThere = (push.completedAt ?? Infinity) < invokedAt && takenAt > completedAt;
      if (!wasThere) continue;
      found.push(`a client was told that ${keys.join(', ')} is empty beside ${push.element}`);
    }
  }
  return found;
}
