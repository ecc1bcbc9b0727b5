import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { run } from '../../../transport/holoctl/main.ts';
import { AdminServer } from '../../../transport/http/admin-server.ts';
import type { NodeStatus } from '../../../transport/http/node-status.ts';
import type { DepartureReport, RangeReport } from '../../../transport/http/topology-report.ts';
import { makeDoor } from '../http/doors.ts';
import { statusOf } from '../http/status-sample.ts';
import { TOPOLOGY } from '../http/topology-sample.ts';

const servers: AdminServer[] = [];
const others: HttpServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
  for (const server of others.splice(0)) server.close();
});

async function serve(status: NodeStatus, topology = TOPOLOGY): Promise<string> {
  const server = new AdminServer({
    listen: { host: '127.0.0.1', port: 0 },
    providers: {
      notReady: () => status.notReady,
      disk: () => 'ok',
      memory: () => 'ok',
      configure: (name, value) => (value === 'bad' ? `${name} is bad` : undefined),
      changeTopology: async () => ({ code: 200, text: 'change 1' }),
      status: () => status,
      topology: () => topology,
      actors: () => ({ path: `node-${status.node}` }),
      trace: (format) => `{"as":"${format}"}\n`,
      metrics: () => Promise.resolve({ contentType: 'text/plain', text: 'up 1\n' }),
    },
    door: makeDoor().door,
  });
  servers.push(server);
  return `127.0.0.1:${(await server.listen()).port}`;
}

async function call(...args: string[]) {
  let out = '';
  let err = '';
  const code = await run(args, {
    write: (text) => {
      out += text;
    },
    writeError: (line) => {
      err += `${line}\n`;
    },
  });
  return { code, out, err };
}

/** The cells of the table's body, row by row. */
function cells(table: string): string[][] {
  return table
    .split('\n')
    .filter((line) => line.startsWith('│'))
    .slice(1)
    .map((line) =>
      line
        .split('│')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

test('nodes come and go', async () => {
  const node = await serve(statusOf(1));
  const { out } = await call('add-node', '--node', node);
  // Of those that are up.
  expect(out).toContain('holostore node --join 127.0.0.1:15051,127.0.0.1:15052 --data-dir');
  for (const what of ['drain', 'recommission', 'remove-node', 'raise-behaviour']) {
    expect(await call(what, '4', '--node', node)).toMatchObject({ code: 0, out: 'ok\n' });
    expect(await call(what, 'x', '--node', node)).toMatchObject({ code: 2 });
  }
});

test('a node leaves: it is waited for, and told where it does not', async () => {
  const of = (state: string, departure?: DepartureReport) => ({
    ...TOPOLOGY,
    nodes: TOPOLOGY.nodes.map((node) =>
      node.id === 3 ? { ...node, state, ...(departure && { departure }) } : node,
    ),
  });
  const gone = await serve(statusOf(1), of('decommissioned'));
  for (const words of [
    ['decommission', '3'],
    ['replace', '3', '4'],
  ]) {
    const { code, out } = await call(...words, '--node', gone);
    expect([code, out]).toEqual([0, expect.stringContaining('holoctl remove-node 3')]);
    const early = await call(...words, '--no-wait', '--node', gone);
    expect(early).toMatchObject({ code: 0, out: 'ok\n' });
    expect(await call(words[0] as string, '3', 'x', '--node', gone)).toMatchObject({ code: 2 });
  }
  const stuck = { range: 2, why: 'no other node can take it' };
  const departure = { left: 2, moving: [{ range: 1, to: 4 }], stuck: [stuck] };
  const leaving = await serve(statusOf(1), of('decommissioning', departure));
  const { out } = await call('topology', '--node', leaving);
  expect(out).toContain('meta group: generation 1, members 1 2 3\n');
  expect(out).toContain(
    'node 3 leaves: 2 ranges left; range 1 moves to node 4; range 2 stays: no other node can',
  );
  const check = await call('check', '--nodes', leaving, '--down-max', '1');
  expect(check.out).toContain('node 3 keeps range 2: no other node can take it\n');
  const controllers = TOPOLOGY.controllers.map((each) => ({ ...each, isPaused: true }));
  const paused = await serve(statusOf(1), { ...of('decommissioning', departure), controllers });
  const { code, err } = await call('decommission', '3', '--node', paused);
  expect([code, err]).toEqual([1, expect.stringContaining('paused: ranges, replicas (holoctl')]);
  const stays = await serve(statusOf(1), of('active'));
  expect((await call('decommission', '3', '--node', stays)).err).toContain('node 3 is active');
  expect((await call('check', '--nodes', gone)).out).not.toContain('nodes down');
});

test('the meta group, controllers, and changes', async () => {
  const node = await serve(statusOf(1));
  const meta = await call('meta-status', '--node', node);
  expect(meta.code).toBe(0);
  expect(meta.out).toContain('2 are connected, 2 are needed: a quorum');
  const controllers = await call('controller-status', '--node', node);
  expect(cells(controllers.out)).toEqual([
    ['ranges', '2', '3', '1500', 'no'],
    ['replicas', '2', '3', '1500', 'no'],
    ['meta', '2', '3', '1500', 'yes'],
  ]);
  const { out } = await call('state', '--node', node);
  expect(out).toContain('change 2: split of range 2, generation 5, at slot 9000: closing, asked');
  expect(out).toContain('change 1: split done after 0 ms, asked for by admin');
});

test('check names a meta group without a quorum, even where nodes may be down', async () => {
  const nodes = TOPOLOGY.nodes.map((node) => ({ ...node, alive: node.id === 1 }));
  const lonely = await serve(statusOf(1), { ...TOPOLOGY, nodes });
  const { out } = await call('check', '--nodes', lonely, '--down-max', '3');
  expect(out).toContain('the meta group has no quorum: nothing can be changed\n');
});

test('check names a member that waits for data of its range for long', async () => {
  const [range] = TOPOLOGY.ranges;
  const of = (sinceUs: number) => ({
    ...TOPOLOGY,
    ranges: [{ ...(range as RangeReport), owed: [3], sinceUs }],
  });
  const late = await serve(statusOf(1), of(1));
  const check = (node: string) => call('check', '--nodes', node, '--down-max', '1');
  expect((await check(late)).out).toMatch(/^range 1: node 3 lacks its data for \d+ s\n$/);
  expect((await check(await serve(statusOf(1), of(Date.now() * 1_000)))).out).toBe('ok\n');
});

test('check names a range whose data went with the stores of its members', async () => {
  const [range] = TOPOLOGY.ranges;
  const of = (owed: readonly number[], lostBy?: number) => ({
    ...TOPOLOGY,
    ranges: [
      { ...(range as RangeReport), owed, sinceUs: Date.now() * 1_000, ...(lostBy && { lostBy }) },
    ],
  });
  const [first, second] = [
    await serve(statusOf(1), of([], 1)),
    await serve(statusOf(2), of([], 2)),
  ];
  const check = async (...nodes: string[]) =>
    (await call('check', '--nodes', nodes.join(','), '--down-max', '1')).out;
  expect(await check(first)).toBe('range 1: node 2 alone of 1 2 3 is there with its data\n');
  expect(await check(first, second)).toContain('range 1: no member of 1 2 3 is there with its');
  expect((await call('ranges', '--node', first)).out).toContain('1: they went with its store');
});

test('check names what passes a threshold', async () => {
  const node = await serve(statusOf(1));
  const failed = await call('check', '--nodes', `${node},127.0.0.1:1`);
  expect(failed.code).toBe(1);
  expect(failed.out).toMatch(
    /^127.0.0.1:1: .*\nnodes down: 3 \(at most 0\)\nrange 2: its split takes /,
  );
  const passed = await call(
    ...['check', '--nodes', node, '--down-max', '1', '--change-s-max', '9000000000'],
  );
  expect(passed).toMatchObject({ code: 0, out: 'ok\n' });
  expect((await call('check', '--down-max', 'x')).code).toBe(2);
});

test('topology shows the nodes, ranges a line per range', async () => {
  const node = await serve(statusOf(1));
  const topology = await call('topology', '--node', node);
  expect(topology.out).toContain('epoch 4, digest dddd');
  expect(topology.out).toContain('behaviour level 1, 2 of at most 1024 ranges');
  expect(cells(topology.out)).toEqual([
    ['1', '127.0.0.1:15051', '0.1.0', 'active', 'yes', '2', '2'],
    ['2', '127.0.0.1:15052', '0.1.0', 'active', 'yes', '2', '2'],
    ['3', '127.0.0.1:15053', '0.1.0', 'active', 'no', '1', '0'],
  ]);
  expect(cells((await call('ranges', '--node', node)).out)).toEqual([
    ['1', '1', '0-8191', '1 2 3', '1 2', 'stable', ''],
    ['2', '5', '8192-16383', '1 2', '1 2', 'closing', ''],
  ]);
  const [first] = TOPOLOGY.ranges;
  const lacking = { ...(first as RangeReport), owed: [3] };
  const fetching = { ...lacking, owed: [1, 3], fetchedBytes: 1_572_864 };
  const report = await serve(statusOf(1), { ...TOPOLOGY, ranges: [lacking, fetching] });
  const shown = cells((await call('ranges', '--node', report)).out).map((row) => row.at(-1));
  expect(shown).toEqual(['3', '1 3: 1.5 MiB have come']);
  expect(JSON.parse((await call('topology', '--json', '--node', node)).out)).toEqual(TOPOLOGY);
  expect(JSON.parse((await call('ranges', '--json', '--node', node)).out)).toEqual(TOPOLOGY.ranges);
});

test('config set changes a setting of one node, or says why not', async () => {
  const node = await serve(statusOf(1));
  expect(await call('config', 'set', 'maxclients', '5', '--node', node)).toEqual({
    code: 0,
    out: 'ok\n',
    err: '',
  });
  const refused = await call('config', 'set', 'maxclients', 'bad', '--node', node);
  expect(refused).toMatchObject({ code: 1, err: `holoctl: ${node}: maxclients is bad\n` });
  expect((await call('config', 'get', 'maxclients')).code).toBe(2);
  expect((await call('config', 'set', 'maxclients')).code).toBe(2);
});

describe('status', () => {
  test('a row per node, with what only others say of the rest', async () => {
    const one = await serve(statusOf(1));
    const two = await serve(statusOf(2, { appliedSequence: 1100 }));
    const { code, out, err } = await call('status', '--nodes', `${one}, ${two}`);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const counts = ['900', '90', '9', '1'];
    expect(cells(out)).toEqual([
      ['1', one, 'yes', 'yes', '127.0.0.1:16379', '1001', '99', ...counts, '1/2', '42'],
      ['2', two, 'yes', 'yes', '127.0.0.1:16380', '1100', '0', ...counts, '1/2', '42'],
      ['3', '', 'no, says node 2', ...Array(10).fill('')],
    ]);
  });

  test('a node that is not ready, or not there, is exit code 1', async () => {
    const lagging = await serve(statusOf(2, { notReady: 'catching up' }));
    const answer = await call('status', `--nodes=${lagging},127.0.0.1:1`);
    expect(answer.code).toBe(1);
    expect(answer.out).toContain('no: catching up');
    expect(answer.out).toContain('no: nothing listens there');
  });

  test('something else on the port is called by its name', async () => {
    const redis = createServer((socket) => socket.end('-ERR unknown command\r\n'));
    await new Promise<void>((settle) => redis.listen(0, '127.0.0.1', settle));
    const address = redis.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const answer = await call('status', `--nodes=127.0.0.1:${port}`);
    redis.close();
    expect(answer.code).toBe(1);
    expect(answer.out).toContain('it is not the admin port of a node');
  });
});

describe('pages of one node', () => {
  test('actors, metrics', async () => {
    const node = await serve(statusOf(1));
    expect(await call('actors', '--json', '--node', node)).toEqual({
      code: 0,
      out: '{\n  "path": "node-1"\n}\n',
      err: '',
    });
    expect(await call('metrics', '--node', node)).toMatchObject({ code: 0, out: 'up 1\n' });
  });

  test('trace dump, to the screen and into a file', async () => {
    const node = await serve(statusOf(1));
    const screen = await call('trace', 'dump', '--node', node);
    expect(screen).toMatchObject({ code: 0, out: '{"as":"jsonl"}\n' });
    const root = mkdtempSync(join(tmpdir(), 'holoctl-'));
    const file = join(root, 'trace.json');
    const args = ['--node', node, '--format', 'perfetto', '--out', file];
    expect(await call('trace', 'dump', ...args)).toMatchObject({
      code: 0,
      out: `18 bytes written to ${file}\n`,
    });
    expect(readFileSync(file, 'utf8')).toBe('{"as":"perfetto"}\n');
    rmSync(root, { recursive: true });
  });

  test('a node that is not there is one line', async () => {
    expect(await call('metrics', '--node', '127.0.0.1:1')).toEqual({
      code: 1,
      out: '',
      err:
        'holoctl: 127.0.0.1:1: nothing listens there: is the node running, and is this its ' +
        '--listen-admin?\n',
    });
  });
});

describe('whatever listens there', () => {
  const BAD = 'x\u001b[2J\u0007\u009b\u202e';

  /** A server that answers every path with these bytes. */
  async function hostile(status: number, body: string): Promise<string> {
    const server = createHttpServer((_request, response) => {
      response.writeHead(status);
      response.end(body);
    });
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
    others.push(server);
    const address = server.address();
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  const evil = {
    ...statusOf(1, { notReady: BAD, redis: BAD }),
    holofast: { mode: BAD, tier: BAD, reason: BAD, quorums: 1, counters: { [BAD]: 1 } },
  };

  test.each<[string, string[], number, string]>([
    ['status', ['status', '--nodes'], 200, JSON.stringify(evil)],
    ['an error', ['status', '--nodes'], 500, BAD],
    ['holofast', ['holofast', '--node'], 200, JSON.stringify(evil)],
    ['metrics', ['metrics', '--node'], 200, BAD],
    ['a refusal', ['metrics', '--node'], 503, BAD],
    ['actors', ['actors', '--json', '--node'], 200, JSON.stringify({ a: BAD })],
    ['a tree', ['actors', '--node'], 200, JSON.stringify({ path: BAD })],
    ['a key', ['hotkeys', '--node'], 200, JSON.stringify([{ key: BAD }])],
    ['a trace', ['trace', 'dump', '--node'], 200, JSON.stringify({ a: BAD })],
  ])('cannot act on the terminal: %s', async (_name, args, status, body) => {
    const { out, err } = await call(...args, await hostile(status, body));
    expect(out + err).toMatch(/x\\(u001b|x1b)\[2J/);
    expect(out + err).toMatch(/^[\n\x20-\x7e\u2500-\u257f]*$/);
  });

  test('that does not speak JSON is called by its name', async () => {
    const place = await hostile(200, 'hello');
    expect((await call('actors', '--node', place)).err).toBe(
      `holoctl: ${place}: it is not the admin port of a node: give the one that ` +
        '--listen-admin names\n',
    );
  });

  test('a file that cannot be written is told with what can be done', async () => {
    const node = await serve(statusOf(1));
    const answer = await call('trace', 'dump', '--node', node, '--out', '/nowhere/at/all');
    expect(answer).toMatchObject({ code: 1, out: '' });
    expect(answer.err).toMatch(/^holoctl: --out \/nowhere\/at\/all cannot be written: a directory/);
  });
});

describe('called wrongly', () => {
  test.each([
    ['', 'a subcommand is missing (see "holoctl help")'],
    ['divide', 'unknown subcommand "divide" (see "holoctl help")'],
    ['status --nod x:1', 'unknown option \'--nod\' (see "holoctl help")'],
    [
      'status --nodes x',
      'an admin port is written HOST:PORT, not "x" (--node, --nodes or HOLO_ADMIN)',
    ],
    [
      'trace',
      'say "trace dump", or "trace TXNID" with an id such as 1.1/1790000000000000.2.1.0 ' +
        '(see "holoctl help")',
    ],
    ['trace dump --format svg', '--format must be one of jsonl, perfetto, shiviz, otlp, not "svg"'],
  ])('"%s"', async (line, message) => {
    const args = line.split(' ').filter((word) => word !== '');
    expect(await call(...args)).toEqual({ code: 2, out: '', err: `holoctl: ${message}\n` });
  });

  test('as a program', () => {
    const args = ['--import', 'tsx', 'transport/holoctl/main.ts'];
    const version = spawnSync(process.execPath, [...args, 'version'], { encoding: 'utf8' });
    expect(version).toMatchObject({ status: 0, stdout: 'holoctl 0.1.0\n', stderr: '' });
    const wrong = spawnSync(process.execPath, [...args, 'x'], { encoding: 'utf8' });
    expect(wrong.status).toBe(2);
    expect(wrong.stderr.trim().split('\n')).toHaveLength(1);
  });

  test('help', async () => {
    expect((await call('help')).out).toContain('holoctl trace dump');
  });
});

describe('holoctl holofast', () => {
  test('shows which tier runs, why none higher, and what was counted', async () => {
    const holofast = {
      mode: 'auto',
      tier: 'sendmmsg',
      reason: 'CAP_BPF is needed',
      quorums: 12,
      counters: { rounds: 34, replies: 56 },
    };
    const node = await serve(statusOf(1, { holofast }));
    const { code, out } = await call('holofast', '--node', node);
    expect(code).toBe(0);
    const rows = out.split('\n').filter((line) => line.startsWith('│'));
    const shown = rows.map((line) => line.split('│').slice(1, -1));
    expect(shown.map((row) => row.map((cell) => cell.trim()))).toEqual([
      ['tier', 'sendmmsg'],
      ['because', 'CAP_BPF is needed'],
      ['asked for', 'auto'],
      ['quorums', '12'],
      ['rounds', '34'],
      ['replies', '56'],
    ]);
  });

  test('says when a node has none', async () => {
    const node = await serve(statusOf(1));
    const { code, err } = await call('holofast', '--node', node);
    expect([code, err]).toEqual([
      1,
      `holoctl: ${node}: this node does not report HoloFast: it is older than this holoctl\n`,
    ]);
  });
});

describe('what nodes note', () => {
  async function answering(pages: Record<string, () => unknown>): Promise<string> {
    const server = createHttpServer(({ url = '' }, response) => {
      response.end(JSON.stringify(pages[url.split('?')[0] ?? '']?.()));
    });
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
    others.push(server);
    const address = server.address();
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  test('actors as a tree, with rates between two looks', async () => {
    let looks = 0;
    const node = await answering({
      '/actors': () => {
        looks += 1;
        const actor = { state: 'running', depth: 3, mailboxMax: 9, restarts: 1 };
        const lastCrash = { error: 'Error: torn' };
        return {
          path: '/node',
          state: 'running',
          restarts: 0,
          children: [
            { ...actor, path: '/node/wal', processed: 1_000 * looks, busyMs: 100 * looks },
            { ...actor, path: '/node/peer-2', processed: 0, busyMs: 0, lastCrash },
          ],
        };
      },
    });
    const { code, out } = await call('actors', '--node', node);
    expect(code).toBe(0);
    const rows = cells(out);
    expect(rows.map(([name]) => name)).toEqual(['node', '├─ wal', '└─ peer-2']);
    expect(Number(rows[1]?.[3])).toBeGreaterThan(500);
    expect(rows[1]?.slice(1, 3)).toEqual(['running', '3/9']);
    expect(rows[2]?.slice(-2)).toEqual(['1', 'Error: torn']);
  });

  test('top shows rates between two looks, the busiest actors and the hottest keys', async () => {
    let looks = 0;
    const node = await answering({
      '/status': () => statusOf(1, { commandsTotal: 5_000 * ++looks }),
      '/latency': () => [{ phase: 'write', p50Us: 1_500, p99Us: 9_000 }],
      '/actors': () => ({
        path: '/node',
        children: [
          { path: '/node/idle', busyMs: 5, depth: 0 },
          { path: '/node/wal', busyMs: 500 * looks, depth: 7 },
        ],
      }),
      '/hotkeys': () => [{ database: 0, key: 'hot\u0007', perSecond: 99 }],
      '/topology': () => ({
        ...TOPOLOGY,
        ranges: TOPOLOGY.ranges.map((each) => ({ ...each, appliedSequence: 700 * looks, keys: 5 })),
      }),
    });
    const { code, out } = await call('top', '--count', '1', '--nodes', `${node},127.0.0.1:1`);
    expect(code).toBe(1);
    const rows = cells(out);
    expect(Number(rows[0]?.[3])).toBeGreaterThan(2_500);
    expect(rows[0]?.slice(-2)).toEqual(['1.50', '9.00']);
    expect(rows[1]?.[1]).toContain('no: nothing listens there');
    const range = rows.find((row) => row[1] === '1.1');
    expect(range?.slice(2, 4)).toEqual([expect.stringMatching(/^0-\d+$/), '5']);
    expect(Number(range?.[4])).toBeGreaterThan(350);
    const wal = rows.findIndex((row) => row[1] === '/node/wal');
    expect(rows[wal]?.[3]).toBe('7');
    expect(Number.parseFloat(rows[wal]?.[2] ?? '')).toBeGreaterThan(20);
    expect(rows[wal + 1]?.[1]).toBe('/node/idle');
    expect(rows.at(-1)?.slice(1)).toEqual(['hot\\x07', '99.0']);
  });

  test('logs of several nodes by time, from a level on', async () => {
    const line = (node: number, time: number, level: number): string =>
      JSON.stringify({ level, time, node, msg: `line ${time}` });
    const [first, second] = await Promise.all([
      answering({ '/logs': () => ({ added: 2, lines: [line(1, 1_000, 30), line(1, 3_000, 50)] }) }),
      answering({ '/logs': () => ({ added: 1, lines: [line(2, 2_000, 40)] }) }),
    ]);
    const nodes = ['--nodes', `${first},${second}`];
    expect((await call('logs', '--level', 'warn', ...nodes)).out).toBe(
      '1970-01-01T00:00:02.000Z node 2 warn  line 2000\n' +
        '1970-01-01T00:00:03.000Z node 1 error line 3000\n',
    );
    const json = (await call('logs', '--json', ...nodes)).out.trim().split('\n');
    expect(json.map((each) => JSON.parse(each).time)).toEqual([1_000, 2_000, 3_000]);
    expect((await call('logs', '--level', 'loud', ...nodes)).code).toBe(2);
  });

  test('hot keys and the slow log, as a table and as JSON', async () => {
    const hot = [{ database: 2, key: 'k', perSecond: 12.34 }];
    const words = ['SET', 'k', 'v'];
    const slow = [{ atSeconds: 1, tookUs: 20_500, words, address: '1.2.3.4:5' }];
    const node = await answering({ '/hotkeys': () => hot, '/slowlog': () => slow });
    expect(cells((await call('hotkeys', '--node', node)).out)).toEqual([[node, '2', 'k', '12.3']]);
    expect(cells((await call('slowlog', '--node', node)).out)).toEqual([
      [node, '1970-01-01T00:00:01.000Z', '20.5', 'SET k v', '1.2.3.4:5'],
    ]);
    const { out } = await call('hotkeys', '--json', '--node', node);
    expect(JSON.parse(out)).toEqual([{ admin: node, entries: hot }]);
    expect((await call('hotkeys', '--count', '0', '--node', node)).code).toBe(2);
  });

  test('bigkeys, a table and sums for each node', async () => {
    const largest = [{ type: 'list', database: 2, key: 'k\u001b', bytes: 4_096 }];
    const types = [{ type: 'list', keys: 2, bytes: 4_100 }];
    const answer = { largest, types, looked: 2, keys: 5 };
    const node = await answering({ '/bigkeys': () => answer });
    const { code, out } = await call('bigkeys', '--node', node);
    expect(code).toBe(0);
    expect(out).toContain(`${node}: looked at 2 of 5 keys`);
    expect(cells(out)).toEqual([['list', '2', 'k\\x1b', '4096']]);
    expect(out).toContain('list: 2 keys, 4.00K, 2050.0 each');
    const json = await call('bigkeys', '--json', '--nodes', node);
    expect(JSON.parse(json.out)).toEqual([{ admin: node, ...answer }]);
    expect((await call('bigkeys', '--node', '127.0.0.1:1')).code).toBe(1);
  });

  test('bash completes subcommands and their flags', async () => {
    const { out } = await call('completion', 'bash');
    const completed = (...typed: string[]): string => {
      const words = `COMP_WORDS=(${typed.map((word) => `"${word}"`).join(' ')})`;
      const script = `${out}\n${words}; COMP_CWORD=${typed.length - 1}; _holoctl; echo "\${COMPREPLY[@]}"`;
      return String(spawnSync('bash', ['-c', script]).stdout).trim();
    };
    expect(completed('holoctl', 'sl')).toBe('slowlog');
    expect(completed('holoctl', 'logs', '--f')).toBe('--follow');
    expect((await call('completion', 'zsh')).out).toContain('bashcompinit');
    expect((await call('completion', 'fish')).code).toBe(2);
    const help = (await call('help')).out;
    const named = [
      ...new Set([...help.matchAll(/^ {2}holoctl ([\w-]+)/gm)].map(([, word]) => word)),
    ];
    const [, all = ''] = /words="([^"]*)"/.exec(out) ?? [];
    expect(all.split(' ').toSorted()).toEqual(named.toSorted());
  });
});

describe('doctor', () => {
  const WELL = {
    '/metrics': 'holostore_clock_offset_seconds 0.001\nprocess_open_fds 9\nprocess_max_fds 100\n',
    '/latency': JSON.stringify([{ phase: 'sync', p99Us: 900 }]),
  };

  async function node(status: NodeStatus, pages: Partial<typeof WELL> = {}): Promise<string> {
    const all: Record<string, string> = { ...WELL, ...pages, '/status': JSON.stringify(status) };
    const server = createHttpServer(({ url = '' }, response) => response.end(all[url]));
    await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
    others.push(server);
    const address = server.address();
    return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  const members = statusOf(1).members.map((member) => ({ ...member, alive: true }));
  const holofast = { mode: 'auto', tier: 'kernel', reason: '', quorums: 1, counters: {} };

  test('finds nothing wrong where nothing is', async () => {
    const nodes = await Promise.all([1, 2].map((id) => node(statusOf(id, { members, holofast }))));
    expect(await call('doctor', '--nodes', nodes.join(','))).toEqual({
      code: 0,
      out: 'nothing is wrong with 2 nodes\n',
      err: '',
    });
  });

  test.each<[string, Partial<NodeStatus>, Partial<typeof WELL>, string]>([
    ['wrong', { notReady: 'no quorum' }, {}, 'not ready: no quorum'],
    ['wrong', { disk: 'log full' }, {}, 'disk: log full. Make room'],
    ['wrong', { memory: 'full' }, {}, 'memory: full. Delete keys'],
    ['wrong', { members: statusOf(1).members }, {}, 'node 3 (127.0.0.1:15053) is not connected'],
    ['wrong', {}, { '/metrics': 'holostore_clock_offset_seconds -2\n' }, 'is -2.000 s off'],
    ['wrong', {}, { '/latency': '[{"phase":"sync","p99Us":250000}]' }, 'takes 250 ms. Give'],
    [
      'wrong',
      {},
      { '/metrics': 'process_open_fds 90\nprocess_max_fds 100\n' },
      '90 of 100 files are open. Raise ulimit -n',
    ],
    ['note', {}, { '/metrics': '' }, 'the clock has not been compared'],
    [
      'wrong',
      { redis: '0.0.0.0:6379', protectedMode: false },
      {},
      'whoever reaches the Redis port 0.0.0.0:6379 may do everything. It runs with --protected',
    ],
    ['note', { holofast: { ...holofast, tier: 'off', reason: 'no eBPF' } }, {}, 'one: no eBPF.'],
  ])('%s: %j %j', async (kind, changes, pages, text) => {
    const place = await node(statusOf(1, { members, holofast, ...changes }), pages);
    const { code, out } = await call('doctor', '--nodes', place);
    expect(code).toBe(kind === 'wrong' ? 1 : 0);
    expect(out).toContain(`${kind}: ${place}: `);
    expect(out).toContain(text);
    const { out: json } = await call('doctor', '--json', '--nodes', place);
    expect(JSON.parse(json).map((each: { kind: string }) => each.kind)).toContain(kind);
  });

  test('protected mode may be off where there are passwords', async () => {
    const open = { redis: '0.0.0.0:6379', protectedMode: false, passwords: true };
    const place = await node(statusOf(1, { members, holofast, ...open }));
    expect(await call('doctor', '--nodes', place)).toMatchObject({ code: 0 });
  });

  test('nodes that do not answer, or are not alike', async () => {
    const first = await node(statusOf(1, { members, holofast }));
    const second = await node(statusOf(2, { members, holofast, version: '0.0.9' }));
    const { code, out } = await call('doctor', '--nodes', `${first},${second},127.0.0.1:1`);
    expect(code).toBe(1);
    expect(out).toContain('wrong: cluster: the nodes differ in version: 0.1.0, 0.0.9. Upgrade');
    expect(out).toContain('wrong: 127.0.0.1:1: no answer: nothing listens there');
  });
});
