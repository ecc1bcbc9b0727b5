/**
 * Changes of a cluster that serves and suffers faults: ranges are split and moved, nodes are drained
 * or lose their ranges and come back, by `holoctl`, one change after another. What counts are those
 * that came to their end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { RangeReport, TopologyReport } from '../../transport/http/topology-report.ts';
import type { TestCluster, TestNode } from './harness.ts';

export const CHANGES = ['split', 'move', 'drain', 'decommission'] as const;

export type ChangeName = (typeof CHANGES)[number];

export interface ChangeTally {
  tried: number;
  completed: number;
  /** Faults that began while it was under way. */
  cutInto: number;
  readonly failures: string[];
}

/** More ranges are not made of a small cluster. */
const RANGES_MAX = 64;
const CALM_MS_MAX = 1_000;
const DRAINED_MS = 500;
const AGAIN_MS = 300;
/** One that takes longer has not come to its end. */
const CHANGE_MS_MAX = 90_000;

export class Changes {
  readonly tallies: ReadonlyMap<ChangeName, ChangeTally>;
  readonly #cluster: TestCluster;
  readonly #names: readonly ChangeName[];
  #ends = false;
  #loop: Promise<void> | undefined;
  #underWay: ChangeTally | undefined;

  constructor(cluster: TestCluster, names: readonly ChangeName[]) {
    this.#cluster = cluster;
    this.#names = names;
    this.tallies = new Map(
      names.map((name) => [name, { tried: 0, completed: 0, cutInto: 0, failures: [] }]),
    );
  }

  begin(): void {
    if (this.#names.length > 0) this.#loop = this.#run();
  }

  /** The change under way comes to its end. */
  async stop(): Promise<void> {
    this.#ends = true;
    await this.#loop;
  }

  faultBegins(): void {
    if (this.#underWay !== undefined) this.#underWay.cutInto += 1;
  }

  async #run(): Promise<void> {
    for (let turn = 0; !this.#ends; turn += 1) {
      await sleep(Math.random() * CALM_MS_MAX);
      const name = this.#names[turn % this.#names.length] as ChangeName;
      const tally = this.tallies.get(name) as ChangeTally;
      const topology = await this.#topology();
      const steps = topology && stepsOf(name, topology);
      if (steps === undefined) continue;
      tally.tried += 1;
      this.#underWay = tally;
      const failure = await this.#perform(steps);
      this.#underWay = undefined;
      if (failure === undefined) tally.completed += 1;
      else tally.failures.push(failure);
    }
  }

  /** As some node that lives has it. */
  async #topology(): Promise<TopologyReport | undefined> {
    try {
      const { body } = await this.#anyNode().http('/topology', 1_000);
      return JSON.parse(body) as TopologyReport;
    } catch {
      return undefined;
    }
  }

  #anyNode(): TestNode {
    const running = this.#cluster.nodes.filter((node) => node.isRunning && !node.isPaused);
    const some = running.length > 0 ? running : this.#cluster.nodes;
    return some[Math.floor(Math.random() * some.length)] as TestNode;
  }

  /** Each step is tried again at other nodes, as a person would. The reason why one failed. */
  async #perform(steps: readonly (readonly string[])[]): Promise<string | undefined> {
    const untilMs = performance.now() + CHANGE_MS_MAX;
    for (const words of steps) {
      let why = 'there was no time';
      for (let isDone = false; !isDone; ) {
        if (performance.now() > untilMs) return `${words.join(' ')}: ${why}`;
        const { code, stderr } = await this.#anyNode().holoctl(...words);
        why = stderr.trim();
        isDone = code === 0 || isSo(words, why);
        if (!isDone && isFinal(why)) return `${words.join(' ')}: ${why}`;
        await sleep(isDone ? DRAINED_MS : AGAIN_MS);
      }
    }
    return undefined;
  }
}

/** The try before was decided, and nobody was told. */
function isSo([name = '', id = '']: readonly string[], why: string): boolean {
  const state = { drain: 'draining', recommission: 'active' }[name];
  return state !== undefined && why.includes(`node ${id} is ${state}`);
}

/** The range has gone, or the node has it already: asked again it would be another change. */
function isFinal(why: string): boolean {
  return /is no member of range|is a member of range|there is no range|begins there/.test(why);
}

function stepsOf(name: ChangeName, topology: TopologyReport): string[][] | undefined {
  const { ranges, nodes } = topology;
  switch (name) {
    case 'split': {
      const [widest] = [...ranges].sort((a, b) => widthOf(b) - widthOf(a));
      if (widest === undefined || ranges.length >= RANGES_MAX || widthOf(widest) < 2) return;
      return [['split', `--at-slot=${widest.from + (widthOf(widest) >> 1)}`]];
    }
    case 'move': {
      const range = anyOf(ranges);
      const from = range && anyOf(range.members);
      const to = range && anyOf(nodes.filter(({ id }) => !range.members.includes(id)));
      if (to === undefined) return undefined;
      return [['move', `--range=${range?.range}`, `--from=${from}`, `--to=${to.id}`]];
    }
    case 'drain':
    case 'decommission': {
      const id = String(anyOf(nodes)?.id);
      return [
        [name, id],
        ['recommission', id],
      ];
    }
  }
}

function widthOf({ from, to }: RangeReport): number {
  return to - from;
}

function anyOf<T>(all: readonly T[]): T | undefined {
  return all[Math.floor(Math.random() * all.length)];
}
