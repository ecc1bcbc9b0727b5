/**
 * Many seeds one after the other, with all that they counted added up. `main.ts` and the tests run
 * batches; a seed that fails goes on counting as one failure with the line that repeats it.
 */
import { type RunResult, simulate } from './cluster.ts';
import { EventHash } from './event-hash.ts';

export interface BatchOptions {
  readonly from: number;
  readonly seeds: number;
  /** Absent: 3 for odd seeds, 5 for even ones. */
  readonly nodes?: number | undefined;
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

export function commandOf(seed: number, nodes: number, timeMs: number): string {
  return `npm run sim -- --seed ${seed} --nodes ${nodes} --time ${timeMs / 1_000}`;
}

export function runBatch(options: BatchOptions): BatchResult {
  const counts: Record<string, number> = {};
  const failures: Failure[] = [];
  let operations = 0;
  let virtualMs = 0;
  const hash = new EventHash();
  for (let seed = options.from; seed < options.from + options.seeds; seed += 1) {
    const nodes = nodesOf(seed, options.nodes);
    const result = simulate({ seed, nodes, timeMs: options.timeMs });
    options.onRun?.(result);
    operations += result.operations;
    virtualMs += result.virtualMs;
    hash.text(result.eventHash);
    for (const [what, count] of Object.entries(result.counts)) {
      counts[what] = (counts[what] ?? 0) + count;
    }
    if (result.violations.length === 0) continue;
    const command = commandOf(seed, nodes, options.timeMs);
    failures.push({ seed, command, violations: result.violations });
  }
  return { runs: options.seeds, operations, virtualMs, counts, failures, digest: hash.digest() };
}
