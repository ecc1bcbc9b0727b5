import { connect, createServer, type Server, Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import {
  decodeGreeting,
  encodeGreeting,
  type MemberEndpoint,
  type PeerHello,
  PROTOCOL_VERSION,
} from '../../../transport/peer/handshake.ts';
import type { TcpNetworkOptions } from '../../../transport/peer/tcp-network.ts';
import {
  atEnd,
  CLUSTER,
  closeAll,
  closeLast,
  EventRecorder,
  helloOf,
  type NodeOnLoopback,
  openNode,
  talk,
  until,
} from './loopback-nodes.ts';

const OTHER_CLUSTER = 'bb'.repeat(16);

class Recorder extends EventRecorder {
  readonly frames: [number, string][] = [];
  bytes = 0;
  onFrame(peer: number, frame: Uint8Array): void {
    this.bytes += frame.length;
    this.frames.push([peer, Buffer.from(frame.subarray(0, 64)).toString('latin1')]);
  }
}

type TestNode = NodeOnLoopback<Recorder>;

afterEach(closeAll);

function open(
  nodeId: number,
  members: readonly MemberEndpoint[] = [],
  changes: Partial<TcpNetworkOptions> = {},
): Promise<TestNode> {
  return openNode(nodeId, new Recorder(), members, changes);
}

async function pair(changes: Partial<TcpNetworkOptions> = {}): Promise<[TestNode, TestNode]> {
  const one = await open(1, [], changes);
  const two = await open(2, [one.endpoint], changes);
  one.network.setPeer(two.endpoint);
  await until(() => one.seen.count('up 2') === 1 && two.seen.count('up 1') === 1);
  return [one, two];
}

function text(value: string): Uint8Array[] {
  return [Buffer.from(value, 'latin1')];
}

/** A listener with behaviour of its own in the place of a peer. */
async function impostor(onSocket: (socket: Socket) => void): Promise<MemberEndpoint> {
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onSocket(socket);
  });
  atEnd(() => {
    server.close();
    for (const socket of sockets) {
      socket.destroy();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { id: 2, host: '127.0.0.1', port };
}

describe('frames', () => {
  test('go both ways, whole, in order, in as many parts as they were given', async () => {
    const [one, two] = await pair();
    expect(one.network.send(2, [Buffer.from('a'), new Uint8Array(0), Buffer.from('b')])).toBe(true);
    for (let i = 0; i < 500; i += 1) {
      one.network.send(2, text(`frame ${i}`));
    }
    two.network.send(1, text('back'));
    await until(() => two.seen.frames.length === 501 && one.seen.frames.length === 1);
    expect(two.seen.frames[0]).toEqual([1, 'ab']);
    expect(two.seen.frames.slice(1).map(([, frame]) => frame)).toEqual(
      Array.from({ length: 500 }, (_, i) => `frame ${i}`),
    );
    expect(one.seen.frames).toEqual([[2, 'back']]);
    expect(one.network.counters()).toMatchObject([{ peer: 2, up: true, framesOut: 501 }]);
    expect(two.network.counters()).toMatchObject([
      { peer: 1, framesIn: 501, framesOut: 1, reconnects: 0, sendsRefused: 0 },
    ]);
  });

  test('all frames of one turn leave in one write', async () => {
    const internals = Socket.prototype as unknown as { _writev(): void };
    const writes = vi.spyOn(internals, '_writev');
    const [one, two] = await pair();
    writes.mockClear();
    for (let i = 0; i < 20; i += 1) {
      one.network.send(2, text('x'));
    }
    await until(() => two.seen.frames.length === 20);
    expect(writes).toHaveBeenCalledTimes(1);
    writes.mockRestore();
  });

  test('a frame of several MiB arrives while shorter ones wait behind it', async () => {
    const [one, two] = await pair();
    one.network.send(2, [Buffer.alloc(5 << 20, 'y')]);
    one.network.send(2, text('after'));
    await until(() => two.seen.frames.length === 2);
    expect(two.seen.bytes).toBe((5 << 20) + 5);
    expect(two.seen.frames[1]).toEqual([1, 'after']);
  });

  test('a frame above the limit is not taken; the link stays', async () => {
    const [one, two] = await pair({ frameBytesMax: 1000 });
    expect(one.network.send(2, [new Uint8Array(600), new Uint8Array(401)])).toBe(false);
    expect(one.network.send(2, [new Uint8Array(1000)])).toBe(true);
    await until(() => two.seen.frames.length === 1);
    expect(one.network.counters()).toMatchObject([{ sendsRefused: 1, framesOut: 1 }]);
    expect(two.seen.count('down')).toBe(0);
  });

  test('an incoming frame above the limit ends the connection, and is told by name', async () => {
    const one = await open(1, [], { frameBytesMax: 2000 });
    const two = await open(2, [one.endpoint], { frameBytesMax: 1000 });
    one.network.setPeer(two.endpoint);
    await until(() => one.seen.count('up 2') === 1);
    one.network.send(2, [new Uint8Array(1500)]);
    await until(() => two.seen.count('refused 1') === 1 && one.seen.count('down 2') === 1);
    expect(two.seen.events.join()).toContain('1500 bytes is above the limit of 1000');
  });

  test('sending to a peer that is not there is refused', async () => {
    const one = await open(1, [{ id: 2, host: '127.0.0.1', port: 1 }]);
    expect(one.network.send(2, text('x'))).toBe(false);
    expect(one.network.send(7, text('x'))).toBe(false);
    expect(one.network.queuedBytes(2)).toBe(0);
  });
});

describe('the send queue', () => {
  test('is bounded when the peer does not read, and takes frames again when it does', async () => {
    let inbound: Socket | undefined;
    const peer = await impostor((socket) => {
      inbound = socket;
      socket.once('data', () => {
        socket.write(encodeGreeting({ kind: 'accepted', hello: helloOf(2) }));
        socket.pause();
      });
    });
    const one = await open(1, [peer], { queueBytesMax: 1 << 20, linkTimeoutMs: 4000 });
    await until(() => one.seen.count('up 2') === 1);
    const part = Buffer.alloc(100_000);
    let accepted = 0;
    await until(() => {
      for (let i = 0; i < 50; i += 1) {
        accepted += one.network.send(2, [part]) ? 1 : 0;
      }
      return one.network.counters()[0]?.sendsRefused !== 0 && one.network.queuedBytes(2) > 900_000;
    });
    expect(accepted).toBeGreaterThan(0);
    expect(one.network.queuedBytes(2)).toBeLessThanOrEqual(1 << 20);
    inbound?.on('data', () => undefined).resume();
    await until(() => one.network.queuedBytes(2) === 0);
    expect(one.network.send(2, [part])).toBe(true);
  });
});

describe('refusals, by name and on both sides', () => {
  test('another cluster', async () => {
    const one = await open(1);
    const two = await open(2, [one.endpoint], { self: helloOf(2, { clusterId: OTHER_CLUSTER }) });
    await until(() => two.seen.count('refused 1') === 1 && one.seen.count('refused 2') === 1);
    expect(two.seen.events[0]).toContain(`belongs to cluster ${OTHER_CLUSTER}`);
    expect(one.seen.events[0]).toContain(`belongs to cluster ${OTHER_CLUSTER}`);
    expect(two.seen.count('up')).toBe(0);
    expect(one.log.join()).toContain('belongs to cluster');
  });

  test('another cluster that was formed by the same members', async () => {
    const one = await open(1);
    const other = 'ee'.repeat(16);
    const two = await open(2, [one.endpoint], { self: helloOf(2, { formedId: other }) });
    one.network.setPeer(two.endpoint);
    const told = () => [one, two].map(({ seen }) => seen.events.join());
    await until(() => told().every((events) => events.includes('have formed cluster')));
    expect(one.seen.events.join()).toContain(
      `its members have formed cluster ${other}, those of this`,
    );
    expect(two.seen.events.join()).toContain('has lost its data directory');
    expect(two.seen.count('up')).toBe(0);
  });

  test('another machine for scripts', async () => {
    const one = await open(1);
    const other = { scriptMachine: 'bb'.repeat(16) };
    const two = await open(2, [one.endpoint], { self: helloOf(2, other) });
    one.network.setPeer(two.endpoint);
    const told = () => [one, two].map(({ seen }) => seen.events.join());
    await until(() => told().every((events) => events.includes('scripts by another machine')));
    expect(two.seen.count('up')).toBe(0);
  });

  test('a node that is no member, and a node that was not meant', async () => {
    const one = await open(1);
    const nine = await open(9, [one.endpoint]);
    await until(() => nine.seen.count('refused 1') === 1);
    expect(nine.seen.events[0]).toContain('node 9 is not a member');
    const two = await open(2, [{ ...one.endpoint, id: 3 }]);
    await until(() => two.seen.count('refused 3') === 1);
    expect(two.seen.events[0]).toContain('node 3 was dialled, but this is node 1');
  });

  test('a node with our own id', async () => {
    const one = await open(1);
    const answer = await talk(one, encodeGreeting({ kind: 'hello', hello: helloOf(1), target: 1 }));
    expect(String(answer)).toContain('which is this node');
  });

  test('a disk that is not the known one: refused by the node that knows better', async () => {
    const verifyPeer = (hello: PeerHello): string | undefined =>
      hello.nodeId === 2 ? 'node 2 came with another disk' : undefined;
    const one = await open(1, [], { verifyPeer });
    const two = await open(2, [one.endpoint]);
    one.network.setPeer(two.endpoint);
    await until(() => two.seen.count('refused 1') === 1 && one.seen.count('refused 2') === 2);
    expect(two.seen.events[0]).toContain('node 2 came with another disk');
    expect(one.seen.count('up') + two.seen.count('up')).toBe(0);
  });

  test('another limit for what a unit may write: refused by both, with both numbers', async () => {
    const one = await open(1);
    const self = helloOf(2, { unitWriteBytesMax: 999 });
    const two = await open(2, [one.endpoint], { self });
    one.network.setPeer(two.endpoint);
    await until(() => two.seen.count('refused 1') > 0 && one.seen.count('refused 2') > 0);
    expect(one.seen.events.join()).toContain('may write 999 bytes there and 1000 bytes here');
    expect(one.seen.count('up') + two.seen.count('up')).toBe(0);
  });

  test('an older incarnation than the one that was here', async () => {
    const one = await open(1);
    const newer = await open(2, [one.endpoint], { self: helloOf(2, { incarnation: 7 }) });
    one.network.setPeer(newer.endpoint);
    await until(() => newer.seen.count('up 1') === 1);
    newer.network.close();
    const older = await open(2, [one.endpoint], { self: helloOf(2, { incarnation: 6 }) });
    await until(() => older.seen.count('refused 1') === 1);
    expect(older.seen.events[0]).toContain('incarnation 6 of node 2 is older than the one');
    expect(older.seen.events[0]).not.toContain('7');
  });

  test('an incarnation that earlier runs have seen counts as well', async () => {
    const one = await open(1, [], { incarnations: new Map([[2, 7]]) });
    const older = await open(2, [one.endpoint], { self: helloOf(2, { incarnation: 6 }) });
    one.network.setPeer(older.endpoint);
    await until(() => older.seen.count('refused 1') === 1);
    expect(older.seen.events[0]).toContain('older than the one that was here');
  });

  test('an impossible incarnation, on all links; the right one is believed afterwards', async () => {
    const one = await open(1);
    const self = helloOf(2, { incarnation: 2 ** 50 });
    const damaged = await open(2, [one.endpoint], { self });
    one.network.setPeer(damaged.endpoint);
    await until(() => damaged.seen.count('refused 1') > 0 && one.seen.count('refused 2') > 1);
    expect(damaged.seen.events[0]).toContain('starts ahead of the last one');
    expect(damaged.seen.count('up') + one.seen.count('up')).toBe(0);
    damaged.network.close();
    const { host, port } = damaged.endpoint;
    const sound = await open(2, [one.endpoint], { listen: { host, port } });
    await until(() => sound.seen.count('up 1') === 1 && one.seen.count('up 2') === 1);
  });

  test('tells the caller nothing that the next greeting needs', async () => {
    const verifyPeer = (hello: PeerHello): string | undefined =>
      hello.diskId === helloOf(2).diskId ? undefined : 'it comes with another disk';
    const incarnations = new Map([[2, 4711]]);
    const one = await open(1, [{ id: 2, host: 'h', port: 1 }], { verifyPeer, incarnations });
    const guesses: Partial<PeerHello>[] = [
      { clusterId: OTHER_CLUSTER },
      { incarnation: 4710 },
      { incarnation: 2 ** 40 },
      { incarnation: 4711, diskId: 'dd'.repeat(16) },
    ];
    for (const guess of guesses) {
      const hello = helloOf(2, guess);
      const answer = await talk(one, encodeGreeting({ kind: 'hello', hello, target: 1 }));
      expect(decodeGreeting(answer)).toMatchObject({ greeting: { kind: 'refused' } });
      const told = answer.toString('latin1');
      expect(told).not.toContain(CLUSTER);
      expect(told).not.toContain(helloOf(2).diskId);
      expect(told).not.toContain('4711');
    }
  });

  test('another protocol version is answered in a form that it can read', async () => {
    const one = await open(1);
    const hello = { kind: 'hello', hello: helloOf(2), target: 1 } as const;
    const answer = await talk(one, encodeGreeting(hello, PROTOCOL_VERSION + 1));
    expect(decodeGreeting(answer)).toMatchObject({
      greeting: {
        kind: 'refused',
        reason: expect.stringContaining(`version is ${PROTOCOL_VERSION + 1}`),
      },
    });
  });

  test('the same refusal is told once, however often the peer dials', async () => {
    const one = await open(1);
    let dials = 0;
    for (; dials < 5; dials += 1) {
      const hello = helloOf(2, { clusterId: OTHER_CLUSTER });
      await talk(one, encodeGreeting({ kind: 'hello', hello, target: 1 }));
    }
    expect(one.log.filter((line) => line.includes('belongs to cluster'))).toHaveLength(1);
  });
});

describe('strangers', () => {
  test.each([
    ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'speaks HTTP'],
    ['*1\r\n$4\r\nPING\r\n', 'speaks the Redis protocol'],
    ['\0\0\0\0\0\0', 'does not speak the peer protocol'],
  ])('one that says %j is closed with a line in the log', async (words, expected) => {
    const one = await open(1);
    expect(await talk(one, words)).toHaveLength(0);
    expect(one.log.join()).toContain(expected);
    expect(one.seen.events).toEqual([]);
  });

  test('one that says nothing, or half a greeting, is closed in time', async () => {
    const one = await open(1, [], { handshakeTimeoutMs: 100 });
    await talk(one, '');
    await talk(one, 'HOL');
  });

  /** Callers that say nothing and stay. */
  async function silentCallers(node: TestNode, count: number, localAddress: string) {
    const { host, port } = node.endpoint;
    const sockets = Array.from({ length: count }, () =>
      connect({ host, port, localAddress }).on('error', () => undefined),
    );
    atEnd(() => {
      for (const socket of sockets) {
        socket.destroy();
      }
    });
    await Promise.all(
      sockets.map((socket) => new Promise((resolve) => socket.on('connect', resolve))),
    );
    return sockets;
  }

  test('too many of them: the oldest is closed, and a member gets in', async () => {
    const one = await open(1, [], { handshakeTimeoutMs: 60_000 });
    const [oldest, ...others] = await silentCallers(one, 64, '127.0.0.1');
    const two = await open(2, [one.endpoint], { handshakeTimeoutMs: 60_000 });
    one.network.setPeer(two.endpoint);
    await until(() => two.seen.count('up 1') === 1);
    await until(() => oldest?.closed === true);
    expect(others.filter((socket) => socket.closed)).toHaveLength(0);
    // The member does not count any more: its place is free for the next stranger.
    await silentCallers(one, 1, '127.0.0.1');
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(others.filter((socket) => socket.closed)).toHaveLength(0);
    expect(two.seen.count('down')).toBe(0);
    expect(one.log.join()).toContain('more than 64 callers did not greet');
  });

  test('with room for one stranger, members still get in', async () => {
    const one = await open(1, [], { handshakeTimeoutMs: 60_000, strangersMax: 1 });
    await silentCallers(one, 5, '127.0.0.1');
    const two = await open(2, [one.endpoint], { strangersMax: 1 });
    one.network.setPeer(two.endpoint);
    await until(() => two.seen.count('up 1') === 1 && one.seen.count('up 2') === 1);
  });

  test('callers of one address do not push out those of another', async () => {
    const one = await open(1, [], { handshakeTimeoutMs: 60_000, strangersMax: 4 });
    const [lone] = await silentCallers(one, 1, '127.0.0.2');
    const crowd = await silentCallers(one, 12, '127.0.0.1');
    await until(() => crowd.filter((socket) => socket.closed).length === 9);
    expect(lone?.closed).toBe(false);
  });

  test('one that asks for the members without naming the cluster is told nothing', async () => {
    const one = await open(1, [{ id: 2, host: 'member-host', port: 1 }]);
    const clusterId = OTHER_CLUSTER;
    const answer = await talk(one, encodeGreeting({ kind: 'whoIsThere', clusterId }));
    expect(decodeGreeting(answer)).toMatchObject({ greeting: { kind: 'refused' } });
    expect(answer.toString('latin1')).not.toMatch(new RegExp(`${CLUSTER}|member-host`));
  });

  test('one that names the cluster is told its members', async () => {
    const one = await open(1, [{ id: 2, host: 'h', port: 1 }]);
    const clusterId = CLUSTER;
    const answer = await talk(one, encodeGreeting({ kind: 'whoIsThere', clusterId }));
    expect(decodeGreeting(answer)).toMatchObject({
      greeting: {
        kind: 'members',
        answer: { clusterId: CLUSTER, members: [{ id: 2, host: 'h', port: 1 }] },
      },
    });
  });
});

describe('a peer whose messages make no sense', () => {
  test('is cut off in both directions, refused for a while, then it may come back', async () => {
    const [one, two] = await pair({ mutedMs: 150 });
    one.network.disconnect(2, 'nonsense');
    expect(one.seen.events.at(-1)).toBe('down 2: nonsense');
    await until(() => two.seen.count('refused 1: refused by node 1: it sent too many') > 0);
    await until(() => one.seen.count('up 2') === 2 && two.seen.count('up 1') === 2);
    one.network.send(2, text('again'));
    two.network.send(1, text('again'));
    await until(() => one.seen.frames.length === 1 && two.seen.frames.length === 1);
  });
});

describe('links that fail', () => {
  test('a peer that goes and comes back is dialled again', async () => {
    const [one, two] = await pair();
    two.network.close();
    await until(() => one.seen.count('down 2') === 1);
    expect(one.network.send(2, text('lost'))).toBe(false);
    const again = await open(2, [one.endpoint], {
      listen: { host: '127.0.0.1', port: two.endpoint.port },
    });
    await until(() => one.seen.count('up 2') === 2 && again.seen.count('up 1') === 1);
    expect(one.network.send(2, text('hello'))).toBe(true);
    await until(() => again.seen.frames.length === 1);
    expect(one.network.counters()).toMatchObject([{ reconnects: 1 }]);
  });

  test('a peer that dials us is dialled back at once', async () => {
    const slow = { redialDelayMsMin: 60_000, redialDelayMsMax: 60_000 };
    const probe = await impostor(() => undefined);
    closeLast();
    const one = await open(1, [probe], slow);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const two = await open(2, [one.endpoint], {
      listen: { host: '127.0.0.1', port: probe.port },
    });
    await until(() => one.seen.count('up 2') === 1);
    expect(two.seen.count('up 1')).toBe(1);
  });

  test('a silent dead link is found within the timeout, idle or not', async () => {
    const peer = await impostor((socket) => {
      socket.once('data', () => {
        socket.write(encodeGreeting({ kind: 'accepted', hello: helloOf(2) }));
        socket.resume();
      });
    });
    const one = await open(1, [peer], { linkTimeoutMs: 200 });
    await until(() => one.seen.count('up 2') === 1);
    const sending = setInterval(() => one.network.send(2, text('anybody?')), 10);
    atEnd(() => clearInterval(sending));
    await until(() => one.seen.count('down 2') >= 1);
    expect(one.seen.events[1]).toBe('down 2: no message for 200 ms');
  });

  test('a link that is idle, and one that only sends, stay up', async () => {
    const [one, two] = await pair({ linkTimeoutMs: 100 });
    const sending = setInterval(() => one.network.send(2, text('x')), 5);
    atEnd(() => clearInterval(sending));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(one.seen.events).toEqual(['up 2']);
    expect(two.seen.events).toEqual(['up 1']);
  });

  test('a process that was stopped for a while does not take its own sleep for silence', async () => {
    const [one, two] = await pair({ linkTimeoutMs: 100 });
    const wake = performance.now() + 400;
    while (performance.now() < wake) {
      // The whole process is busy, as in a long garbage collection.
    }
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(one.seen.events).toEqual(['up 2']);
    expect(two.seen.events).toEqual(['up 1']);
  });

  test('a dial that is not answered is given up and tried again', async () => {
    let dials = 0;
    const peer = await impostor(() => {
      dials += 1;
    });
    const one = await open(1, [peer], { handshakeTimeoutMs: 50 });
    await until(() => dials >= 2);
    expect(one.seen.events).toEqual([]);
  });

  test('the pause between dials grows to its maximum', async () => {
    const times: number[] = [];
    const peer = await impostor((socket) => {
      times.push(performance.now());
      socket.destroy();
    });
    await open(1, [peer], { redialDelayMsMin: 10, redialDelayMsMax: 80, jitter: () => 0.999 });
    await until(() => times.length >= 7);
    const pauses = times.slice(1).map((time, index) => time - (times[index] ?? 0));
    expect(pauses[2] ?? 0).toBeGreaterThanOrEqual(35);
    expect(pauses[5] ?? 0).toBeGreaterThanOrEqual(75);
  });

  test('a server of another kind in the place of a peer is refused by name', async () => {
    const peer = await impostor((socket) => socket.end('-ERR unknown command\r\n'));
    const one = await open(1, [peer]);
    await until(() => one.seen.count('refused 2') === 1);
    expect(one.seen.events[0]).toContain('it speaks the Redis protocol');
  });
});

test('a port that is in use is one clear error', async () => {
  const one = await open(1);
  await expect(
    open(2, [], { listen: { host: '127.0.0.1', port: one.endpoint.port } }),
  ).rejects.toMatchObject({
    code: 'HOLO_PORT_IN_USE',
    message:
      `cannot listen on 127.0.0.1:${one.endpoint.port} (peers): the port is in use by another ` +
      'process; stop that process (ss -ltnp shows it), or give another port with --listen-peer',
  });
});

test('close ends everything, tells those who were up, and may be called twice', async () => {
  const [one, two] = await pair();
  one.network.close();
  one.network.close();
  expect(one.seen.events).toEqual(['up 2', 'down 2: this node closed the link']);
  expect(one.network.send(2, text('x'))).toBe(false);
  await until(() => two.seen.count('down 1') === 1);
});
