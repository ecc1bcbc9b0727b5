import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { httpGet } from '../../../transport/http/http-get.ts';

const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0)) {
    close();
  }
});

async function listen(server: Server): Promise<{ host: string; port: number }> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  closers.push(() => {
    server.close();
    for (const socket of sockets) {
      socket.destroy();
    }
  });
  await new Promise<void>((settle) => server.listen(0, '127.0.0.1', settle));
  const address = server.address();
  return { host: '127.0.0.1', port: typeof address === 'object' ? (address?.port ?? 0) : 0 };
}

test('status and body of an answer, whatever the status', async () => {
  const place = await listen(
    createHttpServer((request, response) => {
      response.statusCode = request.url === '/yes' ? 200 : 503;
      response.end(`asked ${request.url} of ${request.headers.host}`);
    }),
  );
  const body = `asked /yes of 127.0.0.1:${place.port}`;
  expect(await httpGet(place, '/yes', 1000)).toMatchObject({ status: 200, body });
  expect(await httpGet(place, '/no', 1000)).toMatchObject({ status: 503 });
});

test('a server that does not answer, answers too much, or does not speak HTTP', async () => {
  const silent = await listen(createServer(() => undefined));
  await expect(httpGet(silent, '/', 50)).rejects.toThrow(
    `127.0.0.1:${silent.port}: no answer within 50 ms`,
  );
  const loud = await listen(createHttpServer((_, response) => response.end('x'.repeat(5000))));
  await expect(httpGet(loud, '/', 1000, { bytesMax: 100 })).rejects.toThrow(
    'longer than 100 bytes',
  );
  const redis = await listen(createServer((socket) => socket.end('-ERR unknown command\r\n')));
  await expect(httpGet(redis, '/', 1000)).rejects.toThrow('not the admin port of a node');
  await expect(httpGet({ host: '127.0.0.1', port: 1 }, '/', 1000)).rejects.toThrow(
    '127.0.0.1:1: nothing listens there',
  );
});
