/** The peer port of a cluster with a secret, attacked. */
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { decodeGreeting, encodeGreeting } from '../../transport/peer/handshake.ts';
import {
  ClusterSecret,
  newSecret,
  parseSecrets,
} from '../../transport/peer/security/cluster-secret.ts';
import { OPEN } from '../../transport/peer/security/peer-security.ts';
import {
  atEnd,
  CLUSTER,
  closeAll,
  helloOf,
  talk,
  until,
} from '../transport/peer/loopback-nodes.ts';
import { bySecret, open, type PeerNode, pairOf, SECRETS, talkTls } from './peer-network.ts';

const [OLD, NEW] = SECRETS as [ClusterSecret, ClusterSecret];
const CIPHERS = 'TLS_AES_128_GCM_SHA256:PSK';

afterEach(closeAll);

/** The TLS of a caller with this key and identity. */
function caller(secret: ClusterSecret, from: number, to: number, identity = {}) {
  const named = { keyId: secret.id, clusterId: CLUSTER, from, to, ...identity };
  const { keyId, clusterId } = named;
  return {
    ciphers: CIPHERS,
    minVersion: 'TLSv1.3' as const,
    pskCallback: () => ({
      psk: secret.linkKey(CLUSTER, from, to),
      identity: `holostore-1 ${keyId} ${clusterId} ${named.from} ${named.to}`,
    }),
  };
}

const hello = (node: number, target: number): Buffer =>
  encodeGreeting({ kind: 'hello', hello: helloOf(node), target });

/** One node that knows of a second, which is not there. */
async function lone(secrets = [OLD]): Promise<PeerNode> {
  return open(1, bySecret(1, secrets), [{ id: 2, host: '127.0.0.1', port: 1 }]);
}

describe('the secret', () => {
  test('derives another key for every cluster, pair, direction and purpose', () => {
    const keys = [
      OLD.linkKey(CLUSTER, 1, 2),
      OLD.linkKey(CLUSTER, 2, 1),
      OLD.linkKey(CLUSTER, 1, 3),
      OLD.linkKey('bb'.repeat(16), 1, 2),
      NEW.linkKey(CLUSTER, 1, 2),
      OLD.frameKey(CLUSTER),
      OLD.frameKey('bb'.repeat(16)),
    ].map((key) => key.toString('hex'));
    expect(new Set(keys).size).toBe(keys.length);
    expect(OLD.id).toMatch(/^[0-9a-f]{16}$/);
    expect(parseSecrets(newSecret())[0]?.id).not.toBe(OLD.id);
  });

  test('a known secret gives the known keys: members of two versions agree', () => {
    // By Python's hmac and hashlib, after RFC 5869.
    const secret = new ClusterSecret(Buffer.alloc(32, 7));
    expect(secret.id).toBe('5d61855fa5bdfbf8');
    expect(secret.linkKey(CLUSTER, 1, 2).toString('hex')).toBe(
      'f17bf82bfb8b80aa7bfcb22973e7408710ef44a3aa1cecec7092d928629114b8',
    );
    expect(secret.frameKey(CLUSTER).toString('hex')).toBe('e6119c49335451a97cbe9628095577ec');
  });

  test.each([
    ['', 'holds no secret'],
    ['# only a comment\n\n', 'holds no secret'],
    ['secret', 'is no secret of 64'],
    [`${'a'.repeat(63)}g`, 'is no secret of 64'],
    [`${'a'.repeat(64)}\n${'a'.repeat(64)}`, 'the same secret twice'],
    [[newSecret(), newSecret(), newSecret()].join('\n'), 'holds 3 secrets'],
  ])('%j is refused, and never quoted', (text, reason) => {
    expect(() => parseSecrets(text)).toThrow(reason);
    expect(() => parseSecrets(text)).not.toThrow(/aaaa/);
  });

  test('comments and blank lines are no secrets', () => {
    const text = `# made on a Monday\n\n${newSecret()}\r\n`;
    expect(parseSecrets(text)).toHaveLength(1);
  });
});

describe('members', () => {
  test('find each other, and frames go both ways', async () => {
    const [one, two] = await pairOf(bySecret(1), bySecret(2));
    await until(() => one.seen.count('up 2') === 1 && two.seen.count('up 1') === 1);
    const large = Buffer.alloc(300_000, 'x');
    expect(one.network.send(2, [Buffer.from('to two'), large])).toBe(true);
    expect(two.network.send(1, [Buffer.from('to one')])).toBe(true);
    await until(() => one.seen.frames.length === 1 && two.seen.frames.length === 1);
    expect(two.seen.frames[0]).toBe(`to two${large.toString('latin1')}`);
    expect(one.seen.frames[0]).toBe('to one');
    expect([one.refused(), two.refused()]).toEqual([{}, {}]);
  });

  test('nothing of a frame is on the wire as it is', async () => {
    const one = await open(1, bySecret(1));
    const wire: Buffer[] = [];
    const proxy = createServer((socket) => {
      const onward = connect(one.endpoint.port, '127.0.0.1');
      for (const [from, to] of [
        [socket, onward],
        [onward, socket],
      ] as const) {
        from.on('data', (chunk) => wire.push(chunk) && to.write(chunk));
        from.on('error', () => undefined).on('close', () => to.destroy());
      }
    });
    await new Promise<void>((settle) => proxy.listen(0, '127.0.0.1', settle));
    atEnd(() => proxy.close());
    const { port } = proxy.address() as { port: number };
    const two = await open(2, bySecret(2), [{ id: 1, host: '127.0.0.1', port }]);
    one.network.setPeer(two.endpoint);
    await until(() => two.seen.count('up 1') === 1);
    two.network.send(1, [Buffer.from('a very secret frame')]);
    await until(() => one.seen.frames.includes('a very secret frame'));
    const text = Buffer.concat(wire).toString('latin1');
    expect(text).not.toContain('secret frame');
    expect(text).not.toContain(Buffer.from('02'.repeat(16), 'hex').toString('latin1'));
  });
});

describe('a stranger', () => {
  test('who speaks no TLS, or sends a hello of a member: refused, counted, logged', async () => {
    const one = await lone();
    const answer = await talk(one, hello(2, 1));
    // A TLS alert, and nothing about the node.
    expect(answer.length).toBeLessThan(16);
    await until(() => one.refused()['protocol'] === 1);
    expect(one.log.join()).toMatch(/it does not speak TLS.*\(from 127\.0\.0\.1:\d+\)/);
    expect(one.seen.events).toEqual([]);
    await talk(one, 'GET / HTTP/1.1\r\n\r\n');
    expect(one.refused()['protocol']).toBe(2);
  });

  test('who has no secret, or another one', async () => {
    const one = await lone();
    const stranger = new ClusterSecret(Buffer.alloc(32, 1));
    const other = await talkTls(one, caller(stranger, 2, 1), hello(2, 1));
    expect(other).toMatchObject({ error: expect.stringContaining('ALERT'), answer: { length: 0 } });
    expect(one.log.join()).toContain(`its cluster secret is ${stranger.id}, here is ${OLD.id}`);
    // It names the right secret, and does not have it.
    await talkTls(one, caller(stranger, 2, 1, { keyId: OLD.id }), hello(2, 1));
    const anonymous = { ...caller(OLD, 2, 1), rejectUnauthorized: false };
    const { pskCallback: _none, ...without } = anonymous;
    await talkTls(one, without, hello(2, 1));
    expect(one.refused()).toEqual({ secret: 3 });
    expect(one.seen.events).toEqual([]);
  });

  test.each([
    ['TLSv1.2', 'PSK-AES128-GCM-SHA256'],
    ['TLSv1.1', 'PSK-AES128-CBC-SHA:@SECLEVEL=0'],
  ] as const)('who asks for %s: no downgrade', async (version, ciphers) => {
    const one = await lone();
    const older = { ...caller(OLD, 2, 1), minVersion: version, maxVersion: version, ciphers };
    const { error, answer } = await talkTls(one, older, hello(2, 1));
    expect(error).toMatch(/ALERT|VERSION|PROTOCOL/);
    expect(answer).toHaveLength(0);
    expect(one.refused()).toEqual({ protocol: 1 });
    expect(one.seen.events).toEqual([]);
  });

  test('who keeps silent is cut off in time, with TLS half open too', async () => {
    const one = await lone();
    await talk(one, '');
    await talk(one, Buffer.from([0x16, 0x03, 0x01, 0x02]));
    await until(() => one.refused()['timeout'] === 2);
  });
});

describe('a member', () => {
  test('cannot speak as another one', async () => {
    const one = await open(1, bySecret(1), [
      { id: 2, host: '127.0.0.1', port: 1 },
      { id: 3, host: '127.0.0.1', port: 1 },
    ]);
    const { answer } = await talkTls(one, caller(OLD, 3, 1), hello(2, 1));
    expect(decodeGreeting(answer)).toMatchObject({
      greeting: { kind: 'refused', reason: 'it claims to be node 2, but has the key of node 3' },
    });
    expect(one.refused()).toEqual({ identity: 1 });
    expect(one.seen.count('up')).toBe(0);
  });

  test('is not taken for this node, nor where another was dialled, nor from another cluster', async () => {
    const one = await lone();
    await talkTls(one, caller(OLD, 1, 1), hello(1, 1));
    expect(one.log.at(-1)).toContain('it claims to be node 1, which is this node');
    const two = await lone();
    await talkTls(two, caller(OLD, 2, 5), hello(2, 1));
    expect(two.log.at(-1)).toContain('node 5 was dialled, but this is node 1');
    const three = await lone();
    await talkTls(three, caller(OLD, 2, 1, { clusterId: 'bb'.repeat(16) }), hello(2, 1));
    expect(three.log.at(-1)).toContain(`it belongs to cluster ${'bb'.repeat(16)}`);
    for (const node of [one, two, three]) expect(node.refused()).toEqual({ identity: 1 });
  });

  test('asks for the members with a key of its own, and cannot greet with it', async () => {
    const one = await lone();
    const asked = encodeGreeting({ kind: 'whoIsThere', clusterId: CLUSTER });
    const { answer } = await talkTls(one, caller(OLD, 2, 0), asked);
    expect(decodeGreeting(answer)).toMatchObject({ greeting: { kind: 'members' } });
    const greeted = await talkTls(one, caller(OLD, 2, 0), hello(2, 1));
    expect(decodeGreeting(greeted.answer)).toMatchObject({
      greeting: { kind: 'refused', reason: expect.stringContaining('not as a member') },
    });
  });

  test('of another secret: both ends say so, and do not connect', async () => {
    const [one, two] = await pairOf(bySecret(1, [OLD]), bySecret(2, [NEW]));
    await until(() => one.seen.count('refused 2') > 0 && two.seen.count('refused 1') > 0);
    expect(one.seen.events[0]).toContain('it does not accept this node');
    expect(one.log.join()).toContain(`its cluster secret is ${NEW.id}, here is ${OLD.id}`);
    expect(one.seen.count('up') + two.seen.count('up')).toBe(0);
  });

  test.each([
    ['the other has none', OPEN, bySecret(2)],
    ['this one has none', bySecret(1), OPEN],
  ])('%s: no link, in neither direction', async (_name, first, second) => {
    const [one, two] = await pairOf(first, second);
    await until(() => [...one.log, ...one.seen.events].join().includes('TLS'));
    await until(() => [...two.log, ...two.seen.events].join().includes('TLS'));
    expect(one.seen.count('up') + two.seen.count('up')).toBe(0);
  });
});

describe('what is recorded on the wire', () => {
  /** A member's link through a proxy that keeps what the member has sent. */
  async function recorded(): Promise<{ one: PeerNode; sent: Buffer[] }> {
    const one = await open(1, bySecret(1));
    const sent: Buffer[] = [];
    const proxy = createServer((socket) => {
      const onward = connect(one.endpoint.port, '127.0.0.1');
      socket.on('data', (chunk) => sent.push(chunk) && onward.write(chunk));
      onward.on('data', (chunk) => socket.write(chunk));
      for (const each of [socket, onward]) each.on('error', () => undefined);
      socket.on('close', () => onward.destroy());
    });
    await new Promise<void>((settle) => proxy.listen(0, '127.0.0.1', settle));
    atEnd(() => proxy.close());
    const { port } = proxy.address() as { port: number };
    const two = await open(2, bySecret(2), [{ id: 1, host: '127.0.0.1', port }]);
    one.network.setPeer(two.endpoint);
    await until(() => two.seen.count('up 1') === 1);
    two.network.send(1, [Buffer.from('once')]);
    await until(() => one.seen.frames.length === 1);
    two.network.close();
    await until(() => one.network.counters()[0]?.up === false);
    return { one, sent };
  }

  test('opens nothing when it is played again', async () => {
    const { one, sent } = await recorded();
    const before = one.seen.events.length;
    await talk(one, Buffer.concat(sent));
    await until(() => Object.keys(one.refused()).length > 0);
    expect(one.seen.frames).toEqual(['once']);
    expect(one.seen.events.slice(before).filter((event) => event.startsWith('up'))).toEqual([]);
  });

  test('opens nothing at the node that sent it', async () => {
    // The dial of node 1 is led back to node 1.
    const mirror = createServer();
    await new Promise<void>((settle) => mirror.listen(0, '127.0.0.1', settle));
    atEnd(() => mirror.close());
    const { port } = mirror.address() as { port: number };
    const one = await open(1, bySecret(1), [{ id: 2, host: '127.0.0.1', port }]);
    mirror.on('connection', (socket: Socket) => {
      const back = connect(one.endpoint.port, '127.0.0.1');
      socket.pipe(back).pipe(socket);
      for (const each of [socket, back]) each.on('error', () => undefined);
    });
    await until(() => (one.refused()['identity'] ?? 0) > 0);
    await until(() => one.seen.count('refused 2') > 0);
    expect(one.seen.count('up')).toBe(0);
  });
});

describe('a flood of half-open links', () => {
  test('does not keep a member from coming back', async () => {
    const [one, two] = await pairOf(bySecret(1), bySecret(2));
    await until(() => one.seen.count('up 2') === 1 && two.seen.count('up 1') === 1);
    const { host, port } = one.endpoint;
    const halves = new Set<Socket>();
    /** 200 at a time, anew as they are closed, half of them with the beginning of a handshake. */
    const flood = (): void => {
      const socket = connect({ host, port, localAddress: '127.0.0.3' });
      halves.add(socket);
      if (halves.size % 2 === 0) socket.write(Buffer.from([0x16, 0x03, 0x01]));
      socket.on('error', () => undefined);
      socket.on('close', () => {
        halves.delete(socket);
        if (!over) setTimeout(flood, 1);
      });
    };
    let over = false;
    atEnd(() => {
      over = true;
      for (const socket of halves) socket.destroy();
    });
    for (let count = 0; count < 200; count += 1) flood();
    await until(() => (one.refused()['crowd'] ?? 0) > 200);
    // The member's link, which was there before, is not touched; a new one finds room.
    expect(one.seen.count('down')).toBe(0);
    two.network.disconnect(1, 'for the test');
    await until(() => two.seen.count('up 1') === 2 && one.seen.count('up 2') === 2, 10_000);
    expect(one.log.join()).toMatch(/more than 64 callers did not greet \(from 127\.0\.0\.3\)/);
  });
});

describe('rotation', () => {
  test('members with the old and the new secret talk to both, whichever they prefer', async () => {
    const one = await open(1, bySecret(1, [OLD, NEW]));
    for (const [id, secrets] of [
      [2, [OLD]],
      [3, [NEW]],
      [4, [NEW, OLD]],
    ] as const) {
      const peer = await open(id, bySecret(id, secrets), [one.endpoint]);
      one.network.setPeer(peer.endpoint);
      // Node 1 dials with the old one first; where that is refused, with the new one.
      await until(() => one.seen.count(`up ${id}`) === 1 && peer.seen.count('up 1') === 1);
    }
  });

  test('goes on while links carry frames; a secret that is taken out ends its links', async () => {
    const [first, second] = [bySecret(1, [OLD]), bySecret(2, [OLD])];
    const [one, two] = await pairOf(first, second);
    const up = (count: number) =>
      until(() => one.seen.count('up 2') === count && two.seen.count('up 1') === count);
    await up(1);
    const use = (securities: (typeof first)[], secrets: readonly ClusterSecret[]): void => {
      for (const security of securities) security.use(secrets);
      for (const { network } of [one, two]) network.checkProofs();
    };
    use([first], [OLD, NEW]);
    use([second], [OLD, NEW]);
    use([first], [NEW, OLD]);
    use([second], [NEW, OLD]);
    expect(one.seen.events).toEqual(['up 2']);
    use([first, second], [NEW]);
    await up(2);
    expect(one.network.send(2, [Buffer.from('after')])).toBe(true);
    await until(() => two.seen.frames.at(-1) === 'after');
    const { answer } = await talkTls(one, caller(OLD, 2, 1), hello(2, 1));
    expect(answer).toHaveLength(0);
  });
});
