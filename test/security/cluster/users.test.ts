/** Users on three real nodes: changed at one, in force at all, kept over a restart. */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { hashOf } from '../../../transport/access/passwords.ts';
import { HOST, TestCluster, type TestNode } from '../../cluster/harness.ts';
import { request } from '../../cluster/raw-client.ts';

const PASSWORD = 'the password of the default user';
const directory = mkdtempSync(join(tmpdir(), 'holo-users-'));
const aclfile = join(directory, 'users.acl');
let cluster: TestCluster;

beforeAll(async () => {
  const flags = [`--requirepass=${PASSWORD}`, `--aclfile=${aclfile}`];
  cluster = await TestCluster.start({ flags });
});

afterAll(async () => {
  await cluster?.remove();
  rmSync(directory, { recursive: true, force: true });
});

function connect(node: TestNode, username = 'default', password = PASSWORD): Redis {
  const options = { host: HOST, port: node.redisPort, username, password };
  return new Redis({ ...options, lazyConnect: true, maxRetriesPerRequest: 0 });
}

/** The answers to AUTH and to a command, on a connection of their own. */
async function asked(node: TestNode, user: string, ...words: string[]): Promise<string> {
  const socket = createConnection(node.redisPort, HOST);
  const end = request('QUIT');
  socket.write(Buffer.concat([request('AUTH', user, user), request(...words), end]));
  let text = '';
  for await (const chunk of socket) text += String(chunk);
  return text;
}

describe('users of a cluster', () => {
  test('no node serves without the password', async () => {
    for (const node of cluster.nodes) {
      expect(await asked(node, 'default', 'GET', 'a')).toMatch(/^-WRONGPASS .*\r\n-NOAUTH /);
      const redis = connect(node);
      expect(await redis.set('a', '1')).toBe('OK');
      redis.disconnect();
    }
  });

  test('a change counts at every node as soon as it is answered', async () => {
    const admin = connect(cluster.node(1));
    for (let round = 0; round < 10; round += 1) {
      const allow = round % 2 === 0;
      const rules = ['on', '>ann', 'resetkeys', allow ? '~a*' : '~b*', '+get', '+set'];
      expect(await admin.call('ACL', 'SETUSER', 'ann', ...rules)).toBe('OK');
      const answers = await Promise.all(
        cluster.nodes.map((node) => asked(node, 'ann', 'SET', 'a1', 'v')),
      );
      const expected = allow ? /^\+OK\r\n\+OK/ : /^\+OK\r\n-NOPERM/;
      for (const answer of answers) expect(answer).toMatch(expected);
    }
    admin.disconnect();
  });

  test('changes at several nodes at once lose no rule', async () => {
    const admins = cluster.nodes.map((node) => connect(node));
    await admins[0]?.call('ACL', 'SETUSER', 'bob', 'on', '>bob', '~*');
    const names = ['get', 'set', 'incr', 'append', 'strlen', 'del', 'mget', 'ttl', 'echo'];
    const give = async (admin: Redis, rule: string): Promise<void> => {
      for (;;) {
        const answer = await admin
          .call('ACL', 'SETUSER', 'bob', rule)
          .catch((error: Error) => error.message);
        if (answer === 'OK') return;
        expect(answer).toMatch(/^TRYAGAIN refused/);
      }
    };
    await Promise.all(names.map((name, i) => give(admins[i % 3] as Redis, `+${name}`)));
    const list = String(await admins[2]?.call('ACL', 'LIST'));
    for (const name of names) expect(list).toContain(`+${name}`);
    for (const admin of admins) admin.disconnect();
  });

  test('the clients of the tests log in as users, with both protocols', async () => {
    const url = `redis://bob:bob@${HOST}:${cluster.node(2).redisPort}`;
    for (const RESP of [2, 3] as const) {
      const client = await createClient({ url, RESP }).connect();
      expect(await client.set('mine', 'x')).toBe('OK');
      await expect(client.flushAll()).rejects.toThrow(/^NOPERM User bob/);
      client.destroy();
    }
  });

  test('passwords are changed under load, at any node, without a failed command', async () => {
    const [one, two] = [connect(cluster.node(1)), connect(cluster.node(2))];
    await one.call('ACL', 'SETUSER', 'eve', 'on', '>first', '~eve*', '+@all');
    const logins = cluster.nodes.map(() => 0);
    const failures: string[] = [];
    let [password, over] = ['first', false];
    const load = cluster.nodes.map(async (node, at) => {
      while (!over) {
        const eve = connect(node, 'eve', password);
        for (let i = 0; i < 5; i += 1) {
          await eve.incr(`eve:${at}`).catch(({ message }) => failures.push(message));
        }
        eve.disconnect();
        logins[at] = (logins[at] ?? 0) + 1;
      }
    });
    /** Those who began before have ended, and others have logged in. */
    const goesOn = async (): Promise<void> => {
      const before = [...logins];
      const all = (): boolean => logins.every((count, at) => count >= (before[at] ?? 0) + 2);
      await vi.waitFor(() => expect(all()).toBe(true), { timeout: 10_000, interval: 20 });
    };
    for (const [admin, next] of [
      [one, 'second'],
      [two, 'third'],
    ] as const) {
      const last = password;
      await goesOn();
      await admin.call('ACL', 'SETUSER', 'eve', `>${next}`);
      password = next;
      await goesOn();
      await admin.call('ACL', 'SETUSER', 'eve', `<${last}`);
    }
    await goesOn();
    over = true;
    await Promise.all(load);
    expect(failures).toEqual([]);
    expect(await asked(cluster.node(3), 'eve', 'GET', 'eve:1')).toMatch(/^-WRONGPASS/);
    for (const admin of [one, two]) admin.disconnect();
  });

  test('SAVE, then LOAD at another node; a kill -9 of all keeps the users', async () => {
    const admin = connect(cluster.node(1));
    expect(await admin.call('ACL', 'SAVE')).toBe('OK');
    const saved = readFileSync(aclfile, 'utf8');
    expect(saved).toContain(`user ann on #${hashOf('ann')}`);
    expect(saved).not.toContain(PASSWORD);
    expect(statSync(aclfile).mode & 0o777).toBe(0o600);
    expect(await admin.call('ACL', 'DELUSER', 'ann', 'bob')).toBe(2);
    expect(await asked(cluster.node(3), 'bob', 'GET', 'a')).toMatch(/^-WRONGPASS/);
    const other = connect(cluster.node(3));
    expect(await other.call('ACL', 'LOAD')).toBe('OK');
    admin.disconnect();
    other.disconnect();
    await cluster.killAll();
    await cluster.startAll();
    for (const node of cluster.nodes) {
      expect(await asked(node, 'bob', 'GET', 'a')).toContain('+OK\r\n$1\r\n1\r\n');
    }
  });

  test('a node that is started with another password, or none, ends, and opens nothing', async () => {
    const node = cluster.node(3);
    await node.terminate();
    for (const [flag, reason] of [
      ['--requirepass=open sesame', 'with another one than nodes 1, 2'],
      ['--requirepass=', 'without the --requirepass of nodes 1, 2'],
    ] as const) {
      node.start([flag]);
      expect(await node.ended).toBe(2);
      // On a busy machine more is logged behind it: the stop may not be a clean one.
      expect(node.log()).toContain(`fatal: this node was started ${reason}`);
      const redis = connect(cluster.node(1));
      // On a busy machine a lease may just have run out.
      await vi.waitFor(async () => expect(await redis.set('a', '1')).toBe('OK'), 10_000);
      redis.disconnect();
    }
  });
});
