/**
 * Runs one harness inside a (mutated) copy of the tree until something breaks: started by
 * `main.ts` as a process of its own, with the harness, the seeds and the time it has as arguments.
 * Prints one line of JSON. Imports a harness only when it is asked for: a mutant may not even load.
 */
import type { Harness } from './mutants.ts';

export interface Outcome {
  /** Seeds that were run, the deadly one included. */
  readonly seeds: number;
  readonly violation: string | undefined;
}

type RunSeed = (seed: number) => string | undefined | Promise<string | undefined>;

async function harnessOf(config: Harness): Promise<RunSeed> {
  switch (config.type) {
    case 'protocol': {
      const { ProtocolCluster } = await import('../actors/accord/protocol-cluster.ts');
      const { MIXES } = await import('../actors/accord/knobs.ts');
      const knobs = { ...MIXES[config.mix], ...config.knobs };
      return (seed) => {
        new ProtocolCluster(seed, knobs).live();
        return undefined;
      };
    }
    case 'story': {
      const { tellStory } = await import('../stories/story.ts');
      const { readFileSync } = await import('node:fs');
      const text = readFileSync(new URL(`../stories/${config.file}`, import.meta.url), 'utf8');
      return () => {
        const told = tellStory(text).split('\n');
        const violation = told.find((line) => line.startsWith('VIOLATION '));
        if (violation !== undefined) return violation.slice('VIOLATION '.length);
        const wrong = text.split('\n').findIndex((line, index) => line !== told[index]);
        return wrong < 0 ? undefined : `line ${wrong + 1} is now: ${told[wrong]}`;
      };
    }
    case 'unit': {
      const { firstFailureOf } = await import('./unit-test.ts');
      return () => firstFailureOf(config.file);
    }
    case 'waiting': {
      const { runWaiting, waitingMode } = await import('../simulation/waiting.ts');
      return (seed) => runWaiting(seed, waitingMode(seed)).violations[0];
    }
    case 'tracking': {
      const { runTracking } = await import('../simulation/tracking.ts');
      return (seed) => runTracking(seed).violations[0];
    }
    case 'groups': {
      const { simulateThreeGroups } = await import('../simulation/three-groups.ts');
      const { timeMs, profile = {} } = config;
      return (seed) => simulateThreeGroups({ seed, timeMs, profile }).violations[0];
    }
    case 'spread': {
      const { simulateSpread } = await import('../simulation/spread-groups.ts');
      const { timeMs, profile = {} } = config;
      return (seed) => simulateSpread({ seed, timeMs, profile }).violations[0];
    }
    case 'moves': {
      const { simulateMoving } = await import('../simulation/moving.ts');
      const { timeMs } = config;
      return (seed) => simulateMoving({ seed, timeMs }).violations[0];
    }
    case 'splits': {
      const { simulateSplitting } = await import('../simulation/splitting.ts');
      const { nodes, timeMs, profile = {} } = config;
      return (seed) => simulateSplitting({ seed, nodes, timeMs, profile }).violations[0];
    }
    case 'node': {
      const { SimulatedCluster } = await import('../simulation/cluster.ts');
      const { nodes, timeMs, profile = {} } = config;
      return (seed) =>
        new SimulatedCluster({ seed, nodes, timeMs, profile }).run(timeMs).violations[0];
    }
  }
}

const [config = '{}', from = '1', count = '1', runMs = '150000'] = process.argv.slice(2);
const untilMs = performance.now() + Number(runMs);
const run = await harnessOf(JSON.parse(config) as Harness);
let outcome: Outcome = { seeds: 0, violation: undefined };
for (let seed = Number(from); seed < Number(from) + Number(count); seed += 1) {
  let violation: string | undefined;
  try {
    violation = await run(seed);
  } catch (error) {
    violation = error instanceof Error ? error.message : String(error);
  }
  outcome = { seeds: seed - Number(from) + 1, violation };
  if (violation !== undefined || performance.now() > untilMs) break;
}
console.log(JSON.stringify(outcome));
