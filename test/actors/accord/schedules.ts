/**
 * Runs seeds of the protocol cluster from a terminal:
 * `node --import tsx test/actors/accord/schedules.ts MIX NODES ELECTORATE FROM COUNT`.
 */
import { MIXES, type MixName } from './knobs.ts';
import { ProtocolCluster } from './protocol-cluster.ts';

const [mix = 'STANDARD', ...numbers] = process.argv.slice(2);
const [nodes = 3, electorate = 3, from = 1, count = 100] = numbers.map(Number);
const knobs = { ...MIXES[mix as MixName], nodes, electorate };
const totals: Record<string, number> = {};
const startedMs = performance.now();
let failures = 0;
let ballots = 0;
for (let seed = from; seed < from + count; seed += 1) {
  const cluster = new ProtocolCluster(seed, knobs);
  try {
    cluster.live();
  } catch (error) {
    failures += 1;
    const text = error instanceof Error ? error.message : String(error);
    console.log(`seed ${seed}: ${text.slice(0, 300)}`);
  }
  ballots = Math.max(ballots, cluster.invariants.ballotsOfOne);
  for (const [what, times] of Object.entries(cluster.counts)) {
    totals[what] = (totals[what] ?? 0) + times;
  }
}
const msPerSeed = (performance.now() - startedMs) / count;
console.log(
  `${mix} N=${nodes} E=${electorate}: ${failures} of ${count} seeds fail, at most ${ballots} ballots`,
);
console.log(`${msPerSeed.toFixed(1)} ms a seed`, JSON.stringify(totals));
process.exitCode = failures === 0 ? 0 : 1;
