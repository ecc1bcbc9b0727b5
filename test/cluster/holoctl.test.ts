/**
 * Every subcommand of `holoctl`, as a program, about three running nodes: for people, as JSON, and
 * with its exit code. What it says is compared with what clients have done. About half a minute.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOST, TestCluster } from './harness.ts';
import { runTool } from './redis-tools.ts';

let cluster: TestCluster;
let nodes = '';
let first = '';

const WRITES = 60;
const ROUNDS = 20;

beforeAll(async () => {
  cluster = await TestCluster.start({ flags: ['--trace-slow-ms=1'] });
  [first = ''] = cluster.nodes.map(({ adminPort }) => `${HOST}:${adminPort}`);
  nodes = cluster.nodes.map(({ adminPort }) => `${HOST}:${adminPort}`).join(',');
  const client = cluster.node(1).client();
  await client.must('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
  for (let round = 0; round < ROUNDS; round += 1) {
    const sets = Array.from({ length: WRITES }, (_, i) => client.must('SET', `k${i}`, `${round}`));
    await Promise.all(sets);
    await client.must('GET', 'hot');
    await client.must('GET', 'hot');
  }
  await client.must('SET', 'large', 'v'.repeat(300_000));
  await client.must('RPUSH', 'list', ...Array.from({ length: 500 }, (_, i) => `item-${i}`));
  client.close();
}, 120_000);

afterAll(() => cluster?.remove());

function holoctl(...args: string[]) {
  return runTool(process.execPath, [cluster.node(1).program.holoctl, ...args]);
}

async function well(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await holoctl(...args);
  expect([code, stderr], args.join(' ')).toEqual([0, '']);
  return stdout;
}

async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse(await well(...args, '--json')) as T;
}

function jsonLines<T>(text: string): T[] {
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}

interface Phases {
  readonly admin: string;
  readonly phases: readonly { readonly phase: string; readonly count: number }[];
}

const PHASES = ['parse', 'queue', 'batch', 'votes', 'execute', 'barrier', 'reply', 'log', 'sync'];

describe('where the time goes', () => {
  test('latency counts every phase, on the node that clients use', async () => {
    const [node, other] = await json<Phases[]>('latency', '--nodes', nodes);
    const counts = new Map(node?.phases.map(({ phase, count }) => [phase, count]));
    for (const phase of [...PHASES, 'network', 'read', 'write']) {
      expect(counts.get(phase), phase).toBeGreaterThan(0);
    }
    expect(counts.get('write')).toBeGreaterThanOrEqual(WRITES * ROUNDS);
    expect(other?.phases.find(({ phase }) => phase === 'parse')?.count).toBe(0);
    const text = await well('latency', '--node', first);
    for (const phase of PHASES) expect(text).toMatch(new RegExp(`│ ${phase} +│ [1-9]`));
  });

  test('INFO latency and the metrics have the same phases', async () => {
    const section = await cluster.node(1).info('latency');
    const metrics = await well('metrics', '--node', first);
    for (const phase of [...PHASES, 'network']) {
      expect(section[`latency_us_${phase}`]).toMatch(/^count=[1-9]\d*,p50=\d+,p99=\d+/);
      const name = `holostore_phase_seconds_count{phase="${phase}"}`;
      expect(metrics).toMatch(new RegExp(`^${name} [1-9]`, 'm'));
    }
  });
});

describe('commands and keys', () => {
  test('slowlog shows what the threshold lets through', async () => {
    const all = ['slowlog', '--nodes', nodes, '--count', '100'];
    const [node] = await json<{ entries: { words: string[] }[] }[]>(...all);
    expect(node?.entries.map(({ words }) => words[0])).toContain('RPUSH');
    expect(await well(...all)).toContain('RPUSH list item-0');
  });

  test('hotkeys has the key that is read twice as often as others are written', async () => {
    const [node] = await json<{ entries: { key: string }[] }[]>('hotkeys', '--nodes', nodes);
    expect(node?.entries.map(({ key }) => key)).toContain('hot');
    expect(await well('hotkeys', '--node', first, '--count', '100')).toMatch(/│ hot +│/);
  });

  test('bigkeys has the largest of each type, on every node, as they apply', async () => {
    interface Found {
      readonly largest: readonly { type: string; key: string; bytes: number }[];
      readonly looked: number;
    }
    for (let tries = 0; ; tries += 1) {
      const all = await json<Found[]>('bigkeys', '--nodes', nodes, '--count', '1');
      if (all.some(({ looked }) => looked < WRITES + 2) && tries < 50) {
        await sleep(100);
        continue;
      }
      expect(all).toHaveLength(3);
      for (const { largest } of all) {
        expect(largest.map(({ type, key }) => [type, key])).toEqual([
          ['list', 'list'],
          ['string', 'large'],
        ]);
        expect(largest[1]?.bytes).toBeGreaterThanOrEqual(300_000);
      }
      break;
    }
    expect(await well('bigkeys', '--node', first)).toMatch(/│ string │ 0 +│ large │ 300000 │/);
  });
});

describe('nodes and actors', () => {
  test('top shows rates between two looks', async () => {
    const client = cluster.node(1).client();
    let isOver = false;
    const load = (async () => {
      while (!isOver) await client.must('SET', 'hot', 'v');
    })();
    const text = await well('top', '--nodes', nodes, '--count', '1');
    const [line] = jsonLines<{ node: string; commandsPerSecond: number; actors: unknown[] }[]>(
      await well('top', '--nodes', nodes, '--count', '1', '--json'),
    );
    isOver = true;
    await load;
    client.close();
    expect(text).toContain('busiest actors');
    expect(text).toMatch(/│ 1\.1 +│ 0-16383 +│ \d+ +│ [1-9]\d* +│/);
    expect(text).toMatch(/store-0\/(replica|coordinator|executor)/);
    expect(line?.map(({ node }) => node)).toEqual(nodes.split(','));
    expect(line?.[0]?.commandsPerSecond).toBeGreaterThan(1);
    expect(line?.[0]?.actors.length).toBeGreaterThan(3);
  });

  test('actors is the tree of a node', async () => {
    const text = await well('actors', '--node', first);
    for (const name of ['wal', 'store-0', 'replica', 'executor', 'coordinator', 'peer-2']) {
      expect(text).toMatch(new RegExp(`[├└]─ ${name} +│ running`));
    }
    const tree = await json<{ children: { path: string }[] }>('actors', '--node', first);
    expect(tree.children.map(({ path }) => path.split('/').at(-1))).toContain('gateway');
  });

  test('logs has the lines of every node, by time', async () => {
    const text = await well('logs', '--nodes', nodes);
    for (const id of cluster.ids) expect(text).toContain(`node ${id} info `);
    const lines = jsonLines<{ time: number }>(await well('logs', '--nodes', nodes, '--json'));
    const times = lines.map(({ time }) => time);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.length).toBeGreaterThan(6);
  });

  test('status, topology, ranges, holofast and doctor have nothing to complain about', async () => {
    type Row = { status: { redis: string } };
    const rows = await json<Row[]>('status', '--nodes', nodes);
    const redis = cluster.nodes.map(({ redisPort }) => `${HOST}:${redisPort}`);
    expect(rows.map(({ status }) => status.redis)).toEqual(redis);
    expect((await json<{ nodes: unknown[] }>('topology', '--node', first)).nodes).toHaveLength(3);
    const [range] = await json<{ members: number[] }[]>('ranges', '--node', first);
    expect(range?.members).toEqual([1, 2, 3]);
    expect((await json<{ tier: string }>('holofast', '--node', first)).tier).not.toBe('');
    const findings = await json<{ kind: string }[]>('doctor', '--nodes', nodes);
    expect(findings.every(({ kind }) => kind === 'note')).toBe(true);
    expect(await well('doctor', '--nodes', nodes)).toContain('nothing is wrong with 3 nodes');
    const set = ['config', 'set', 'slowlog-max-len', '77', '--node', first];
    expect(await json(...set)).toEqual({ name: 'slowlog-max-len', value: '77' });
    expect(await json('version')).toEqual({ version: expect.any(String) });
  });
});

test('trace tail names transactions, and trace shows one on all nodes', async () => {
  const client = cluster.node(1).client();
  await client.must('SET', 'traced', 'v');
  client.close();
  const text = await well('trace', 'tail', '--count', '3', '--node', first, '--json');
  const lines = jsonLines<{ txn: string; why: string }>(text);
  expect(lines).toHaveLength(3);
  const txn = lines.at(-1)?.txn ?? '';
  const picture = await well('trace', txn, '--nodes', nodes);
  for (const fact of ['PreAccept', 'on disk after', 'executed']) expect(picture).toContain(fact);
  const one = await json<{ txn: string; events: { node: number }[] }>(
    'trace',
    txn,
    '--nodes',
    nodes,
  );
  expect(one.txn).toBe(txn);
  expect(new Set(one.events.map(({ node }) => node))).toEqual(new Set([1, 2, 3]));
  expect((await holoctl('trace', '1.1/9.2.1.0', '--nodes', nodes)).code).toBe(1);
});

test.each([
  ['no such subcommand', ['bigkey']],
  ['no such flag', ['status', '--jsn']],
  ['a bad count', ['bigkeys', '--count', 'many']],
  ['a bad address', ['top', '--nodes', 'here']],
])('%s is wrong usage', async (_, args) => {
  const { code, stdout, stderr } = await holoctl(...args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^holoctl: /);
});

test('a node that is gone is told of by status, doctor, top and the logs of the others', async () => {
  await cluster.node(3).kill();
  const gone = `${HOST}:${cluster.node(3).adminPort}`;
  for (let tries = 0; (await holoctl('doctor', '--node', first)).code === 0; tries += 1) {
    expect(tries).toBeLessThan(50);
    await sleep(100);
  }
  const doctor = await holoctl('doctor', '--nodes', nodes);
  expect(doctor.code).toBe(1);
  expect(doctor.stdout).toContain(`wrong: ${gone}: no answer`);
  expect(doctor.stdout).toMatch(/wrong: .*: node 3 \(.*\) is not connected/);
  const status = await holoctl('status', '--nodes', nodes, '--json');
  expect(status.code).toBe(1);
  expect(JSON.parse(status.stdout)[2]).toEqual({ admin: gone, error: expect.any(String) });
  expect((await holoctl('top', '--nodes', nodes, '--count', '1')).code).toBe(1);
  expect(await well('logs', '--node', first, '--level', 'warn')).toContain('peer 3 is gone');
});
