/**
 * Exceptions thrown inside the actors of one node, while clients write: the actors that the tree
 * names restart, and no acknowledged write is lost. Node 1 runs in this process, as production
 * builds it; its peers are processes. About half a minute.
 */
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Node } from '../../actors/node/node.ts';
import { EXIT_FORMED, type RunningNode } from '../../actors/process/running-node.ts';
import { parseNodeConfig } from '../../actors/process/settings/config.ts';
import { startNode } from '../../actors/process/start-node.ts';
import type { ActorInspection, Inspection } from '../../actors/runtime/inspection.ts';
import { TestCluster } from './harness.ts';
import { Load } from './load.ts';

const built = vi.hoisted(() => ({ nodes: [] as Node[] }));

/** Only looks on: `startNode` builds what it always builds, and the test sees it. */
vi.mock('../../actors/node/node.ts', async (original) => {
  const real = await original<typeof import('../../actors/node/node.ts')>();
  class WatchedNode extends real.Node {
    constructor(parts: ConstructorParameters<typeof real.Node>[0]) {
      super(parts);
      built.nodes.push(this);
    }
  }
  return { ...real, Node: WatchedNode };
});

const WAIT = { timeout: 15_000, interval: 10 };

let cluster: TestCluster;
let running: RunningNode;
let node: Node;

beforeEach(async () => {
  cluster = await TestCluster.prepare();
  for (const id of [2, 3]) cluster.node(id).start();
  const start = () =>
    startNode(parseNodeConfig(cluster.node(1).flags, {}), pino({ level: 'silent' }));
  // It begins again once the cluster is formed.
  const forming = start();
  expect(await forming.stopped).toMatchObject({ code: EXIT_FORMED });
  running = start();
  const found = built.nodes.at(-1);
  if (found === undefined) throw new Error('startNode built no node');
  node = found;
  await Promise.all([cluster.node(2).ready(), cluster.node(3).ready()]);
  await vi.waitFor(
    async () => expect((await cluster.node(1).http('/readyz')).status).toBe(200),
    WAIT,
  );
});

afterEach(async () => {
  await running?.stop('the test is over');
  await cluster?.remove();
});

function actorsOf(inspection: Inspection | undefined): ActorInspection[] {
  if (inspection === undefined) return [];
  if (inspection.kind === 'actor') return [inspection];
  return inspection.children.flatMap(actorsOf);
}

function actors(): ActorInspection[] {
  return actorsOf(node.system.inspect());
}

const STORE = ['store-0/replica', 'store-0/executor', 'store-0/coordinator'];

const CASES: readonly (readonly [string, readonly string[]])[] = [
  ['store-0/replica', STORE],
  ['store-0/executor', STORE.slice(1)],
  ['store-0/coordinator', STORE.slice(2)],
  ['peer-2', ['peer-2']],
  // Appended records not yet confirmed may be lost: the store starts again from the disk.
  ['wal', [...STORE, 'wal']],
  ['gateway', ['gateway']],
];

describe('a crash of one actor under load', () => {
  test.each(CASES)('%s restarts %j', async (name, expected) => {
    const load = new Load(cluster, { clientsPerNode: 2 });
    await vi.waitFor(() => expect(load.acknowledged).toBeGreaterThan(50), WAIT);
    const before = new Map(actors().map(({ path, restarts }) => [path, restarts]));
    node.system.crash(`node-1/${name}`, new Error('injected'));
    const restarted = (): string[] =>
      actors()
        .filter(({ path, restarts, state }) => state === 'running' && restarts !== before.get(path))
        .map(({ path }) => path.replace('node-1/', ''))
        .sort();
    await vi.waitFor(() => expect(restarted()).toEqual([...expected].sort()), WAIT);
    // All three nodes serve again, and go on to do so.
    const { acknowledged } = load;
    await vi.waitFor(() => expect(load.acknowledged).toBeGreaterThan(acknowledged + 100), WAIT);
    for (const { id } of cluster.nodes) {
      await vi.waitFor(async () => {
        expect((await cluster.node(id).client().run('SET', `after${id}`, '1')).type).toBe('ok');
      }, WAIT);
    }
    await load.stop();
    console.log(`${name}: ${load.describe()}`);
    const told = [...load.failures.keys()];
    const known = /INTERRUPTED|TIMEOUT|TRYAGAIN|Connection is closed|no connection/;
    expect(told.filter((why) => !known.test(why))).toEqual([]);
    expect(await load.problems(cluster.nodes)).toEqual([]);
    expect(restarted()).toEqual([...expected].sort());
    expect(node.system.failure).toBeUndefined();
  });
});

describe('a crash loop', () => {
  async function crashUntilTheEnd(path: string): Promise<{ code: number; reason: string }> {
    const ended: { code: number; reason: string }[] = [];
    void running.stopped.then((end) => ended.push(end));
    let crashes = 0;
    await vi.waitFor(
      () => {
        const isUp = actors().some((actor) => actor.path === path && actor.state === 'running');
        if (isUp) {
          node.system.crash(path, new Error('injected again'));
          crashes += 1;
        }
        expect(ended).toHaveLength(1);
      },
      { timeout: 60_000, interval: 20 },
    );
    console.log(`${path}: the node ended after ${crashes} crashes`);
    const [end] = ended;
    if (end === undefined) throw new Error('the node has not ended');
    return end;
  }

  test.each(['node-1/gateway', 'node-1/store-0/coordinator'])(
    'of %s is stopped by the restart intensity, and the node ends with its reason',
    async (path) => {
      const { code, reason } = await crashUntilTheEnd(path);
      expect(code).toBe(1);
      expect(reason).toContain('injected again');
      // The peers go on.
      const outcome = await cluster.node(2).client().run('SET', 'k', 'without node 1');
      expect(outcome).toEqual({ type: 'ok', reply: 'OK' });
      await expect(cluster.node(1).http('/healthz')).rejects.toThrow();
    },
  );
});
