/** The admin port under attack: who is let in, and what pages of other sites can make of it. */
import { request } from 'node:http';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Role } from '../../transport/access/admin/roles.ts';
import { ProtectedMode } from '../../transport/access/protected-mode.ts';
import type { OpenLevel } from '../../transport/http/admin-pages.ts';
import { AdminServer, type AdminServerOptions } from '../../transport/http/admin-server.ts';
import type { ConsoleDoor } from '../../transport/http/console-door.ts';
import { refuseUpgrade } from '../../transport/http/upgrade-refusal.ts';
import { makeDoor, type TestDoor, TOKEN } from '../transport/http/doors.ts';
import { statusOf } from '../transport/http/status-sample.ts';
import { TOPOLOGY } from '../transport/http/topology-sample.ts';

const servers: AdminServer[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

interface Opened {
  readonly port: number;
  readonly changed: string[];
}

async function open(
  { door }: TestDoor,
  options: Partial<AdminServerOptions> = {},
): Promise<Opened> {
  const changed: string[] = [];
  const server = new AdminServer({
    listen: { host: '127.0.0.1', port: 0 },
    door,
    providers: {
      notReady: () => undefined,
      disk: () => 'ok',
      memory: () => 'ok',
      configure: (name, value, user) => {
        changed.push(`${user} sets ${name} to ${value}`);
        return undefined;
      },
      changeTopology: async () => ({ code: 200, text: 'change 1' }),
      status: () => statusOf(1),
      topology: () => TOPOLOGY,
      actors: () => ({}),
      trace: () => 'a trace',
      logs: () => ({ lines: ['a line'] }),
      metrics: () => Promise.resolve({ contentType: 'text/plain', text: 'up 1\n' }),
    },
    ...options,
  });
  servers.push(server);
  return { port: (await server.listen()).port, changed };
}

/** Notes the origins of what gets through, and answers it 418. */
function consoleDoor(upgraded: string[]): ConsoleDoor {
  return {
    file: () => undefined,
    policy: () => Promise.resolve(''),
    isSocket: (path) => path === '/console',
    isOrigin: () => false,
    isFull: false,
    upgrade: ({ headers }, socket) => {
      upgraded.push(headers.origin ?? '');
      refuseUpgrade(socket, 418, '');
    },
    close: () => undefined,
  };
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly cookie: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

function ask(
  port: number,
  what: string,
  headers: Record<string, string> = {},
  body = '',
): Promise<Answer> {
  const [method = 'GET', path = '/'] = what.split(' ');
  return new Promise((resolve, reject) => {
    const asked = request(
      { host: '127.0.0.1', port, path, method, headers, agent: false },
      (it) => {
        let text = '';
        it.on('data', (chunk) => {
          text += String(chunk);
        });
        it.on('end', () => {
          const cookie = it.headers['set-cookie']?.[0]?.split(';')[0] ?? '';
          resolve({ status: it.statusCode ?? 0, body: text, cookie, headers: it.headers });
        });
      },
    );
    asked.on('error', reject);
    // Node sends no length of the body of other methods.
    asked.end(method === 'POST' ? body : '');
  });
}

const JSON_BODY = { 'Content-Type': 'application/json' };
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });
const basic = (text: string) => ({
  Authorization: `Basic ${Buffer.from(text).toString('base64')}`,
});
const CONFIG = 'POST /config?name=maxclients&value=5';
const OPERATOR = { 'X-Holo-Operator': '1' };

function login(port: number, told: object, headers: Record<string, string> = {}): Promise<Answer> {
  return ask(port, 'POST /login', { ...JSON_BODY, ...headers }, JSON.stringify(told));
}

async function session(port: number, told: object) {
  const { status, body, cookie } = await login(port, told);
  expect(status).toBe(200);
  return { cookie, csrf: JSON.parse(body).csrf as string };
}

test('a request is judged once, with credentials and without', async () => {
  const made = makeDoor('secret');
  const { port } = await open(made);
  const judged = vi.spyOn(made.door, 'identify');
  await ask(port, 'GET /status');
  await ask(port, 'GET /status', bearer(TOKEN));
  expect(judged.mock.calls.map(([{ type }]) => type)).toEqual(['none', 'token']);
});

describe('roles follow from the permissions of users', () => {
  test.each<[string, Role | undefined]>([
    ['on >pw ~* &* +@all', 'admin'],
    ['on >pw ~* +info +slowlog +client +config +acl', 'admin'],
    ['on >pw ~* +@all -acl', 'operator'],
    ['on >pw ~* +info +slowlog|get +client|list +client|kill +config|set', 'operator'],
    ['on >pw %R~* +info +slowlog +client|list', 'viewer'],
    ['on >pw %R~* +@all', 'viewer'],
    ['on >pw ~app:* +@all', undefined],
    ['on >pw %W~* +@all', undefined],
    ['on >pw ~* +get +set', undefined],
    ['on >pw +info +slowlog|get +client|list (~* +get)', undefined],
    ['on >pw ~app:* +get (~* +@all)', 'admin'],
    ['off >pw ~* +@all', undefined],
  ])('%s: %s', (rules, role) => {
    const made = makeDoor('secret');
    made.rules.set('ann', rules);
    const credentials = { type: 'password', user: 'ann', password: 'pw' } as const;
    const identity = made.door.identify(credentials, '127.0.0.1:1');
    if (role === undefined) expect(identity).toHaveProperty('refused');
    else expect(identity).toEqual({ user: 'ann', role });
  });

  test('a viewer reads, an operator too, an administrator changes', async () => {
    const made = makeDoor('secret');
    made.rules.set('vera', 'on >v %R~* +@all');
    made.rules.set('otto', 'on >o ~* +@all -acl');
    made.rules.set('nobody', 'on >n ~x +get');
    const { port, changed } = await open(made);
    for (const who of ['vera:v', 'otto:o', 'default:secret']) {
      expect(await ask(port, 'GET /logs', basic(who))).toMatchObject({ status: 200 });
    }
    expect(await ask(port, 'GET /logs', basic('nobody:n'))).toMatchObject({ status: 401 });
    expect(await ask(port, CONFIG, { ...basic('vera:v'), ...OPERATOR })).toMatchObject({
      status: 403,
      body: 'this needs the role of admin, and user vera is viewer\n',
    });
    expect(await ask(port, CONFIG, { ...basic('otto:o'), ...OPERATOR })).toMatchObject({
      status: 403,
    });
    expect(await ask(port, CONFIG, { ...basic('default:secret'), ...OPERATOR })).toMatchObject({
      status: 200,
    });
    expect(changed).toEqual(['default sets maxclients to 5']);
  });

  test('without a lease on the users, none of the table is let in', () => {
    const made = makeDoor('secret');
    made.rules.set('ann', 'on >pw ~* &* +@all');
    made.hasLease = false;
    const identity = made.door.identify({ type: 'password', user: 'ann', password: 'pw' }, 'a:1');
    expect(identity).toMatchObject({ refused: expect.stringContaining('NOQUORUM') });
    // The default user may have a password elsewhere by now.
    const opened = makeDoor();
    opened.rules.set('default', 'on nopass ~* &* +@all');
    opened.hasLease = false;
    expect(opened.door.identify({ type: 'none' }, '127.0.0.1:1')).toHaveProperty('refused');
  });
});

describe('without a login', () => {
  const PAGES = ['/healthz', '/metrics', '/status', '/actors', '/logs', '/trace', '/hotkeys'];
  const FIRST_CLOSED: Readonly<Record<OpenLevel, number>> = {
    nothing: 1,
    health: 1,
    metrics: 2,
    overview: 4,
  };

  test.each(Object.entries(FIRST_CLOSED))('%s is open', async (level, count) => {
    const { port } = await open(makeDoor('secret'), { open: level as OpenLevel });
    for (const [index, path] of PAGES.entries()) {
      const { status } = await ask(port, `GET ${path}`);
      expect([path, status]).toEqual([path, index < count ? 200 : 401]);
      expect((await ask(port, `GET ${path}`, bearer(TOKEN))).status).toBe(200);
    }
  });

  test('a node without passwords is open to programs of this machine', async () => {
    const { port, changed } = await open(makeDoor());
    expect((await ask(port, 'GET /logs')).status).toBe(200);
    expect((await ask(port, CONFIG, OPERATOR)).status).toBe(200);
    expect(changed).toEqual(['default sets maxclients to 5']);
  });

  test('programs of this machine are told the file, never the token', async () => {
    const { port } = await open(makeDoor('secret'), { tokenFile: '/some/file é' });
    const { headers, body } = await ask(port, 'GET /logs');
    expect(headers).toMatchObject({
      'www-authenticate': 'Bearer realm="holostore"',
      'x-holo-token-file': '/some/file%20%C3%A9',
    });
    expect(JSON.stringify(headers) + body).not.toContain(TOKEN);
  });

  test('who comes from elsewhere may look at an open node, and no more', () => {
    const { door } = makeDoor();
    expect(door.identify({ type: 'none' }, '127.0.0.1:1')).toEqual({
      user: 'default',
      role: 'admin',
    });
    expect(door.identify({ type: 'none' }, '10.0.0.7:1')).toEqual({
      user: 'default',
      role: 'viewer',
    });
    expect(door.identify({ type: 'token', token: TOKEN }, '10.0.0.7:1')).toMatchObject({
      role: 'admin',
    });
  });
});

describe('tokens', () => {
  test('are for administrators; others are refused, ever more slowly', async () => {
    const made = makeDoor('secret');
    const { port } = await open(made);
    expect((await ask(port, 'GET /logs', bearer(TOKEN))).status).toBe(200);
    expect((await ask(port, 'GET /status', bearer(`${TOKEN.slice(0, -1)}b`))).status).toBe(401);
    expect((await ask(port, 'GET /status', bearer(''))).status).toBe(401);
    const waits = [1, 2, 3].map(() => {
      const outcome = made.door.identify({ type: 'token', token: 'guess' }, '127.0.0.1:1');
      return 'refused' in outcome ? outcome.afterMs : undefined;
    });
    expect(waits).toEqual([0, 200, 400]);
    expect(made.door.refused).toBe(5);
  });

  test('two are valid while they are changed; sessions of one that goes end', async () => {
    const made = makeDoor('secret');
    const { port } = await open(made);
    const old = await session(port, { token: TOKEN });
    const next = `holo-admin-${'6b'.repeat(32)}`;
    made.tokens = [next, TOKEN];
    for (const token of [TOKEN, next]) {
      expect((await ask(port, 'GET /logs', bearer(token))).status).toBe(200);
    }
    expect((await ask(port, 'GET /logs', { Cookie: old.cookie })).status).toBe(200);
    made.tokens = [next];
    expect((await ask(port, 'GET /logs', bearer(TOKEN))).status).toBe(401);
    expect((await ask(port, 'GET /logs', { Cookie: old.cookie })).status).toBe(401);
  });
});

describe('logins', () => {
  test('open a session whose cookie pages cannot read, nor other sites send', async () => {
    const { port } = await open(makeDoor('secret'), { isTls: true });
    const { headers, body } = await login(port, { user: 'default', password: 'secret' });
    expect(headers['set-cookie']?.[0]).toMatch(
      new RegExp(`^holostore_${port}=[0-9a-f]{64}; Path=/; HttpOnly; SameSite=Strict; Secure$`),
    );
    expect(JSON.parse(body)).toEqual({
      user: 'default',
      role: 'admin',
      csrf: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(headers['strict-transport-security']).toContain('max-age=');
  });

  test('wrong passwords are answered alike, later each time, and stand in ACL LOG', async () => {
    const made = makeDoor('secret');
    made.rules.set('off', 'off >pw ~* +@all');
    const { port } = await open(made);
    const answers = [
      await login(port, { user: 'default', password: 'guess' }),
      await login(port, { user: 'nobody', password: 'guess' }),
      await login(port, { user: 'off', password: 'pw' }),
    ];
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1);
    expect(answers[0]).toMatchObject({ status: 401, cookie: '' });
    const begun = performance.now();
    expect((await login(port, { user: 'default', password: 'guess' })).status).toBe(401);
    expect(performance.now() - begun).toBeGreaterThanOrEqual(190);
    expect(made.access.log.newest(10).map(({ username }) => username)).toContain('nobody');
    // The right password never waits.
    expect((await login(port, { user: 'default', password: 'secret' })).status).toBe(200);
  });

  test('guesses at the same time are not judged at all beyond a number', async () => {
    const { port } = await open(makeDoor('secret'));
    const guess = () => login(port, { user: 'default', password: 'guess' });
    for (let free = 0; free < 3; free += 1) await guess();
    const answers = await Promise.all(Array.from({ length: 16 }, guess));
    const told = answers.filter(({ body }) => body.startsWith('too many wrong passwords'));
    expect(told).toHaveLength(8);
  });

  test.each([
    ['a form', { 'Content-Type': 'application/x-www-form-urlencoded' }, 'user=a', 415],
    ['text', { 'Content-Type': 'text/plain' }, '{"token":"x"}', 415],
    ['no JSON', JSON_BODY, '{', 400],
    ['nothing', JSON_BODY, 'null', 400],
    ['half of it', JSON_BODY, '{"user":"default"}', 400],
    ['other types', JSON_BODY, '{"user":1,"password":[]}', 400],
    ['too much', JSON_BODY, `{"token":"${'x'.repeat(5_000)}"}`, 413],
  ])('%s is no login', async (_what, headers, body, status) => {
    const { port } = await open(makeDoor('secret'));
    expect((await ask(port, 'POST /login', headers, body)).status).toBe(status);
  });
});

describe('sessions', () => {
  const TOLD = { user: 'default', password: 'secret' };

  test('fixation: a login never takes an id that was slipped to the browser', async () => {
    const { port } = await open(makeDoor('secret'));
    const slipped = `holostore_${port}=${'ab'.repeat(32)}`;
    const { cookie } = await login(port, TOLD, { Cookie: slipped });
    expect(cookie).not.toBe(slipped);
    expect((await ask(port, 'GET /logs', { Cookie: slipped })).status).toBe(401);
    // One that was valid ends with the login of the same browser.
    const second = await login(port, TOLD, { Cookie: cookie });
    expect((await ask(port, 'GET /logs', { Cookie: cookie })).status).toBe(401);
    expect((await ask(port, 'GET /logs', { Cookie: second.cookie })).status).toBe(200);
  });

  test('forgery: a change needs what no other site knows', async () => {
    const { port, changed } = await open(makeDoor('secret'));
    const { cookie, csrf } = await session(port, TOLD);
    const other = await session(port, TOLD);
    for (const headers of [
      { Cookie: cookie },
      { Cookie: cookie, ...OPERATOR },
      { Cookie: cookie, 'X-Holo-Csrf': 'ab'.repeat(32) },
      { Cookie: cookie, 'X-Holo-Csrf': other.csrf },
      // A browser that knows the password sends it by itself.
      basic('default:secret'),
    ]) {
      const answer = await ask(port, CONFIG, headers as Record<string, string>);
      expect(answer).toMatchObject({ status: 403 });
    }
    expect((await ask(port, 'POST /logout', { Cookie: cookie })).status).toBe(403);
    expect(changed).toEqual([]);
    const whoami = await ask(port, 'GET /whoami', { Cookie: cookie });
    expect(JSON.parse(whoami.body)).toEqual({ user: 'default', role: 'admin', csrf });
    expect((await ask(port, CONFIG, { Cookie: cookie, 'X-Holo-Csrf': csrf })).status).toBe(200);
    expect(changed).toEqual(['default sets maxclients to 5']);
    const left = await ask(port, 'POST /logout', { Cookie: cookie, 'X-Holo-Csrf': csrf });
    expect(left.headers['set-cookie']?.[0]).toContain('Max-Age=0');
    expect((await ask(port, 'GET /logs', { Cookie: cookie })).status).toBe(401);
  });

  test('end by time, and with what they were opened by', async () => {
    const made = makeDoor('secret');
    made.rules.set('ann', 'on >pw ~* &* +@all');
    const { port } = await open(made);
    const MINUTE = 60_000;
    const read = async ({ cookie }: { cookie: string }) =>
      (await ask(port, 'GET /logs', { Cookie: cookie })).status;
    const idle = await session(port, TOLD);
    made.nowMs += 29 * MINUTE;
    expect(await read(idle)).toBe(200);
    made.nowMs += 30 * MINUTE;
    expect(await read(idle)).toBe(401);
    const busy = await session(port, TOLD);
    for (let minutes = 0; minutes < 12 * 60 - 20; minutes += 20) {
      made.nowMs += 20 * MINUTE;
      expect(await read(busy)).toBe(200);
    }
    made.nowMs += 20 * MINUTE;
    expect(await read(busy)).toBe(401);
    const told = { user: 'ann', password: 'pw' };
    const ann = await session(port, told);
    made.rules.set('ann', 'on >pw %R~* +@all');
    expect(JSON.parse((await ask(port, 'GET /whoami', { Cookie: ann.cookie })).body).role).toBe(
      'viewer',
    );
    made.rules.set('ann', 'on >another ~* &* +@all');
    expect(await read(ann)).toBe(401);
    made.rules.set('ann', 'on >pw ~* &* +@all');
    const again = await session(port, told);
    made.rules.delete('ann');
    expect(await read(again)).toBe(401);
  });

  test('at most 256 are kept: the one that is idle for longest ends', async () => {
    const made = makeDoor('secret');
    const credentials = { type: 'token', token: TOKEN } as const;
    const ids = Array.from({ length: 257 }, () => {
      const outcome = made.door.login(credentials, '127.0.0.1:1');
      return 'session' in outcome ? outcome.session.id : '';
    });
    const isOpen = (id: string) => 'role' in made.door.identify({ type: 'session', id }, 'a:1');
    expect([ids[0], ids[1], ids[256]].map((id) => isOpen(id ?? ''))).toEqual([false, true, true]);
  });
});

describe('pages of other sites', () => {
  test('DNS rebinding: the node answers under its own names alone', async () => {
    const { port, changed } = await open(makeDoor());
    for (const what of ['GET /status', 'GET /whoami', CONFIG, 'POST /login']) {
      const answer = await ask(port, what, { ...OPERATOR, Host: `evil.example:${port}` });
      expect(answer.status).toBe(421);
    }
    expect(changed).toEqual([]);
  });

  test.each(['http://evil.example', 'null', 'http://127.0.0.1:1', 'http://127.0.0.1', 'file://'])(
    'origin %s is refused, whatever it asks',
    async (Origin) => {
      const { port, changed } = await open(makeDoor());
      for (const what of ['GET /logs', CONFIG, 'POST /login', 'OPTIONS /config']) {
        const answer = await ask(port, what, { ...OPERATOR, ...JSON_BODY, Origin }, '{}');
        expect(answer.status).toBe(403);
        expect(answer.headers['access-control-allow-origin']).toBeUndefined();
      }
      expect(changed).toEqual([]);
    },
  );

  test('a WebSocket of another site, or under another name, is refused, whoever it shows', async () => {
    const upgraded: string[] = [];
    const { port } = await open(makeDoor('secret'), { console: consoleDoor(upgraded) });
    const socket = {
      ...{ Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13' },
      'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
    };
    const { cookie } = await session(port, { token: TOKEN });
    const proofs = [{}, { Cookie: cookie }, bearer(TOKEN)];
    const own = `http://127.0.0.1:${port}`;
    const attempt = async (headers: object): Promise<number[]> => {
      const answers = proofs.map((proof) =>
        ask(port, 'GET /console', { ...socket, ...proof, ...headers }),
      );
      return (await Promise.all(answers)).map(({ status }) => status);
    };
    for (const Origin of ['http://evil.example', 'null', `https://127.0.0.1:${port}`, `${own}0`]) {
      expect(await attempt({ Origin }), Origin).toEqual([403, 403, 403]);
    }
    for (const Origin of [own, `http://evil.example:${port}`]) {
      const Host = `evil.example:${port}`;
      expect(await attempt({ Origin, Host }), Origin).toEqual([421, 421, 421]);
    }
    expect(upgraded).toEqual([]);
    // The same from the own page reaches the console.
    expect(
      (await ask(port, 'GET /console', { ...socket, ...bearer(TOKEN), Origin: own })).status,
    ).toBe(418);
    expect(upgraded).toEqual([own]);
  });

  test('its own pages are served, and shown in no frame', async () => {
    const { port } = await open(makeDoor());
    const own = { Origin: `http://127.0.0.1:${port}` };
    const { status, headers } = await ask(port, 'GET /status', own);
    expect(status).toBe(200);
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'");
    expect(headers['content-security-policy']).toContain("default-src 'none'");
  });

  test.each([
    '/../../etc/passwd',
    '/..%2f..%2fetc%2fpasswd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '//etc/passwd',
    '/status/../logs',
    '/trace/../../admin-token',
    '/\\..\\admin-token',
    '/__proto__',
    '/constructor',
  ])('traversal: %s is no page', async (path) => {
    const { port } = await open(makeDoor('secret'));
    expect((await ask(port, `GET ${path}`)).status).toBe(404);
  });
});

describe('protected mode', () => {
  test('keeps out who shows nothing, until there are passwords', async () => {
    const away = '10.0.0.7:1';
    const mode = new ProtectedMode(true);
    const { door } = makeDoor();
    expect(door.isOpen && mode.refuses(away)).toBe(true);
    expect(makeDoor('secret').door.isOpen).toBe(false);
  });
});
