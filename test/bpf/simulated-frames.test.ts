/**
 * Whole clusters in virtual time whose small messages travel as frames: under all faults the
 * checks of the simulator hold, and in fair weather the same seed gives the same decisions whether
 * votes are counted below the actors, come one by one, or travel over the links.
 */
import { describe, expect, test } from 'vitest';
import { SeededRng } from '../../actors/runtime/ports/seeded-rng.ts';
import { parseReplies, type Reply, unitOf } from '../simulation/client.ts';
import { SimulatedCluster, simulate } from '../simulation/cluster.ts';
import { USUAL_LIMITS } from '../simulation/limits.ts';
import type { SimFrames } from './sim-frames.ts';

/** Each link takes the same time for every message: what is compared is not the weather's luck. */
const FAIR = {
  weather: {
    delayMsMin: 0.3,
    delayMsMax: 0.3,
    lossRate: 0,
    duplicateRate: 0,
    stallRate: 0,
    stallMsMax: 0,
    ordered: true,
  },
  faultEveryMsMax: 0,
  crashAfterSendRate: 0,
  skewMs: 0,
  driftPpm: 0,
  diskMsMax: 0,
  turnDelayMsMax: 0,
  pipelineDepth: 8,
  reserveMs: 400,
  commandTimeoutMs: 4_000,
  limits: USUAL_LIMITS,
  syncPolicy: 'every_batch',
  frames: undefined,
} as const;

interface Outcome {
  readonly replies: readonly (readonly Reply[] | string)[];
  readonly fast: number;
  readonly slow: number;
}

/** Writers on every node that meet on few keys; what each was told shows the order of all. */
function decisions(
  seed: number,
  nodes: number,
  frames: SimFrames | undefined,
  spreadMs: number,
): Outcome {
  const cluster = new SimulatedCluster({
    seed,
    nodes,
    timeMs: 0,
    profile: { ...FAIR, electorate: nodes },
    ...(frames === undefined ? {} : { frames }),
  });
  for (const node of cluster.nodes) node.start();
  const { scheduler, network } = cluster;
  network.weather = FAIR.weather;
  scheduler.run(3_000);
  const rng = new SeededRng(seed);
  const replies: Outcome['replies'][number][] = [];
  for (let at = 0; at < 80; at += 1) {
    scheduler.run(scheduler.nowMs + spreadMs * rng.next());
    const words = ['APPEND', `key ${Math.floor(rng.next() * 3)}`, `${at},`];
    const node = cluster.nodes[Math.floor(rng.next() * nodes)];
    const unit = unitOf([words], false, (answer) => {
      replies[at] = answer.type === 'replies' ? parseReplies(answer.bytes) : answer.type;
    });
    node?.submit(unit);
  }
  scheduler.run(scheduler.nowMs + 2_000);
  expect(cluster.violations).toEqual([]);
  const { fast = 0, slow = 0 } = cluster.counts;
  return { replies, fast, slow };
}

describe('the same seed', () => {
  test.each([
    [3, 1, 4],
    [3, 2, 1.5],
    [5, 3, 4],
    [5, 4, 1.5],
  ])('%i nodes, seed %i: the same decisions, counted or one by one', (nodes, seed, spreadMs) => {
    const counted = decisions(seed, nodes, 'counted', spreadMs);
    expect(counted.fast + counted.slow).toBeGreaterThan(30);
    expect(decisions(seed, nodes, 'alone', spreadMs)).toEqual(counted);
  });

  test('3 nodes: also when everything travels over the links', () => {
    const counted = decisions(5, 3, 'counted', 4);
    expect(decisions(5, 3, undefined, 4).replies).toEqual(counted.replies);
  });
});

describe('under faults', () => {
  test.each([
    [3, 21],
    [3, 22],
    [3, 23],
    [5, 24],
    [5, 25],
    [5, 26],
  ])('%i nodes, seed %i: no violation', (nodes, seed) => {
    const { violations, counts } = simulate({ seed, nodes, timeMs: 4_000, frames: 'counted' });
    expect(violations).toEqual([]);
    expect((counts['fast'] ?? 0) + (counts['slow'] ?? 0)).toBeGreaterThan(0);
  });
});
