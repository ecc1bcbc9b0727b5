import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test, vi } from 'vitest';
import { encodeGreeting } from '../../transport/peer/handshake.ts';
import { HOST } from './harness.ts';
import { LinkProxies } from './link-proxy.ts';

const id = '00'.repeat(16);
const HELLO = encodeGreeting({
  kind: 'hello',
  hello: {
    clusterId: id,
    nodeId: 1,
    diskId: id,
    incarnation: 1,
    unitWriteBytesMax: 1,
    formedId: id,
    passwordProof: id,
    scriptMachine: id,
  },
  target: 2,
});

let proxies: LinkProxies;
let server: Server;
const callers: Socket[] = [];

afterEach(() => {
  for (const caller of callers.splice(0)) caller.destroy();
  proxies?.close();
  server?.close();
});

/** Node 1 calls node 2 through a proxy. Both ends, and what each has received. */
async function link() {
  proxies = new LinkProxies();
  const accepted: { socket: Socket; received: string; ended: boolean }[] = [];
  server = createServer((socket) => {
    const end = { socket, received: '', ended: false };
    socket.on('data', (chunk) => {
      end.received += chunk.toString('latin1');
    });
    socket.on('end', () => {
      end.ended = true;
    });
    accepted.push(end);
  });
  await new Promise<void>((settle) => server.listen(0, HOST, settle));
  const address = server.address();
  const behind = typeof address === 'object' && address !== null ? address.port : 0;
  const port = await proxies.inFrontOf(2, behind);
  const call = (): { socket: Socket; received: () => string } => {
    const socket = connect({ host: HOST, port });
    callers.push(socket);
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.write(HELLO);
    return { socket, received: () => received };
  };
  return { accepted, call };
}

function pause(): Promise<void> {
  return new Promise((settle) => setTimeout(settle, 50));
}

const GREETED = HELLO.toString('latin1');

test('passes everything on in both directions', async () => {
  const { accepted, call } = await link();
  const { socket, received } = call();
  socket.write('there');
  await vi.waitFor(() => expect(accepted[0]?.received).toBe(`${GREETED}there`));
  accepted[0]?.socket.write('and back');
  await vi.waitFor(() => expect(received()).toBe('and back'));
  expect(proxies.heldBytes).toBe(0);
});

test('holds one direction back, and hands it over in order when it heals', async () => {
  const { accepted, call } = await link();
  const { socket, received } = call();
  await vi.waitFor(() => expect(accepted[0]?.received).toBe(GREETED));
  proxies.cut(1, 2);
  socket.write('a');
  socket.write('b');
  accepted[0]?.socket.write('the other way');
  await vi.waitFor(() => expect(received()).toBe('the other way'));
  await pause();
  expect(accepted[0]?.received).toBe(GREETED);
  expect(proxies.heldBytes).toBeGreaterThan(0);
  proxies.heal();
  socket.write('c');
  await vi.waitFor(() => expect(accepted[0]?.received).toBe(`${GREETED}abc`));
});

test('neither a call nor the end of one passes a cut', async () => {
  const { accepted, call } = await link();
  const { socket } = call();
  await vi.waitFor(() => expect(accepted[0]?.received).toBe(GREETED));
  proxies.cut(1, 2);
  socket.end('last words');
  call();
  await pause();
  expect(accepted[0]?.ended).toBe(false);
  expect(accepted.slice(1).every(({ received }) => received === '')).toBe(true);
  proxies.heal();
  await vi.waitFor(() => expect(accepted[0]?.ended).toBe(true));
  expect(accepted[0]?.received).toBe(`${GREETED}last words`);
  await vi.waitFor(() => expect(accepted[1]?.received).toBe(GREETED));
});

test('datagrams come from the proxy of their sender, and do not pass a cut', async () => {
  proxies = new LinkProxies();
  server = createServer();
  const sockets: DatagramSocket[] = [];
  const received: { text: string; port: number }[] = [];
  const ports: number[] = [];
  for (const node of [1, 2]) {
    const socket = createSocket('udp4');
    sockets.push(socket);
    socket.bind(0, HOST);
    await once(socket, 'listening');
    ports.push(await proxies.inFrontOf(node, socket.address().port));
  }
  const [first, second] = sockets;
  const [firstPort, secondPort] = ports;
  second?.on('message', (bytes, { port }) => received.push({ text: String(bytes), port }));
  first?.send('seen', secondPort, HOST);
  const seen = { text: 'seen', port: firstPort };
  await vi.waitFor(() => expect(received).toEqual([seen]));
  proxies.cut(1, 2);
  first?.send('lost', secondPort, HOST);
  await vi.waitFor(() => expect(proxies.heldBytes).toBe(4));
  proxies.heal();
  await pause();
  expect(received).toEqual([seen]);
  for (const socket of sockets) socket.close();
});
