/**
 * `npm run sim`: batches of simulated clusters, one seed, or the speed of a quiet cluster. Ends
 * with exit code 1 when an invariant was broken, or when a batch (of 300 seeds or more) has not met
 * every required event.
 */
import { writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { toJsonl, toPerfetto, toShiviz } from '../transport/trace/whole.ts';
import { type BatchResult, commandOf, kindOf, runBatch, simulateSeed } from './batch.ts';
import { SimulatedCluster } from './cluster.ts';
import { missingCoverage } from './coverage.ts';
import { FilmCamera } from './film-camera.ts';

const HELP = `npm run sim -- [options]
  --seeds N    how many seeds (100)        --from S   the first of them (1)
  --seed S     this one only               --nodes N  3, 5 or 7 (3 for odd seeds, 5 for even)
  --groups G   3 or 5 groups on five nodes (one seed of ten), 5: all of three members
  --splits     groups that are split all the time (one seed of ten)
  --moves      groups whose members change all the time (one seed of ten)
  --time T     seconds of load per seed, in virtual time (10)
  --replay     with --seed: write its trace, also when all is well
  --record F   with --seed: film it into F, for "holostore replay F"
  --quiet      how fast a cluster of 3 without load runs
  --digest     print one digest of everything that the seeds decided`;

/** Below this, a batch is too small to meet everything. */
const COVERAGE_SEEDS_MIN = 300;
const QUIET_MS = 60_000;
const REPLAYS_MAX = 3;
/** Dumps of one seed beyond this many events are cut at the front. */
const DUMP_EVENTS_MAX = 200_000;

function main(): number {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '100' },
      from: { type: 'string', default: '1' },
      time: { type: 'string', default: '10' },
      nodes: { type: 'string' },
      groups: { type: 'string' },
      splits: { type: 'boolean' },
      moves: { type: 'boolean' },
      replay: { type: 'boolean', default: false },
      record: { type: 'string' },
      quiet: { type: 'boolean', default: false },
      digest: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.quiet) return quiet();
  const nodes = values.nodes === undefined ? undefined : numberOf('nodes', values.nodes);
  if (nodes !== undefined && ![3, 5, 7].includes(nodes)) throw new RangeError('--nodes 3, 5 or 7');
  const groups = values.groups === undefined ? undefined : numberOf('groups', values.groups);
  if (groups !== undefined && ![1, 3, 5].includes(groups)) throw new RangeError('--groups 1, 3, 5');
  const timeMs = numberOf('time', values.time) * 1_000;
  const from = numberOf('seed', values.seed ?? values.from);
  const seeds = values.seed === undefined ? numberOf('seeds', values.seeds) : 1;
  const startMs = performance.now();
  const { splits, moves } = values;
  const result = runBatch({
    from,
    seeds,
    nodes,
    groups,
    splits,
    moves,
    timeMs,
    onRun: progress(seeds),
  });
  report(result, (performance.now() - startMs) / 1_000);
  if (values.digest) console.log(`digest ${result.digest}`);
  for (const { command, violations } of result.failures) {
    console.log(`FAILED  ${command}`);
    for (const violation of violations) console.log(`  ${violation}`);
  }
  const again = (seed: number): void =>
    replay(seed, kindOf(seed, { nodes, groups, splits, moves }), timeMs);
  for (const { seed } of result.failures.slice(0, REPLAYS_MAX)) again(seed);
  if (values.replay && result.failures.length === 0) again(from);
  if (values.record !== undefined) {
    record(values.record, from, kindOf(from, { nodes, groups, splits, moves }), timeMs);
  }
  const missing = seeds >= COVERAGE_SEEDS_MIN ? missingCoverage(result.counts) : [];
  if (missing.length > 0) console.log(`FAILED  the batch has never met: ${missing.join(', ')}`);
  return result.failures.length + missing.length > 0 ? 1 : 0;
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new RangeError(`--${name} must be a number, not "${text}"`);
}

function progress(seeds: number): () => void {
  let done = 0;
  return () => {
    done += 1;
    if (process.stdout.isTTY) process.stdout.write(`\r${done} of ${seeds} seeds`);
    if (process.stdout.isTTY && done === seeds) process.stdout.write('\n');
  };
}

function report(result: BatchResult, wallSeconds: number): void {
  const { counts, runs, operations, virtualMs, failures } = result;
  const rate = virtualMs / 1_000 / wallSeconds;
  const hours = (virtualMs / 3_600_000).toFixed(2);
  const { fast = 0, slow = 0, recovered = 0, invalidated = 0 } = counts;
  const text = [
    `seeds ${runs}, failed ${failures.length}, operations ${operations}`,
    `virtual hours ${hours}, ${rate.toFixed(1)} simulated seconds per second`,
    `paths: fast ${fast}, slow ${slow}, recovered ${recovered}, invalidated ${invalidated}; ` +
      `recoveries begun ${counts['recover'] ?? 0}`,
  ];
  const names = Object.keys(counts).sort();
  for (const [title, pick] of [
    ['faults', (name: string) => name.startsWith('fault ')],
    ['coverage', (name: string) => !name.startsWith('fault ')],
  ] as const) {
    const lines = names.filter(pick).map((name) => `  ${name} ${counts[name]}`);
    text.push(`${title}:`, ...lines);
  }
  // In one write: a reader of only the first lines may be gone before a second one.
  console.log(text.join('\n'));
}

/** The same seed once more, with every message recorded, into files for people and tools. */
function replay(seed: number, kind: ReturnType<typeof kindOf>, timeMs: number): void {
  const result = simulateSeed(seed, kind, { timeMs, trace: true });
  const events = result.trace().slice(-DUMP_EVENTS_MAX);
  const base = join(tmpdir(), `holostore-sim-${seed}-${kind.nodes}`);
  writeFileSync(`${base}.jsonl`, toJsonl(events));
  writeFileSync(`${base}.shiviz.log`, toShiviz(events));
  writeFileSync(`${base}.perfetto.json`, toPerfetto(events));
  console.log(`trace of seed ${seed}: ${base}.jsonl, .shiviz.log, .perfetto.json`);
  console.log(`event hash ${result.eventHash}`);
}

/** The same seed once more, as a film. */
function record(path: string, seed: number, kind: ReturnType<typeof kindOf>, timeMs: number): void {
  const camera = new FilmCamera();
  simulateSeed(seed, kind, { timeMs, camera });
  const members = Array.from({ length: kind.nodes }, (_, index) => index + 1);
  writeFileSync(path, camera.film(commandOf(seed, kind, timeMs), members));
  console.log(`film of seed ${seed}: ${camera.events.length} events in ${path}`);
}

function quiet(): number {
  const cluster = new SimulatedCluster({
    seed: 1,
    nodes: 3,
    timeMs: QUIET_MS,
    profile: { faultEveryMsMax: 0, crashAfterSendRate: 0 },
  });
  const start = process.cpuUsage();
  const { violations } = cluster.runQuiet(QUIET_MS);
  const { user, system } = process.cpuUsage(start);
  const rate = (QUIET_MS * 1_000) / (user + system);
  console.log(`quiet, 3 nodes: ${rate.toFixed(0)} simulated seconds per second of one core`);
  return violations.length === 0 ? 0 : 1;
}

process.exitCode = main();
