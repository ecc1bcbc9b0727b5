/** A cluster of processes with certificates: all are replaced, the authority too, under load. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { HOST, TestCluster } from '../../cluster/harness.ts';
import { freePorts } from '../../cluster/ports.ts';
import { noOpenssl, type Pair, TestAuthority } from '../made-certificates.ts';

const NODES = [1, 2, 3] as const;

describe.skipIf(noOpenssl() !== undefined)('a cluster with certificates', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holo-cluster-certs-'));
  const file = (name: string): string => join(folder, name);
  let old: TestAuthority;
  let next: TestAuthority;
  let cluster: TestCluster;
  let tlsPorts: number[];

  /** Replaced at once, as a deployment would do it. */
  function write(name: string, text: string): void {
    writeFileSync(file(`${name}.new`), text, { mode: 0o600 });
    renameSync(file(`${name}.new`), file(name));
  }

  function issue(from: TestAuthority): void {
    for (const id of NODES) {
      const { cert, key } = from.node(id);
      write(`${id}.key`, key);
      write(`${id}.crt`, cert);
    }
  }

  beforeAll(async () => {
    old = new TestAuthority();
    next = new TestAuthority();
    write('ca.crt', old.ca);
    issue(old);
    tlsPorts = await freePorts(NODES.length);
    cluster = await TestCluster.prepare();
    for (const node of cluster.nodes) {
      const own = [file(`${node.id}.crt`), file(`${node.id}.key`)] as const;
      node.start([
        `--peer-tls-cert=${own[0]}`,
        `--peer-tls-key=${own[1]}`,
        `--peer-tls-ca=${file('ca.crt')}`,
        `--listen-redis-tls=${HOST}:${tlsPorts[node.id - 1]}`,
        `--tls-cert-file=${own[0]}`,
        `--tls-key-file=${own[1]}`,
        `--tls-ca-cert-file=${file('ca.crt')}`,
      ]);
    }
    await Promise.all(cluster.nodes.map((node) => node.ready()));
  });

  afterAll(async () => {
    await cluster?.remove();
    rmSync(folder, { recursive: true, force: true });
    for (const authority of [old, next]) authority?.remove();
  });

  async function until(condition: () => Promise<boolean> | boolean): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error('it did not come to that');
      await sleep(100);
    }
  }

  function client(index: number, own: Partial<Pair> = {}): Redis {
    const tls = { ca: `${old.ca}\n${next.ca}`, ...own };
    const where = { host: 'localhost', port: tlsPorts[index] ?? 0 };
    return new Redis({ ...where, tls, maxRetriesPerRequest: 0 });
  }

  /** Its user. */
  async function connected(index: number, own: Pair): Promise<unknown> {
    const fresh = client(index, own);
    try {
      return await fresh.call('ACL', 'WHOAMI');
    } finally {
      fresh.disconnect();
    }
  }

  const read = (count: number) => () =>
    cluster.nodes.every(
      (node) => node.log().split('the certificate for peers was read again').length > count,
    );

  test('replaces all of them without a failed command', async () => {
    expect(JSON.parse((await cluster.node(1).http('/status')).body).peers).toBe('certificates');
    const clients = NODES.map((_id, index) => client(index));
    let over = false;
    let done = 0;
    let own = old.client('default');
    const load = clients.map(async (client, index) => {
      while (!over) {
        expect(await client.set(`key:${index}`, String(done))).toBe('OK');
        done += 1;
        // And some that connect meanwhile, with a certificate of their own.
        if (done % 10 === 0) expect(await connected(index, own)).toBe('default');
        await sleep(5);
      }
    });
    let reads = 0;
    const step = async (change: () => void): Promise<void> => {
      change();
      for (const node of cluster.nodes) node.signal('SIGHUP');
      reads += 1;
      await until(read(reads));
      const before = done;
      await until(() => done > before + 50);
    };
    await step(() => write('ca.crt', `${old.ca}\n${next.ca}`));
    own = next.client('default');
    await step(() => issue(next));
    await step(() => write('ca.crt', next.ca));
    over = true;
    await Promise.all(load);
    for (const client of clients) client.disconnect();
    const served = await new Promise<string>((settle, fail) => {
      const port = tlsPorts[0] ?? 0;
      const socket = connect({ host: 'localhost', port, ca: next.ca }, () => {
        settle(String(socket.getPeerCertificate().issuer.CN));
        socket.destroy();
      });
      socket.on('error', fail);
    });
    expect(served).toMatch(/^HoloStore CA /);
  });
});
