/**
 * A small cluster for a scenario that is written down step by step: no load, no weather, no drawn
 * faults; the test does everything itself and looks at the nodes in between.
 */
import { type Answer, parseReplies, type Reply, unitOf } from './client.ts';
import { type RunOptions, SimulatedCluster } from './cluster.ts';
import { USUAL_LIMITS } from './limits.ts';
import type { Profile } from './profile.ts';
import type { SimNode } from './sim-node.ts';

/** The outcome of a command: open until `answer` is there. */
export class Asked {
  answer: Answer | undefined;

  get reply(): Reply | undefined {
    return this.replies[0];
  }

  get replies(): Reply[] {
    return this.answer?.type === 'replies' ? parseReplies(this.answer.bytes) : [];
  }
}

const START_MS = 500;
const CONVERGE_MS_MAX = 30_000;

const UNEVENTFUL: Partial<Profile> = {
  faultEveryMsMax: 0,
  crashAfterSendRate: 0,
  skewMs: 1,
  driftPpm: 0,
  diskMsMax: 0.3,
  segmentBytes: 32 * 1024,
  flushEveryMs: 200,
  pipelineDepth: 8,
  commandTimeoutMs: 3_000,
  turnDelayMsMax: 0,
  reserveMs: 400,
  setBackMsMax: 0,
  limits: USUAL_LIMITS,
  syncPolicy: 'every_batch',
  frames: undefined,
  away: undefined,
};

export class Scenario {
  readonly cluster: SimulatedCluster;

  constructor(
    nodes: number,
    profile: Partial<Profile> = {},
    seed = 1,
    options: Omit<RunOptions, 'seed' | 'nodes' | 'timeMs' | 'profile'> = {},
  ) {
    const whole = { electorate: nodes, ...UNEVENTFUL, ...profile };
    this.cluster = new SimulatedCluster({ seed, nodes, timeMs: 0, profile: whole, ...options });
    for (const node of this.cluster.nodes) node.start();
    this.run(START_MS);
  }

  /** By id, from 1. */
  node(id: number): SimNode {
    const node = this.cluster.nodes[id - 1];
    if (node === undefined) throw new Error(`there is no node ${id}`);
    return node;
  }

  run(ms: number): void {
    this.cluster.scheduler.run(this.cluster.scheduler.nowMs + ms);
  }

  ask(id: number, ...words: readonly string[]): Asked {
    return this.askUnit(id, [words], false);
  }

  /** `exec`: as a MULTI block. */
  askUnit(id: number, commands: readonly (readonly string[])[], exec: boolean): Asked {
    const asked = new Asked();
    const unit = unitOf(commands, exec, (answer) => {
      asked.answer ??= answer;
    });
    if (!this.node(id).submit(unit)) asked.answer = { type: 'refused', why: 'nobody there' };
    return asked;
  }

  /** Runs until the answer is there; throws when none comes. */
  answerTo(id: number, ...words: readonly string[]): Reply | undefined {
    return this.repliesTo(id, [words], false)[0];
  }

  repliesTo(id: number, commands: readonly (readonly string[])[], exec: boolean): Reply[] {
    const asked = this.askUnit(id, commands, exec);
    for (let steps = 0; steps < 400 && asked.answer === undefined; steps += 1) this.run(10);
    if (asked.answer === undefined) {
      throw new Error(`node ${id} does not answer ${commands.join(' ')}`);
    }
    return asked.replies;
  }

  /** Cuts every link of a node, in both directions, or lets them be again. */
  isolate(id: number): void {
    for (const { id: peer } of this.cluster.nodes) {
      if (peer === id) continue;
      this.cluster.network.cut(id, peer);
      this.cluster.network.cut(peer, id);
    }
  }

  /** Until all living nodes have come to one state; throws when they do not. */
  converge(): void {
    let why = this.cluster.converged();
    for (let ms = 0; why !== undefined && ms < CONVERGE_MS_MAX; ms += 100) {
      this.run(100);
      why = this.cluster.converged();
    }
    if (why !== undefined) throw new Error(why);
  }
}
