import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { confirmMembership } from '../../../actors/process/membership-inquiry.ts';
import { TcpNetwork } from '../../../transport/peer/tcp-network.ts';

const clusterId = 'aa'.repeat(16);
const formedId = 'dd'.repeat(16);
const members = [
  { id: 1, host: 'a', port: 1 },
  { id: 2, host: 'b', port: 2 },
];
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) {
    close();
  }
});

async function listen(server: Server): Promise<number> {
  closers.push(() => server.close());
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function confirm(port: number, changes: { nodeId?: number; clusterId?: string } = {}) {
  return confirmMembership({
    seed: { host: '127.0.0.1', port },
    nodeId: 2,
    clusterId,
    timeoutMs: 150,
    pauseMs: 20,
    ...changes,
  });
}

async function peerPort(): Promise<number> {
  const network = new TcpNetwork({
    self: {
      ...{ clusterId, nodeId: 1, diskId: '11'.repeat(16), incarnation: 1 },
      ...{ unitWriteBytesMax: 1, formedId },
      passwordProof: '00'.repeat(16),
      scriptMachine: 'aa'.repeat(16),
    },
    listen: { host: '127.0.0.1', port: 0 },
    members: members.slice(1).concat({ id: 1, host: 'a', port: 1 }),
    verifyPeer: () => undefined,
    log: { warn: () => undefined },
    jitter: () => 0,
  });
  closers.push(() => network.close());
  network.start({
    onFrame: () => undefined,
    onUp: () => undefined,
    onDown: () => undefined,
    onRefused: () => undefined,
  });
  return (await network.listening()).port;
}

test('a member is confirmed by a peer port and by an admin port', async () => {
  await confirm(await peerPort());
  const admin = createHttpServer((_request, response) => {
    response.end(JSON.stringify({ clusterId, members }));
  });
  await confirm(await listen(admin));
});

test('a node that is not listed is told who is', async () => {
  await expect(confirm(await peerPort(), { nodeId: 4 })).rejects.toMatchObject({
    code: 'HOLO_JOIN_NOT_A_MEMBER',
    message: expect.stringContaining('2@b:2,1@a:1; membership is fixed'),
  });
});

test('other members than those of the cluster', async () => {
  await expect(confirm(await peerPort(), { clusterId: 'bb'.repeat(16) })).rejects.toMatchObject({
    code: 'HOLO_JOIN_OTHER_CLUSTER',
  });
});

test('a seed that is not there, or something else, after a while', async () => {
  await expect(confirm(1)).rejects.toMatchObject({ code: 'HOLO_JOIN_UNREACHABLE' });
  const redis = createServer((socket) => socket.end('-ERR unknown command\r\n'));
  await expect(confirm(await listen(redis))).rejects.toMatchObject({
    code: 'HOLO_JOIN_UNREACHABLE',
    message: expect.stringContaining('no peer or admin port'),
  });
});
