/** Clients of several languages over TLS, as users with passwords and as users of certificates. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOST, TestCluster } from '../../cluster/harness.ts';
import { freePorts } from '../../cluster/ports.ts';
import { noOpenssl, type Pair, TestAuthority } from '../made-certificates.ts';

const python = spawnSync('python3', ['-c', 'import redis'], { encoding: 'utf8' });
const noPython = python.status === 0 ? undefined : 'python3 has no redis-py';

/** $1: port, $2: issuers, $3 and $4: a certificate and its key. */
const PYTHON = `
import sys, redis
from redis.backoff import NoBackoff
from redis.retry import Retry
port, ca, cert, key = int(sys.argv[1]), *sys.argv[2:5]
tls = dict(host="localhost", port=port, ssl=True, ssl_ca_certs=ca, decode_responses=True)
for protocol in (2, 3):
    ann = redis.Redis(username="ann", password="ann's password", protocol=protocol, **tls)
    assert ann.set("a:1", "x") and ann.get("a:1") == "x" and ann.acl_whoami() == "ann"
    pipe = ann.pipeline(transaction=True)
    assert pipe.incr("a:n").incr("a:n").execute()[1] - pipe.incr("a:n").execute()[0] == -1
    try:
        ann.get("b:1")
        raise SystemExit("a key of others was read")
    except redis.exceptions.NoPermissionError:
        pass
    bob = redis.Redis(ssl_certfile=cert, ssl_keyfile=key, protocol=protocol, **tls)
    assert bob.acl_whoami() == "bob", bob.acl_whoami()
once = Retry(NoBackoff(), 0)
try:
    redis.Redis(username="ann", password="guess", retry=once, **tls).ping()
    raise SystemExit("a guess was taken")
except redis.exceptions.AuthenticationError:
    pass
try:
    redis.Redis(host="localhost", port=port, ssl=True, retry=once).ping()
    raise SystemExit("an unknown issuer was taken")
except redis.exceptions.ConnectionError:
    pass
print("well")
`;

describe.skipIf(noOpenssl() !== undefined)('clients over TLS', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holo-tls-clients-'));
  const file = (name: string): string => join(folder, name);
  let authority: TestAuthority;
  let bob: Pair;
  let port: number;
  let cluster: TestCluster;

  beforeAll(async () => {
    authority = new TestAuthority();
    bob = authority.client('bob');
    for (const [name, pair] of [
      ['node', authority.node(1)],
      ['bob', bob],
    ] as const) {
      writeFileSync(file(`${name}.crt`), pair.cert);
      writeFileSync(file(`${name}.key`), pair.key);
    }
    writeFileSync(file('ca.crt'), authority.ca);
    [port = 0] = await freePorts(1);
    cluster = await TestCluster.start({
      nodes: 1,
      flags: [
        '--requirepass=secret',
        `--listen-redis-tls=${HOST}:${port}`,
        `--tls-cert-file=${file('node.crt')}`,
        `--tls-key-file=${file('node.key')}`,
        `--tls-ca-cert-file=${file('ca.crt')}`,
      ],
    });
    const admin = new Redis({ port: cluster.node(1).redisPort, password: 'secret' });
    await admin.call('ACL', 'SETUSER', 'ann', 'on', ">ann's password", '~a:*', '+@all');
    await admin.call('ACL', 'SETUSER', 'bob', 'on', '~*', '+@all');
    admin.disconnect();
  });

  afterAll(async () => {
    await cluster?.remove();
    rmSync(folder, { recursive: true, force: true });
    authority?.remove();
  });

  test('ioredis', async () => {
    const common = { host: 'localhost', port, maxRetriesPerRequest: 0 };
    const tls = { ca: authority.ca };
    const ann = new Redis({ ...common, tls, username: 'ann', password: "ann's password" });
    expect(await ann.set('a:1', 'x')).toBe('OK');
    const replies = await ann.multi().incr('a:n').incr('a:n').exec();
    expect(replies?.map(([error]) => error)).toEqual([null, null]);
    await expect(ann.get('b:1')).rejects.toThrow('NOPERM');
    ann.disconnect();
    const byCertificate = new Redis({ ...common, tls: { ...tls, ...bob } });
    expect(await byCertificate.call('ACL', 'WHOAMI')).toBe('bob');
    byCertificate.disconnect();
  });

  test.each([2, 3] as const)('node-redis, protocol %i', async (RESP) => {
    const socket = { host: 'localhost', port, tls: true, ca: authority.ca } as const;
    const ann = createClient({ RESP, username: 'ann', password: "ann's password", socket });
    await ann.connect();
    expect(await ann.set('a:1', 'x')).toBe('OK');
    await expect(ann.get('b:1')).rejects.toThrow('NOPERM');
    ann.destroy();
    const byCertificate = createClient({ RESP, socket: { ...socket, ...bob } });
    await byCertificate.connect();
    expect(await byCertificate.aclWhoAmI()).toBe('bob');
    byCertificate.destroy();
  });

  test.skipIf(noPython !== undefined)(`redis-py ${noPython ?? ''}`, () => {
    const args = [String(port), ...['ca.crt', 'bob.crt', 'bob.key'].map(file)];
    const { stdout, stderr } = spawnSync('python3', ['-c', PYTHON, ...args], { encoding: 'utf8' });
    expect({ stdout, stderr }).toEqual({ stdout: 'well\n', stderr: '' });
  });
});
