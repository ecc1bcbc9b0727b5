/** The console of a node over real sockets: what is let in, what is answered, what closes it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { decodeCbor, encodeCbor } from '../../../transport/cbor.ts';
import { AdminConsole } from '../../../transport/console/admin-console.ts';
import { ClusterQuestions } from '../../../transport/console/cluster-questions.ts';
import type { AdminServer } from '../../../transport/http/admin-server.ts';
import { httpGet } from '../../../transport/http/http-get.ts';
import { TOKEN } from '../http/doors.ts';
import { type AdminConsoleOptions, openConsole, TestConsole } from './console-bench.ts';

const servers: AdminServer[] = [];
const consoles: TestConsole[] = [];

afterEach(async () => {
  for (const console of consoles.splice(0)) console.socket.terminate();
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

async function serve(
  options: Partial<AdminConsoleOptions> = {},
  peer?: ClusterQuestions,
  password?: string,
) {
  const { port, server } = await openConsole(options, peer, password);
  servers.push(server);
  return port;
}

function open(port: number, headers?: Readonly<Record<string, string>>): TestConsole {
  const console = new TestConsole(port, headers);
  consoles.push(console);
  return console;
}

describe('the page', () => {
  test('comes with its libraries, and may load nothing else', async () => {
    const port = await serve();
    const host = '127.0.0.1';
    const index = await httpGet({ host, port }, '/', 1_000);
    expect(index.status).toBe(200);
    const files = [...index.body.matchAll(/"(\/console\/[^"]+)"/g)].map(([, path = '']) => path);
    expect(files).toContain('/console/lib/preact.mjs');
    for (const path of files) {
      expect([path, (await httpGet({ host, port }, path, 1_000)).status]).toEqual([path, 200]);
    }
    expect(index.body).not.toMatch(/https?:\/\//);
  });

  test('says what it may do; its files wait for no node that is down', async () => {
    let asked = 0;
    const members = [1, 2].map((id) => ({ id, host: '127.0.0.1' }));
    const askPeer: AdminConsoleOptions['askPeer'] = (_peer, _question, done) => {
      asked += 1;
      done(undefined);
    };
    const port = await serve({ members, askPeer });
    const policyOf = async (path: string) => {
      const { headers } = await fetch(`http://127.0.0.1:${port}${path}`);
      return headers.get('content-security-policy');
    };
    expect(await policyOf('/')).toMatch(/script-src 'self' 'sha256-.*connect-src 'self'/);
    expect(asked).toBe(1);
    expect(await policyOf('/console/page/main.js')).toMatch(/^default-src 'none'; base-uri/);
    expect(asked).toBe(1);
  });

  test.each([
    '/console/page/../console-server.ts',
    '/console/page/%2e%2e/console-server.ts',
    '/console/lib/../../package.json',
    '/console/page/',
    '/console/page/tsconfig.json',
  ])('and no other file of the disk: %s', async (path) => {
    const port = await serve();
    expect((await httpGet({ host: '127.0.0.1', port }, path, 1_000)).status).toBe(404);
  });
});

test.each(['act', 'keys', 'key', 'channels'])('a peer that asks %s is refused', async (what) => {
  const asked: string[] = [];
  const console = new AdminConsole({
    ...{ self: 1, clusterId: 'c0ffee', members: [], consolesMax: 1, isOpen: true },
    answerHere: (question) => asked.push(question.what),
    askPeer: (_peer, _question, done) => done(undefined),
  });
  const ask = (its: string): Promise<unknown> =>
    new Promise((resolve) => {
      const question = { what: its, args: {}, user: 'default', role: 'admin' };
      console.questions.answerPeer(encodeCbor(question), (bytes) => resolve(decodeCbor(bytes)));
    });
  expect(await ask(what)).toEqual({ error: 'it is answered to consoles of this node alone' });
  expect(await ask('slowLog')).toEqual({ value: 1 });
  expect(asked).toEqual(['slowLog']);
  console.close();
});

describe('a socket', () => {
  test('of the own page, or of no page, is let in', async () => {
    const port = await serve();
    for (const headers of [{}, { Origin: `http://127.0.0.1:${port}` }]) {
      expect(await open(port, headers).hello()).toMatchObject({ node: 1, clusterId: 'c0ffee' });
    }
  });

  test.each([
    ['of another site', { Origin: 'http://evil.example' }, 'HTTP 403'],
    ['of a page without a site', { Origin: 'null' }, 'HTTP 403'],
    ['of another port of this machine', { Origin: 'http://127.0.0.1:1' }, 'HTTP 403'],
    ['under a foreign name', { Host: 'evil.example' }, 'HTTP 421'],
  ])('%s is refused', async (_what, headers, outcome) => {
    expect(await open(await serve(), headers).closed).toBe(outcome);
  });

  test("of a member's page is let in once its admin port is known", async () => {
    const members = [1, 2].map((id) => ({ id, host: '127.0.0.1' }));
    const peer = new ClusterQuestions({
      self: 2,
      nodes: [1, 2],
      answerHere: () => ({ admin: '127.0.0.1:7002' }),
      askPeer: (_peer, _question, done) => done(undefined),
      isForHere: () => false,
    });
    const port = await serve({ members }, peer);
    const { status, headers } = await fetch(`http://127.0.0.1:${port}/`);
    expect(status).toBe(200);
    const [, sockets] =
      /connect-src ([^;]*)/.exec(headers.get('content-security-policy') ?? '') ?? [];
    expect(sockets).toBe("'self' ws://127.0.0.1:7002 wss://127.0.0.1:7002");
    const welcome = await open(port, { Origin: 'http://127.0.0.1:7002' }).hello();
    expect(welcome['nodes']).toContainEqual({ node: 2, admin: '127.0.0.1:7002' });
  });

  test('is answered 503 beyond as many as may be, until one closes', async () => {
    const port = await serve({ consolesMax: 2 });
    const [first] = await Promise.all([open(port).opened(), open(port).opened()]);
    expect(await open(port).closed).toBe('HTTP 503');
    first.socket.close();
    await first.closed;
    await sleep(20);
    await open(port).opened();
  });

  test.each([
    ['no CBOR', Buffer.from([0x1c])],
    ['a tag', Buffer.from([0xc1, 0x00])],
    ['nested too deep', Buffer.alloc(60_000, 0x81)],
    ['no map', encodeCbor([1])],
    ['no hello', encodeCbor({ type: 'subscribe', id: 1, view: 'overview', args: {} })],
    ['another version', encodeCbor({ type: 'hello', version: 2 })],
    ['no such view', encodeCbor({ type: 'subscribe', id: 1, view: 'x', args: {} })],
    ['an object as argument', encodeCbor({ type: 'ask', id: 1, what: 'x', args: { a: [1] } })],
  ])('that sends %s is closed', async (_what, bytes) => {
    const console = await open(await serve()).opened();
    console.socket.send(bytes);
    expect(await console.closed).toMatch(/^1008 /);
  });

  test('that sends too much at once, or text, is closed', async () => {
    const port = await serve();
    const [long, text, many] = [open(port), open(port), open(port)];
    await long.hello();
    long.socket.send(Buffer.alloc(64 * 1024 + 1));
    await text.hello();
    text.socket.send('hello');
    await many.hello();
    for (let sent = 0; sent < 100; sent += 1) many.send({ type: 'unsubscribe', id: sent });
    expect(await long.closed).toMatch(/^1009 /);
    expect(await text.closed).toMatch(/^1003 /);
    expect(await many.closed).toBe('1008 too many messages');
  });
});

describe('views', () => {
  test('are gathered once for all consoles, and told to each', async () => {
    let gathered = 0;
    const port = await serve({
      answerHere: ({ what }) => {
        gathered += 1;
        return { what, gathered };
      },
    });
    const all = [open(port), open(port), open(port)];
    for (const console of all) {
      await console.hello();
      console.send({ type: 'subscribe', id: 7, view: 'holofast', args: {} });
    }
    const seen = await Promise.all(all.map((console) => console.view()));
    expect(seen).toEqual(Array(3).fill({ nodes: { 1: { what: 'holofast', gathered: 1 } } }));
    expect(await all[0]?.view()).toEqual({ nodes: { 1: { what: 'holofast', gathered: 2 } } });
  });

  test('say of a node that does not answer that it does not', async () => {
    const members = [1, 2].map((id) => ({ id, host: '127.0.0.1' }));
    const console = open(await serve({ members }));
    await console.hello();
    console.send({ type: 'subscribe', id: 1, view: 'holofast', args: {} });
    expect(await console.view()).toEqual({
      nodes: { 1: { what: 'holofast' }, 2: expect.stringContaining('it is down') },
    });
  });

  test('are at most four per console', async () => {
    const console = open(await serve());
    await console.hello();
    for (let id = 1; id <= 5; id += 1) {
      console.send({ type: 'subscribe', id, view: 'holofast', args: { id } });
    }
    expect(await console.next('refused')).toMatchObject({ id: 5 });
    console.send({ type: 'unsubscribe', id: 1 });
    console.send({ type: 'subscribe', id: 6, view: 'holofast', args: {} });
    while ((await console.next('view'))['id'] !== 6);
  });

  test('are not told to a page that does not take them, which then gets the latest', async () => {
    let gathered = 0;
    const port = await serve({
      answerHere: () => {
        gathered += 1;
        return { gathered, filling: Buffer.alloc(4 * 1024 * 1024) };
      },
    });
    const [slow, quick] = [open(port), open(port)];
    for (const console of [slow, quick]) {
      await console.hello();
      console.send({ type: 'subscribe', id: 1, view: 'holofast', args: {} });
    }
    slow.socket.pause();
    const numberOf = (view: unknown) =>
      (view as { nodes: { 1: { gathered: number } } }).nodes[1].gathered;
    for (let round = 0; round < 4; round += 1) await quick.view();
    slow.socket.resume();
    const seen = [numberOf(await slow.view()), numberOf(await slow.view())];
    while ((seen.at(-1) ?? 0) < 5) seen.push(numberOf(await slow.view()));
    // Some were never told; none is told twice or out of order.
    expect(seen.length).toBeLessThan(seen.at(-1) ?? 0);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
  });
});

describe('questions', () => {
  test('without an answer are refused, each under its number', async () => {
    const console = open(await serve());
    await console.hello();
    console.send({ type: 'ask', id: 3, what: 'nothing', args: {} });
    expect(await console.next('refused')).toEqual({
      type: 'refused',
      id: 3,
      reason: 'there is no question "nothing"',
    });
  });
});

describe('credentials', () => {
  test('make a user with a role, or are refused with the reason', async () => {
    const console = open(await serve({}, undefined, 'secret'));
    expect(await console.hello()).toMatchObject({ role: undefined, refused: undefined });
    const wrong = await console.hello({ type: 'token', token: 'wrong' });
    expect(wrong).toMatchObject({ role: undefined, refused: expect.stringContaining('token') });
    const user = await console.hello({ type: 'password', user: 'default', password: 'secret' });
    expect(user).toMatchObject({ user: 'default', role: 'admin', refused: undefined });
    const token = await console.hello({ type: 'token', token: TOKEN });
    expect(token).toMatchObject({ role: 'admin', refused: undefined });
  });

  test('of the request are those of a console that gives none', async () => {
    const port = await serve({}, undefined, 'secret');
    const authorization = `Bearer ${TOKEN}`;
    expect(await open(port, { authorization }).hello()).toMatchObject({ role: 'admin' });
    expect(await open(port, { authorization: 'Bearer wrong' }).closed).toBe('HTTP 401');
  });

  test('open all views where none is open by itself', async () => {
    const console = open(await serve({ isOpen: false }, undefined, 'secret'));
    await console.hello();
    console.send({ type: 'subscribe', id: 1, view: 'holofast', args: {} });
    expect(await console.next('refused')).toMatchObject({ id: 1 });
    await console.hello({ type: 'token', token: TOKEN });
    console.send({ type: 'subscribe', id: 1, view: 'holofast', args: {} });
    expect(await console.view()).toMatchObject({ nodes: {} });
  });
});
