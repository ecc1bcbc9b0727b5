import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { promisify } from 'node:util';
import { Redis } from 'ioredis';
import { createClient, createCluster } from 'redis';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ListenError } from '../../../transport/listen-error.ts';
import type { Connection } from '../../../transport/resp/connection/connection.ts';
import { Gateway } from '../../../transport/resp/gateway.ts';
import { RespServer } from '../../../transport/resp/server.ts';
import { type SocketFactory, TCP } from '../../../transport/socket-factory.ts';
import { TLS } from '../tls-sockets.ts';
import { idleServices, request } from './harness.ts';
import { MemoryCoordinator } from './memory-coordinator.ts';
import { SOLE_PLACEMENT } from './placements.ts';

const HOST = '127.0.0.1';
const REDIS_CLI = '/usr/bin/redis-cli';
const REDIS_BENCHMARK = '/usr/bin/redis-benchmark';
const run = promisify(execFile);

let coordinator: MemoryCoordinator;
let gateway: Gateway;
let server: RespServer;

function start(maxClients = 100, sockets: SocketFactory = TCP): Promise<void> {
  coordinator = new MemoryCoordinator();
  gateway = new Gateway({
    limits: { maxClients },
    placement: SOLE_PLACEMENT,
    submit: (part) => {
      // Later, as a real coordinator answers.
      setImmediate(() => coordinator.execute(part));
      return true;
    },
    flow: () => undefined,
    wake: () => queueMicrotask(() => gateway.flush()),
    services: {
      ...idleServices({
        wallUs: () => 1_700_000_000_000_000,
        monotonicMs: () => performance.now(),
      }),
      cluster: () => ({
        epoch: 1,
        nodes: [
          {
            ...{ id: 'b'.repeat(40), host: HOST, port: server.port, self: true, online: true },
            slots: [
              { first: 0, last: 8_191 },
              { first: 8_192, last: 16_383 },
            ],
          },
        ],
      }),
      phase: () => undefined,
      replicasAcknowledged: () => 1,
    },
  });
  coordinator.answer = (answer) => gateway.answered(answer);
  server = new RespServer({ gateway, host: HOST, port: 0, sockets });
  return new Promise((resolve, reject) => {
    server.listen((error) => (error === undefined ? resolve() : reject(error)));
  });
}

async function stop(): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(resolve));
  gateway.close();
  await closed;
}

/** Everything the server sends until it closes, after `input` was sent. */
function exchange(input: string, halfClose = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(server.port, HOST);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
    socket.write(Buffer.from(input, 'latin1'));
    if (halfClose) socket.end();
  });
}

beforeEach(() => start());
afterEach(stop);

describe('the listener', () => {
  test('says clearly that a port is in use', async () => {
    const second = new RespServer({ gateway, host: HOST, port: server.port });
    const error = await new Promise<ListenError | undefined>((resolve) => second.listen(resolve));
    expect(error).toBeInstanceOf(ListenError);
    expect(error?.message).toBe(
      `cannot listen on ${HOST}:${server.port} (Redis clients): the port is in use by another ` +
        'process; stop that process (ss -ltnp shows it), or give another port with --listen-redis',
    );
    expect(error?.code).toBe('HOLO_PORT_IN_USE');
  });

  test('says clearly that an address is not its own', async () => {
    const foreign = new RespServer({ gateway, host: '192.0.2.1', port: 0 });
    const error = await new Promise<ListenError | undefined>((resolve) => foreign.listen(resolve));
    expect(error?.message).toBe(
      'cannot listen on 192.0.2.1:0 (Redis clients): this machine has no such address; ' +
        'give one of its own (ip address shows them), or 0.0.0.0, with --listen-redis',
    );
  });

  test('gives the port back', async () => {
    const { port } = server;
    await stop();
    const probe = createServer();
    await new Promise<void>((resolve) => probe.listen(port, HOST, resolve));
    await new Promise((resolve) => probe.close(resolve));
    await start();
  });

  test('turns clients away beyond the limit, and takes them again after', async () => {
    await stop();
    await start(1);
    const first = connect(server.port, HOST);
    await new Promise((resolve) => first.once('connect', resolve));
    expect(await exchange('')).toBe('-ERR max number of clients reached\r\n');
    first.destroy();
    await expect.poll(() => gateway.size).toBe(0);
    expect(await exchange(request('PING', 'QUIT'))).toBe('+PONG\r\n+OK\r\n');
  });

  test('answers everything before it closes: QUIT, errors, and half-closed sockets', async () => {
    const sent = request('SET a 1', 'GET a', 'QUIT', 'GET a');
    expect(await exchange(sent)).toBe('+OK\r\n$1\r\n1\r\n+OK\r\n');
    expect(await exchange(`${request('GET a')}*x\r\n`)).toBe(
      '$1\r\n1\r\n-ERR Protocol error: invalid multibulk length\r\n',
    );
    expect(await exchange(request('INCR n', 'INCR n'), true)).toBe(':1\r\n:2\r\n');
    await expect.poll(() => gateway.size).toBe(0);
  });

  test('carries values of megabytes both ways', async () => {
    const value = 'v'.repeat(5_000_000);
    const set = `*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$${value.length}\r\n${value}\r\n`;
    const replies = await exchange(set + request('GET big', 'QUIT'));
    expect(replies === `+OK\r\n$${value.length}\r\n${value}\r\n+OK\r\n`).toBe(true);
  });

  test('holds back a client that does not read, and serves it when it does', async () => {
    const value = 'v'.repeat(1_000_000);
    coordinator.store.set('big', value);
    const socket = connect(server.port, HOST);
    socket.pause();
    for (let i = 0; i < 30; i += 1) socket.write(request('GET big'));
    await expect.poll(() => [...gateway.all()][0]?.outputBytes ?? 0).toBeGreaterThan(256 * 1024);
    let received = 0;
    socket.on('data', (chunk) => {
      received += chunk.length;
    });
    socket.resume();
    await expect.poll(() => received, { timeout: 10_000 }).toBe(30 * (value.length + 12));
    socket.destroy();
  });
});

describe('ioredis', () => {
  test.each([3, 2] as const)('connects and works with RESP%i', async (protocol) => {
    const redis = new Redis({ port: server.port, host: HOST, protocol, connectionName: 'io' });
    try {
      expect(await redis.set('a', '1')).toBe('OK');
      expect(await redis.get('a')).toBe('1');
      expect(await redis.get('none')).toBeNull();
      expect(await redis.mget('a', 'none')).toEqual(['1', null]);
      const pipeline = redis.pipeline();
      for (let i = 0; i < 500; i += 1) pipeline.incr('n');
      const results = await pipeline.exec();
      expect(results?.map(([, value]) => value)).toEqual(
        Array.from({ length: 500 }, (_, i) => i + 1),
      );
      const block = await redis.multi().set('m', 'x').ping().get('m').exec();
      expect(block?.map(([, value]) => value)).toEqual(['OK', 'PONG', 'x']);
      expect(await redis.client('GETNAME')).toBe('io');
      await expect(redis.call('NOPE')).rejects.toThrow("unknown command 'NOPE'");
      expect([...gateway.all()][0]?.client.protocol).toBe(protocol);
      expect([...gateway.all()][0]?.client.libName).toMatch(/ioredis/);
    } finally {
      redis.disconnect();
    }
  });
});

describe('node-redis', () => {
  test.each([3, 2] as const)('connects and works with RESP%i', async (RESP) => {
    const client = createClient({ socket: { port: server.port, host: HOST }, RESP, name: 'nr' });
    const errors: unknown[] = [];
    client.on('error', (error) => errors.push(error));
    await client.connect();
    try {
      expect(await client.set('a', '1')).toBe('OK');
      expect(await client.get('a')).toBe('1');
      expect(await client.get('none')).toBeNull();
      const counts = await Promise.all(Array.from({ length: 500 }, () => client.incr('n')));
      expect(counts).toEqual(Array.from({ length: 500 }, (_, i) => i + 1));
      expect(await client.multi().set('m', 'x').ping().get('m').exec()).toEqual([
        'OK',
        'PONG',
        'x',
      ]);
      expect(await client.clientGetName()).toBe('nr');
      expect((await client.info()).includes('loading:0')).toBe(true);
      await expect(client.sendCommand(['NOPE'])).rejects.toThrow("unknown command 'NOPE'");
      expect(errors).toEqual([]);
    } finally {
      client.destroy();
    }
  });
});

describe('cluster clients', () => {
  test('take this node for a whole cluster: ioredis', async () => {
    const cluster = new Redis.Cluster([{ port: server.port, host: HOST }]);
    try {
      expect(await cluster.set('a', '1')).toBe('OK');
      expect(await cluster.get('a')).toBe('1');
    } finally {
      cluster.disconnect();
    }
  });

  test('take this node for a whole cluster: node-redis', async () => {
    const cluster = createCluster({ rootNodes: [{ socket: { port: server.port, host: HOST } }] });
    await cluster.connect();
    try {
      expect(await cluster.set('a', '1')).toBe('OK');
      expect(await cluster.get('a')).toBe('1');
    } finally {
      cluster.destroy();
    }
  });
});

describe.skipIf(!existsSync(REDIS_CLI))('redis-cli', () => {
  const cli = async (...args: readonly string[]): Promise<string> => {
    const { stdout } = await run(REDIS_CLI, ['-p', String(server.port), ...args]);
    return stdout.trim();
  };

  test('runs single commands in both protocols', async () => {
    expect(await cli('set', 'a', '1')).toBe('OK');
    expect(await cli('-3', 'get', 'a')).toBe('1');
    expect(await cli('-n', '0', 'ping')).toBe('PONG');
    expect(await cli('info', 'server')).toMatch(/^# Server\r?\nredis_version:/);
    expect(await cli('--no-auth-warning', '-a', 'x', 'ping')).toMatch(/PONG$/);
    expect(await cli('-c', 'cluster', 'keyslot', 'foo')).toBe('12182');
  });

  test('loads a file through --pipe', async () => {
    const child = spawn(REDIS_CLI, ['-p', String(server.port), '--pipe']);
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const ended = new Promise((resolve) => child.on('close', resolve));
    for (let i = 0; i < 1000; i += 1) child.stdin.write(`SET k${i} "v ${i}"\r\n`);
    child.stdin.end();
    await ended;
    expect(text).toContain('errors: 0, replies: 1000');
    expect(coordinator.store.get('k999')).toBe('v 999');
  });

  test('gets the documentation of commands as it asks for it', async () => {
    expect(await cli('-3', 'command', 'docs', 'get')).toMatch(/^get summary .+\nsince 1\.0\.0\n/);
  });
});

describe.skipIf(!existsSync(REDIS_BENCHMARK))('redis-benchmark', () => {
  test('runs its tests without an error', async () => {
    const args = ['-p', String(server.port), '-n', '2000', '-c', '10', '-P', '20', '-q'];
    const { stdout, stderr } = await run(REDIS_BENCHMARK, [
      ...args,
      '-t',
      'ping,set,get,incr,mset',
    ]);
    expect(stderr).toBe('');
    expect(stdout.match(/requests per second/g)).toHaveLength(6);
    expect(stdout).not.toContain('ERR');
  });
});

describe('pushes over a real socket', () => {
  const push = (n: number): string => `>2\r\n+message\r\n:${n}\r\n`;

  test('come whole, in order, between the replies of a pipeline', async () => {
    const socket = connect(server.port, HOST);
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
    });
    const value = 'v'.repeat(200_000);
    socket.write(`*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n${request(`SET a ${value}`)}`);
    await vi.waitFor(() => expect(text.endsWith('+OK\r\n')).toBe(true));
    text = '';
    const [client] = gateway.all() as Iterable<Connection>;
    socket.write(request('GET a').repeat(20));
    for (let n = 0; n < 50; n += 1) {
      client?.push(Buffer.from(push(n)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    const reply = `$${value.length}\r\n${value}\r\n`;
    const pushes = Array.from({ length: 50 }, (_, n) => push(n)).join('');
    const length = 20 * reply.length + pushes.length;
    await vi.waitFor(() => expect(text.length).toBe(length), 10_000);
    expect(text.replaceAll(reply, '')).toBe(pushes);
    socket.destroy();
  });

  test('end at the output limit for a client that does not read', async () => {
    gateway.limits.outputBytesMax = 1024 * 1024;
    const socket = connect(server.port, HOST);
    socket.pause();
    await vi.waitFor(() => expect(gateway.size).toBe(1));
    const [client] = gateway.all() as Iterable<Connection>;
    for (let n = 0; n < 1_000 && gateway.size > 0; n += 1) {
      client?.push(Buffer.alloc(64 * 1024, 'x'));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(gateway.size).toBe(0);
    expect(gateway.counters.outputLimitDisconnects).toBe(1);
    socket.destroy();
  });
});

test('serves clients over the sockets of another factory', async () => {
  await stop();
  await start(100, TLS);
  const text = await new Promise<string>((resolve, reject) => {
    const socket = TLS.dial({ host: HOST, port: server.port }, () => socket.write('PING\r\n'));
    socket.on('data', (chunk) => {
      resolve(chunk.toString('latin1'));
      socket.destroy();
    });
    socket.on('error', reject);
  });
  expect(text).toBe('+PONG\r\n');
});
