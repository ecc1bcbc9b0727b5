import { request } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { OPERATOR_HEADER } from '../../../transport/http/admin-access.ts';
import type { AdminProviders } from '../../../transport/http/admin-pages.ts';
import { AdminServer, type AdminServerOptions } from '../../../transport/http/admin-server.ts';
import { httpGet, httpPost } from '../../../transport/http/http-get.ts';
import { isNodeStatus } from '../../../transport/http/node-status.ts';
import { TLS } from '../tls-sockets.ts';
import { makeDoor } from './doors.ts';
import { statusOf } from './status-sample.ts';
import { TOPOLOGY } from './topology-sample.ts';

const servers: AdminServer[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const providers: AdminProviders = {
  notReady: () => undefined,
  disk: () => 'ok',
  memory: () => 'ok',
  configure: (name, value) => (value === 'bad' ? `${name} is bad` : undefined),
  changeTopology: async () => ({ code: 200, text: 'change 1' }),
  status: () => statusOf(1),
  topology: () => TOPOLOGY,
  actors: () => ({ path: 'node-1', children: [] }),
  trace: (format) => `trace as ${format}`,
  metrics: () => Promise.resolve({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
};

async function open(
  changes: Partial<AdminProviders> = {},
  options: Partial<AdminServerOptions> = {},
): Promise<number> {
  const server = new AdminServer({
    listen: { host: '127.0.0.1', port: 0 },
    providers: { ...providers, ...changes },
    door: makeDoor().door,
    ...options,
  });
  servers.push(server);
  return (await server.listen()).port;
}

interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly body: string;
}

function ask(
  port: number,
  path: string,
  options: { method?: string; host?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = options.host === undefined ? {} : { Host: options.host };
    const asked = request(
      { host: '127.0.0.1', port, path, method: options.method ?? 'GET', headers, agent: false },
      (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += String(chunk);
        });
        response.on('end', () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        });
      },
    );
    asked.on('error', reject);
    asked.end();
  });
}

describe('pages', () => {
  test.each([
    ['/healthz', 'text/plain; charset=utf-8', 'ok\n'],
    ['/readyz', 'text/plain; charset=utf-8', 'ready\n'],
    ['/metrics', 'text/plain; version=0.0.4', 'up 1\n'],
    ['/actors', 'application/json', '{"path":"node-1","children":[]}\n'],
    ['/trace', 'application/x-ndjson', 'trace as jsonl'],
    ['/trace?format=perfetto', 'application/json', 'trace as perfetto'],
    ['/trace?format=shiviz', 'text/plain; charset=utf-8', 'trace as shiviz'],
  ])('%s', async (path, type, body) => {
    const answer = await ask(await open(), path);
    expect(answer).toMatchObject({ status: 200, body });
    expect(answer.headers).toMatchObject({
      'content-type': type,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    });
  });

  test('/status is what holoctl understands', async () => {
    const { body } = await ask(await open(), '/status');
    expect(isNodeStatus(JSON.parse(body))).toBe(true);
    expect(JSON.parse(body)).toEqual(statusOf(1));
  });

  test('a node that is not ready says what is missing, and is alive', async () => {
    const port = await open({ notReady: () => 'the log is being read' });
    expect(await ask(port, '/readyz')).toMatchObject({
      status: 503,
      body: 'the log is being read\n',
    });
    expect((await ask(port, '/healthz')).status).toBe(200);
  });

  test('a node that serves in spite of its disk says what ails it', async () => {
    const port = await open({ disk: () => 'log full, store full' });
    expect(await ask(port, '/readyz')).toMatchObject({
      status: 200,
      body: 'ready\ndisk: log full, store full\n',
    });
  });

  test('a node at its limit of memory says so', async () => {
    const port = await open({ disk: () => 'store full', memory: () => 'full: 2 of 1' });
    expect(await ask(port, '/readyz')).toMatchObject({
      status: 200,
      body: 'ready\ndisk: store full\nmemory: full: 2 of 1\n',
    });
  });

  test('a setting is changed by a program of this machine, not by a page', async () => {
    const port = await open();
    const path = '/config?name=maxclients&value=5';
    expect(await ask(port, path, { method: 'POST' })).toMatchObject({ status: 403 });
    const post = (target: string) =>
      httpPost({ host: '127.0.0.1', port }, target, '', 1_000, {
        headers: { [OPERATOR_HEADER]: '1' },
      });
    expect(await post(path)).toMatchObject({ status: 200, body: 'ok\n' });
    expect(await post('/config?name=maxclients&value=bad')).toMatchObject({
      status: 400,
      body: 'maxclients is bad\n',
    });
    expect(await post('/status')).toMatchObject({ status: 405 });
  });

  test('the start page lists the others, an unknown one too', async () => {
    const port = await open();
    expect((await ask(port, '/')).body).toContain('/metrics\n');
    expect(await ask(port, '/nope')).toMatchObject({ status: 404 });
    expect(await ask(port, '/trace?format=svg')).toMatchObject({ status: 400 });
  });

  test('a provider that fails costs one answer, not the server', async () => {
    const port = await open({
      status: () => {
        throw new Error('no status now');
      },
      metrics: () => Promise.reject(new Error('no metrics now')),
    });
    expect(await ask(port, '/status')).toMatchObject({ status: 500, body: 'no status now\n' });
    expect(await ask(port, '/metrics')).toMatchObject({ status: 500, body: 'no metrics now\n' });
    expect(await ask(port, '/healthz')).toMatchObject({ status: 200 });
  });
});

describe('refused requests', () => {
  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS'])('%s', async (method) => {
    const answer = await ask(await open(), '/status', { method });
    expect(answer).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
  });

  test('HEAD has the length and no body', async () => {
    const answer = await ask(await open(), '/healthz', { method: 'HEAD' });
    expect(answer).toMatchObject({ status: 200, body: '', headers: { 'content-length': '3' } });
  });

  test('answer under a foreign name, as after DNS rebinding', async () => {
    const port = await open({}, { hostNames: ['Node-1.internal'] });
    for (const host of ['evil.example', 'evil.example:15080', '127.0.0.1.evil.example']) {
      expect(await ask(port, '/status', { host })).toMatchObject({ status: 421 });
    }
    for (const host of [
      'localhost:1',
      '127.0.0.1',
      '10.0.0.7:15080',
      '[::1]:1',
      'node-1.internal',
    ]) {
      expect(await ask(port, '/status', { host })).toMatchObject({ status: 200 });
    }
  });

  test('wait for half a request, or read an endless head', async () => {
    const port = await open({}, { requestTimeoutMs: 100 });
    expect(await rawTalk(port, 'GET /healthz HT')).toContain('408');
    const endless = `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`;
    expect(await rawTalk(port, endless)).toContain('431');
  });

  test('keep more connections than it may', async () => {
    const port = await open({}, { connectionsMax: 1 });
    const held = connect(port, '127.0.0.1');
    await new Promise((resolve) => held.on('connect', resolve));
    held.on('error', () => undefined);
    const closed = new Promise((resolve) => held.on('close', resolve));
    held.write('GET /healthz HTTP/1.1\r\n');
    const request = 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    expect(await rawTalk(port, request)).toContain('200 OK');
    await closed;
  });
});

function rawTalk(port: number, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (chunk) => {
      answer += String(chunk);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(answer));
    socket.write(text);
  });
}

test('a port that is in use is one clear error', async () => {
  const port = await open();
  const server = new AdminServer({
    listen: { host: '127.0.0.1', port },
    providers,
    door: makeDoor().door,
  });
  await expect(server.listen()).rejects.toMatchObject({
    code: 'HOLO_PORT_IN_USE',
    message: expect.stringContaining(`127.0.0.1:${port} (admin)`),
  });
});

test('is read over the sockets of another factory, by a client with the key', async () => {
  const endpoint = { host: '127.0.0.1', port: await open({}, { sockets: TLS }) };
  const { status } = await httpGet(endpoint, '/healthz', 5_000, { sockets: TLS });
  expect(status).toBe(200);
  await expect(httpGet(endpoint, '/healthz', 5_000)).rejects.toThrow();
});
