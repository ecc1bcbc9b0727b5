/**
 * Many seeds one after the other, with all that they counted added up. `main.ts` and the tests run
 * batches; a seed that fails goes on counting as one failure with the line that repeats it.
 */
import { type RunOptions, type RunResult, simulate } from './cluster.ts';
import { EventHash } from './event-hash.ts';
import { simulateMetaMoving, simulateMoving } from './moving.ts';
import { simulateSplitting } from './splitting.ts';
import { simulateSpread } from './spread-groups.ts';
import { simulateThreeGroups } from './three-groups.ts';

export interface BatchOptions {
  readonly from: number;
  readonly seeds: number;
  /** Absent: 3 for odd seeds, 5 for even ones. */
  readonly nodes?: number | undefined;
  /** 1, 3 or 5. Absent: 3 and 5 for one seed of twenty each, where `nodes` is absent too. */
  readonly groups?: number | undefined;
  /** Of groups that are split all the time. Absent: one seed of ten, as above. */
  readonly splits?: boolean | undefined;
  /**
   * Of groups whose members change all the time; of one seed of three those of the meta group.
   * Absent: one seed of ten, as above.
   */
  readonly moves?: boolean | undefined;
  readonly timeMs: number;
  readonly onRun?: (result: RunResult) => void;
}

export interface Failure {
  readonly seed: number;
  /** Repeats it. */
  readonly command: string;
  readonly violations: readonly string[];
}

export interface BatchResult {
  readonly runs: number;
  readonly operations: number;
  readonly virtualMs: number;
  readonly counts: Readonly<Record<string, number>>;
  readonly failures: readonly Failure[];
  /** Of the event hashes of all runs, in order: equal when every seed decided the same. */
  readonly digest: string;
}

function nodesOf(seed: number, nodes: number | undefined): number {
  return nodes ?? (seed % 2 === 1 ? 3 : 5);
}

/** One seed of ten is of several groups, where neither is told. */
function groupsOf(seed: number, nodes: number | undefined, groups: number | undefined): number {
  if (groups !== undefined || nodes !== undefined || seed % 10 !== 8) return groups ?? 1;
  return seed % 20 === 8 ? 3 : 5;
}

type Told = Pick<BatchOptions, 'nodes' | 'groups' | 'splits' | 'moves'>;

function isAnything({ nodes, groups, splits, moves }: Told): boolean {
  const all = [nodes, groups, splits, moves];
  return all.every((one) => one === undefined);
}

interface SeedKind {
  readonly nodes: number;
  readonly groups: number;
  readonly splits: boolean;
  readonly moves: boolean;
}

/** Where nothing is told, one seed of ten is of groups that are split, and one of members that move. */
export function kindOf(seed: number, told: Told): SeedKind {
  const { nodes, groups } = told;
  const digit = isAnything(told) ? seed % 10 : undefined;
  const moves = told.moves ?? digit === 6;
  return {
    nodes: nodesOf(seed, nodes),
    groups: moves ? 1 : groupsOf(seed, nodes, groups),
    splits: !moves && (told.splits ?? digit === 4),
    moves,
  };
}

/** One run: of one group with all nodes, of several on five nodes, or of groups that change. */
export function simulateSeed(
  seed: number,
  { nodes, groups, splits, moves }: SeedKind,
  options: Pick<RunOptions, 'timeMs' | 'trace' | 'camera'>,
): RunResult {
  if (moves && seed % 3 === 0) return simulateMetaMoving({ seed, ...options });
  if (moves) return simulateMoving({ seed, ...options });
  if (splits) return simulateSplitting({ seed, nodes, ...options });
  if (groups === 3) return simulateThreeGroups({ seed, ...options });
  if (groups === 5) return simulateSpread({ seed, ...options });
  return simulate({ seed, nodes, ...options });
}

export function commandOf(
  seed: number,
  { nodes, groups, splits, moves }: SeedKind,
  timeMs: number,
): string {
  const kind = splits ? `--nodes ${nodes} --splits` : `--nodes ${nodes}`;
  const several = moves ? '--moves' : `--groups ${groups}`;
  const what = groups === 1 && !moves ? kind : several;
  return `npm run sim -- --seed ${seed} ${what} --time ${timeMs / 1_000}`;
}

export function runBatch(options: BatchOptions): BatchResult {
  const counts: Record<string, number> = {};
  const failures: Failure[] = [];
  let operations = 0;
  let virtualMs = 0;
  const hash = new EventHash();
  for (let seed = options.from; seed < options.from + options.seeds; seed += 1) {
    const kind = kindOf(seed, options);
    const result = simulateSeed(seed, kind, { timeMs: options.timeMs });
    options.onRun?.(result);
    operations += result.operations;
    virtualMs += result.virtualMs;
    hash.text(result.eventHash);
    for (const [what, count] of Object.entries(result.counts)) {
      counts[what] = (counts[what] ?? 0) + count;
    }
    if (result.violations.length === 0) continue;
    const command = commandOf(seed, kind, options.timeMs);
    failures.push({ seed, command, violations: result.violations });
  }
  return { runs: options.seeds, operations, virtualMs, counts, failures, digest: hash.digest() };
}
