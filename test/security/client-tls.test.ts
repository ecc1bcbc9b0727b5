/** TLS at the Redis port: certificates of the node and of clients, and what is refused. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect } from 'node:tls';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { ClientTls } from '../../actors/process/security/client-tls.ts';
import { hashOf } from '../../transport/access/passwords.ts';
import { AdminServer } from '../../transport/http/admin-server.ts';
import { httpGet } from '../../transport/http/http-get.ts';
import { RespServer } from '../../transport/resp/server.ts';
import type { SocketFactory } from '../../transport/socket-factory.ts';
import type { ClientCertificates } from '../../transport/tls-server.ts';
import { makeDoor } from '../transport/http/doors.ts';
import { statusOf } from '../transport/http/status-sample.ts';
import { request } from '../transport/resp/harness.ts';
import { type AclNode, aclNode } from './acl-harness.ts';
import { noOpenssl, type Pair, TestAuthority } from './made-certificates.ts';

const isMissing = noOpenssl() !== undefined;
const authority = isMissing ? undefined : new TestAuthority();
const stranger = isMissing ? undefined : new TestAuthority();
const CA = authority?.ca ?? '';
const PAIRS: Readonly<Record<string, Pair | undefined>> = {
  node: authority?.node(1),
  node2: authority?.node(2),
  ann: authority?.client('ann'),
  stranger: stranger?.client('ann'),
  expired: authority?.client('ann', -1),
};
const pairOf = (name: string): Pair => PAIRS[name] as Pair;

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface TlsNode {
  readonly node: AclNode;
  readonly port: number;
  readonly directory: string;
  readonly tls: ClientTls;
  readonly log: string[];
}

async function open(clients: ClientCertificates, passwordHash = ''): Promise<TlsNode> {
  const directory = mkdtempSync(join(tmpdir(), 'holo-tls-'));
  writeFileSync(join(directory, 'node.crt'), pairOf('node').cert);
  writeFileSync(join(directory, 'node.key'), pairOf('node').key);
  writeFileSync(join(directory, 'ca.crt'), CA);
  const log: string[] = [];
  const note = (_fields: object, line: string): void => {
    log.push(line);
  };
  const tls = new ClientTls(
    {
      tlsCertFile: join(directory, 'node.crt'),
      tlsKeyFile: join(directory, 'node.key'),
      tlsCaCertFile: clients === 'no' ? '' : join(directory, 'ca.crt'),
      tlsAuthClients: clients,
    },
    { debug: note, info: note, error: note } as never,
  );
  const node = aclNode(passwordHash);
  const { gateway } = node.harness;
  const server = new RespServer({ gateway, host: '127.0.0.1', port: 0, sockets: tls.listener });
  await new Promise<void>((settle) => server.listen(() => settle()));
  const turns = setInterval(() => node.harness.endTurn(), 1);
  closers.push(() => {
    clearInterval(turns);
    server.close(() => undefined);
    gateway.close();
    tls.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { node, port: server.port, directory, tls, log };
}

/** The answers on a connection of its own, up to its end; or the code of the error. */
async function ask(port: number, text: string, options: ConnectionOptions = {}): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, ca: CA, ...options });
  let answer = '';
  socket.on('secureConnect', () => socket.write(text + request('QUIT')));
  socket.on('data', (chunk) => {
    answer += String(chunk);
  });
  const ended = new Promise<string>((settle) => {
    socket.on('error', (error: NodeJS.ErrnoException) => settle(error.code ?? error.message));
    socket.on('close', () => settle(''));
  });
  const error = await ended;
  socket.destroy();
  return error === '' ? answer : error;
}

describe.skipIf(isMissing)('TLS for clients', () => {
  test('serves TLS 1.2 and 1.3, and nothing older or plain', async () => {
    const { port, log } = await open('no');
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const only = { minVersion: version, maxVersion: version };
      expect(await ask(port, request('PING'), only)).toBe('+PONG\r\n+OK\r\n');
    }
    const older = {
      minVersion: 'TLSv1',
      maxVersion: 'TLSv1.1',
      ciphers: 'ALL:@SECLEVEL=0',
    } as const;
    expect(await ask(port, request('PING'), older)).toMatch(/VERSION|PROTOCOL/);
    const plain = connectTcp(port, '127.0.0.1');
    let answer = '';
    plain.on('data', (chunk) => {
      answer += chunk.toString('latin1');
    });
    plain.write(request('PING'));
    await new Promise((settle) => plain.on('close', settle).on('error', () => undefined));
    expect(answer).not.toContain('PONG');
    await vi.waitFor(() => expect(log.join()).toMatch(/refused: .*VERSION.*\(from 127/));
    // Clients check the node, too.
    expect(await ask(port, request('PING'), { ca: stranger?.ca ?? '' })).toMatch(/UNABLE|SELF/);
  });

  test.each(['optional', 'yes'] as const)('certificates are %s', async (clients) => {
    const { node, port } = await open(clients);
    node.setUser('ann', '+ping', '+acl|whoami');
    const who = request('ACL WHOAMI');
    const without = await ask(port, who);
    if (clients === 'yes') expect(without).toMatch(/CERTIFICATE_REQUIRED|HANDSHAKE|RESET/);
    else expect(without).toBe('$7\r\ndefault\r\n+OK\r\n');
    expect(await ask(port, who, pairOf('ann'))).toBe('$3\r\nann\r\n+OK\r\n');
    expect(await ask(port, request('GET a'), pairOf('ann'))).toContain('-NOPERM User ann');
    for (const name of ['stranger', 'expired']) {
      expect(await ask(port, who, pairOf(name)), name).not.toContain('ann');
    }
  });

  test('a certificate logs in the user of its name, where there is one, and RESET comes back to it', async () => {
    const { node, port } = await open('optional', hashOf('secret'));
    const who = request('ACL WHOAMI');
    expect(await ask(port, who)).toContain('-NOAUTH');
    // No such user yet.
    expect(await ask(port, who, pairOf('ann'))).toContain('-NOAUTH');
    const admin = node.client();
    admin.ask(request('AUTH secret', 'ACL SETUSER ann on +acl|whoami'));
    const text = request('AUTH secret', 'ACL WHOAMI', 'RESET', 'ACL WHOAMI');
    expect(await ask(port, text, pairOf('ann'))).toBe(
      '+OK\r\n$7\r\ndefault\r\n+RESET\r\n$3\r\nann\r\n+OK\r\n',
    );
    admin.ask(request('ACL SETUSER ann off'));
    expect(await ask(port, who, pairOf('ann'))).toContain('-NOAUTH');
  });

  test('the admin port is served with the same certificate', async () => {
    const { tls } = await open('optional');
    const server = new AdminServer({
      listen: { host: '127.0.0.1', port: 0 },
      door: makeDoor('secret').door,
      providers: { status: () => statusOf(1), notReady: () => undefined } as never,
      ...{ sockets: tls.listener, isTls: true },
    });
    const { port } = await server.listen();
    closers.push(() => void server.close());
    const dial: SocketFactory['dial'] = (to, connected) => connect({ ...to, ca: CA }, connected);
    const endpoint = { host: '127.0.0.1', port };
    const { status, headers } = await httpGet(endpoint, '/status', 5_000, { sockets: { dial } });
    expect(status).toBe(200);
    expect(headers['strict-transport-security']).toBeDefined();
    await expect(httpGet(endpoint, '/status', 5_000)).rejects.toThrow();
    const older: SocketFactory['dial'] = (to, connected) =>
      connect({ ...to, ca: CA, maxVersion: 'TLSv1.1', minVersion: 'TLSv1' }, connected);
    await expect(
      httpGet(endpoint, '/status', 5_000, { sockets: { dial: older } }),
    ).rejects.toThrow();
  });

  test('a half-open handshake is closed in time', async () => {
    const { port, log } = await open('no');
    const silent = connectTcp(port, '127.0.0.1');
    await new Promise((settle) =>
      silent
        .on('close', settle)
        .on('error', () => undefined)
        .resume(),
    );
    expect(log.join()).toContain('TIMEOUT');
  });

  test('another certificate is taken while it runs; files that are wrong change nothing', async () => {
    const { port, directory, tls, log } = await open('no');
    const presented = (): Promise<string> =>
      new Promise((settle) => {
        const socket = connect({ host: '127.0.0.1', port, ca: CA }, () => {
          settle(socket.getPeerCertificate().fingerprint256);
          socket.destroy();
        });
      });
    const first = await presented();
    const kept = connect({ host: '127.0.0.1', port, ca: CA });
    await new Promise((settle) => kept.once('secureConnect', settle));
    writeFileSync(join(directory, 'node.crt'), 'half a certificate');
    tls.reload();
    expect(log.at(-1)).toContain('the certificate stays as it is');
    expect(await presented()).toBe(first);
    writeFileSync(join(directory, 'node.crt'), pairOf('node2').cert);
    writeFileSync(join(directory, 'node.key'), pairOf('node2').key);
    await vi.waitFor(async () => expect(await presented()).not.toBe(first), 5_000);
    // Connections that are open go on.
    const answer = new Promise((settle) => kept.once('data', (chunk) => settle(String(chunk))));
    kept.write(request('PING'));
    expect(await answer).toBe('+PONG\r\n');
    kept.destroy();
  });
});
