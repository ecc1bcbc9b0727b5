/** Socket.IO with its Redis adapter: a server at each node, rooms over all. `node main.js MESSAGES` */
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAdapter } from '@socket.io/redis-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';

const ports = process.env.HOLO_PORTS.split(',').map(Number);
const messages = Number(process.argv[2]);
const startedMs = Date.now();
const heard = [];

async function serve(port) {
  const [publisher, subscriber] = await Promise.all(
    [0, 1].map(() => createClient({ url: `redis://127.0.0.1:${port}` }).connect()),
  );
  const http = createServer();
  const server = new Server(http, { adapter: createAdapter(publisher, subscriber) });
  server.on('connection', (socket) => socket.join('news'));
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  return { server, port: http.address().port };
}

const servers = await Promise.all(ports.map(serve));
const clients = servers.map(({ port }) =>
  io(`http://127.0.0.1:${port}`, { transports: ['websocket'] }),
);
await Promise.all(
  clients.map((client, i) => {
    heard[i] = [];
    client.on('message', (n) => heard[i].push(n));
    return new Promise((resolve) => client.on('connect', resolve));
  }),
);
// A server hears of the rooms of others when they answer.
const sockets = await servers[0].server.fetchSockets();
for (let n = 0; n < messages; n += 1) {
  servers[n % servers.length].server.to('news').emit('message', n);
  if (n % 50 === 49) await sleep(1);
}
const untilMs = Date.now() + 10_000;
while (heard.some(({ length }) => length < messages) && Date.now() < untilMs) await sleep(20);
const counts = heard.map((all) => new Set(all).size);
console.log(JSON.stringify({ sockets: sockets.length, counts, tookMs: Date.now() - startedMs }));
const isRight =
  sockets.length === ports.length &&
  heard.every((all) => all.length === messages && new Set(all).size === messages);
process.exit(isRight ? 0 : 1);
