/** The peer port of a cluster with certificates, attacked; and how certificates are replaced. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { runCerts } from '../../actors/process/certs-command.ts';
import { encodeGreeting } from '../../transport/peer/handshake.ts';
import { CertificateSecurity } from '../../transport/peer/security/certificate-security.ts';
import { closeAll, helloOf, talk, until } from '../transport/peer/loopback-nodes.ts';
import { noOpenssl, type Pair, TestAuthority } from './made-certificates.ts';
import { bySecret, open, type PeerNode, pairOf, talkTls } from './peer-network.ts';

const isMissing = noOpenssl() !== undefined;
afterEach(closeAll);

describe.skipIf(isMissing)('certificates of peers', () => {
  const [authority, stranger] = isMissing ? [] : [new TestAuthority(), new TestAuthority()];
  const ours = authority as TestAuthority;
  const theirs = stranger as TestAuthority;
  const made = new Map<string, Pair>();

  /** Made once. */
  function pair(from: TestAuthority, id: number): Pair {
    const name = `${from.folder} ${id}`;
    const known = made.get(name) ?? from.node(id);
    made.set(name, known);
    return known;
  }

  function byCertificate(id: number, from = ours, ca = from.ca): CertificateSecurity {
    const certificates = { ...pair(from, id), ca };
    return new CertificateSecurity({ nodeId: id, certificates, handshakeTimeoutMs: 400 });
  }

  const hello = (node: number, target: number): Buffer =>
    encodeGreeting({ kind: 'hello', hello: helloOf(node), target });
  const trusting = { rejectUnauthorized: false, minVersion: 'TLSv1.3' } as const;

  async function lone(): Promise<PeerNode> {
    return open(1, byCertificate(1), [
      { id: 2, host: '127.0.0.1', port: 1 },
      { id: 3, host: '127.0.0.1', port: 1 },
    ]);
  }

  test('members find each other by them', async () => {
    const [one, two] = await pairOf(byCertificate(1), byCertificate(2));
    await until(() => one.seen.count('up 2') === 1 && two.seen.count('up 1') === 1);
    one.network.send(2, [Buffer.from('to two')]);
    await until(() => two.seen.frames.includes('to two'));
    expect([one.refused(), two.refused()]).toEqual([{}, {}]);
  });

  test.each<[string, () => Partial<Pair>, 'secret' | 'identity', RegExp]>([
    ['none', () => ({}), 'secret', /it presents no certificate/],
    ['one of a stranger', () => pair(theirs, 2), 'secret', /certificate is refused: (UNABLE|SELF)/],
    ['an expired one', () => ours.node(2, -1), 'secret', /refused: CERT_HAS_EXPIRED/],
    ["a user's", () => ours.client('ann'), 'identity', /its certificate is not that of a node/],
    [
      "another node's",
      () => pair(ours, 3),
      'identity',
      /node 2, but presents URI:holostore:node:3/,
    ],
  ])('with %s: refused, counted and logged', async (_what, presented, kind, reason) => {
    const one = await lone();
    await talkTls(one, { ...trusting, ...presented() }, hello(2, 1));
    await until(() => one.refused()[kind] === 1);
    const told = [...one.log, ...one.seen.events].join();
    expect(told).toMatch(reason);
    expect(told).toMatch(/\(from 127\.0\.0\.1:\d+\)/);
    expect(one.refused()).toEqual({ [kind]: 1 });
    expect(one.seen.count('up')).toBe(0);
  });

  test('no downgrade, no plain TCP, and no secret in their place', async () => {
    const one = await lone();
    const older = { ...trusting, ...pair(ours, 2), minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' };
    const { error } = await talkTls(one, older as never, hello(2, 1));
    expect(error).toMatch(/VERSION|PROTOCOL|ALERT/);
    await talk(one, hello(2, 1));
    expect(one.refused()).toEqual({ protocol: 2 });
    const [first, second] = await pairOf(byCertificate(1), bySecret(2));
    await until(() => Object.keys(second.refused()).length > 0);
    expect(first.seen.count('up') + second.seen.count('up')).toBe(0);
  });

  test('a node that is reached is verified: of another authority, or another node', async () => {
    const [one, other] = await pairOf(byCertificate(1), byCertificate(2, theirs));
    await until(() => one.seen.count('refused 2') > 0 && other.seen.count('refused 1') > 0);
    expect(one.seen.events.join()).toMatch(/its certificate is refused: (UNABLE_TO|SELF_SIGNED)/);
    // Node 3 listens where node 2 is expected.
    const three = await open(3, byCertificate(3));
    const misled = await open(1, byCertificate(1), [{ ...three.endpoint, id: 2 }]);
    await until(() => misled.seen.count('refused 2') > 0);
    expect(misled.seen.events.join()).toContain('its certificate is not that of node 2');
    for (const node of [one, other, three, misled]) expect(node.seen.count('up')).toBe(0);
  });

  test('a certificate of a user is not one of a node that is reached', () => {
    const certificates = { ...ours.client('bob'), ca: ours.ca };
    expect(
      () => new CertificateSecurity({ nodeId: 1, certificates, handshakeTimeoutMs: 400 }),
    ).toThrow('its certificate is not that of node 1');
    const foreign = { ...pair(ours, 1), key: pair(ours, 2).key, ca: ours.ca };
    expect(
      () => new CertificateSecurity({ nodeId: 1, certificates: foreign, handshakeTimeoutMs: 400 }),
    ).toThrow(/key/i);
  });

  test('another authority takes over, without a link that is refused', async () => {
    const both = `${ours.ca}\n${theirs.ca}`;
    const securities = [1, 2].map((id) => byCertificate(id)) as [
      CertificateSecurity,
      CertificateSecurity,
    ];
    const nodes = await pairOf(...securities);
    const [one, two] = nodes;
    await until(() => one.seen.count('up 2') === 1 && two.seen.count('up 1') === 1);
    for (const [from, ca] of [
      [ours, both],
      [theirs, both],
      [theirs, theirs.ca],
    ] as const) {
      for (const [index, security] of securities.entries()) {
        security.use({ ...pair(from, index + 1), ca });
        nodes[index]?.network.checkProofs();
      }
    }
    // The links of the old authority end, and come back.
    await until(() => one.seen.count('up 2') > 1 && two.seen.count('up 1') > 1, 10_000);
    expect([one.seen.count('refused'), two.seen.count('refused')]).toEqual([0, 0]);
    const late = await open(3, byCertificate(3), [one.endpoint]);
    await until(() => late.seen.count('refused 1') > 0);
  });
});

describe.skipIf(isMissing)('holostore certs', () => {
  test('makes an authority, nodes and users, and replaces nothing', () => {
    const folder = join(new TestAuthority().folder, 'more');
    const lines: string[] = [];
    const certs = (...args: string[]) =>
      runCerts([...args, '--dir', folder, '--days', '3'], (line) => lines.push(line));
    expect(certs('ca')).toBe(0);
    expect(certs('node', '7', 'a.example,10.0.0.7')).toBe(0);
    expect(certs('client', 'ann')).toBe(0);
    expect(lines.at(-1)).toContain('client-ann.key are made');
    for (const name of ['ca', 'node-7', 'client-ann']) {
      expect(statSync(join(folder, `${name}.key`)).mode & 0o777).toBe(0o600);
      expect(existsSync(join(folder, `${name}.crt`))).toBe(true);
    }
    expect(() => certs('ca')).toThrow('already exists');
    expect(() => certs('client', 'ann')).toThrow('already exists');
  });

  test.each([
    [[]],
    [['node', '0', 'a']],
    [['node', '1']],
    [['node', '1', 'a b']],
    [['node', '1', 'a\nb']],
    [['client', 'a/b']],
    [['client', '../ann']],
    [['client', 'a=b\n[ext]']],
    [['ca', '--days', '0']],
    [['ca', 'more']],
    [['--unknown']],
  ])('%j is refused', (args) => {
    expect(() => runCerts(args, () => undefined)).toThrow();
  });
});
