/** Clients of several languages over TLS, as users with passwords and as users of certificates. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOST, TestCluster } from '../../cluster/harness.ts';
import { freePorts } from '../../cluster/ports.ts';
import { noOpenssl, type Pair, TestAuthority } from '../made-certificates.ts';

/** How long a build may take that has to fetch and compile what is not on the machine yet. */
const BUILD_MS_MAX = process.env['CI'] === undefined ? 60_000 : 10_000;
const TEST_MS_MAX = BUILD_MS_MAX + 20_000;

interface Build {
  /** Why there is none; empty: it is built. */
  readonly reason: string;
  readonly command: readonly string[];
}

function build(command: string, args: readonly string[], cwd: string, env: object = {}): string {
  const options = { cwd, encoding: 'utf8', timeout: BUILD_MS_MAX } as const;
  const done = spawnSync(command, args, { ...options, env: { ...process.env, ...env } });
  if (done.error !== undefined) return `${command}: ${done.error.message}`;
  const words = `${done.stderr}${done.stdout}`.trim().split('\n')[0];
  return done.status === 0 ? '' : `${command} ${args[0]}: ${words}`;
}

/** With the locked versions, by the Go of this machine. */
function buildGo(folder: string): Build {
  const program = join(folder, 'go-client');
  const flags = ['build', '-mod=readonly', '-o', program, '.'];
  const settings = { GOTOOLCHAIN: 'local', CGO_ENABLED: '0', GOFLAGS: '' };
  const reason = build('go', flags, join(import.meta.dirname, 'go-redis'), settings);
  return { reason, command: [program] };
}

function buildJedis(folder: string): Build {
  const source = join(import.meta.dirname, 'jedis');
  const list = join(folder, 'class-path');
  const goal = ['dependency:build-classpath', `-Dmdep.outputFile=${list}`];
  // The versions are fixed, so those on the machine are as good.
  let reason = build('mvn', ['-q', '-B', '-o', ...goal], source);
  if (reason !== '') reason = build('mvn', ['-q', '-B', ...goal], source);
  if (reason !== '') return { reason, command: [] };
  const classes = readFileSync(list, 'utf8');
  const flags = ['-XX:TieredStopAtLevel=1', '-cp', classes, join(source, 'TlsClient.java')];
  return { reason, command: ['java', ...flags] };
}

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

  /** Each program is given port, issuers, and bob's certificate with its key. */
  function runsWell([command = '', ...words]: readonly string[]): void {
    const args = [...words, String(port), ...['ca.crt', 'bob.crt', 'bob.key'].map(file)];
    const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
    expect({ stdout, stderr }).toEqual({ stdout: 'well\n', stderr: '' });
  }

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

  for (const [name, buildIt] of [
    ['go-redis', buildGo],
    ['Jedis', buildJedis],
  ] as const) {
    test(name, { timeout: TEST_MS_MAX }, ({ skip }) => {
      const { reason, command } = buildIt(folder);
      skip(reason !== '', reason);
      runsWell(command);
    });
  }

  test.skipIf(noPython !== undefined)(`redis-py ${noPython ?? ''}`, () => {
    runsWell(['python3', '-c', PYTHON]);
  });
});
