/**
 * Many seeds one after the other, with all that they counted added up. `main.ts` and the tests run
 * batches; a seed that fails goes on counting as one failure with the line that repeats it.
 */
import { type RunOptions, type RunResult, simulate } from './cluster.ts';
import { EventHash } from './event-hash.ts';
import { simulateThreeGroups } from './three-groups.ts';

export interface BatchOptions {
  readonly from: number;
  readonly seeds: number;
  /** Absent: 3 for odd seeds, 5 for even ones. */
  readonly nodes?: number | undefined;
  /** 1 or 3. Absent: 3 for one seed of ten, where `nodes` is absent too. */
  readonly groups?: number | undefined;
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

export function nodesOf(seed: number, nodes: number | undefined): number {
  return nodes ?? (seed % 2 === 1 ? 3 : 5);
}

/** One seed of ten is of three groups, where neither is told. */
export function groupsOf(
  seed: number,
  nodes: number | undefined,
  groups: number | undefined,
): number {
  return groups ?? (nodes === undefined && seed % 10 === 8 ? 3 : 1);
}

/** One run, of one group with all nodes, or of three on five nodes. */
export function simulateSeed(
  seed: number,
  nodes: number,
  groups: number,
  options: Pick<RunOptions, 'timeMs' | 'trace'>,
): RunResult {
  if (groups === 3) return simulateThreeGroups({ seed, ...options });
  return simulate({ seed, nodes, ...options });
}

export function commandOf(seed: number, nodes: number, groups: number, timeMs: number): string {
  const what = groups === 1 ? `--nodes ${nodes}` : `--groups ${groups}`;
  return `npm run sim -- --seed ${seed} ${what} --time ${timeMs / 1_000}`;
}

export function runBatch(options: BatchOptions): BatchResult {
  const counts: Record<string, number> = {};
  const failures: Failure[] = [];
  let operations = 0;
  let virtualMs = 0;
  const hash = new EventHash();
  for (let seed = options.from; seed < options.from + options.seeds; seed += 1) {
    const nodes = nodesOf(seed, options.nodes);
    const groups = groupsOf(seed, options.nodes, options.groups);
    const result = simulateSeed(seed, nodes, groups, { timeMs: options.timeMs });
    options.onRun?.(result);
    operations += result.operations;
    virtualMs += result.virtualMs;
    hash.text(result.eventHash);
    for (const [what, count] of Object.entries(result.counts)) {
      counts[what] = (counts[what] ?? 0) + count;
    }
    if (result.violations.length === 0) continue;
    const command = commandOf(seed, nodes, groups, options.timeMs);
    failures.push({ seed, command, violations: result.violations });
  }
  return { runs: options.seeds, operations, virtualMs, counts, failures, digest: hash.digest() };
}
