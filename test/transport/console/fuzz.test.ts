/**
 * A share of the fuzz of the console's door, and bytes that are no WebSocket behind its upgrade;
 * `fuzz-console.ts` is a command that runs as much as it is told.
 */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import { openConsole, TestConsole } from './console-bench.ts';
import { fuzzConsole } from './fuzz-console.ts';

test('messages of any kind are taken or close their session, and nothing throws', async () => {
  const report = await fuzzConsole(40_000, 1);
  expect(report.accepted).toBeGreaterThan(4_000);
  expect(Object.keys(report.refused).length).toBeGreaterThan(6);
  expect(report.told).toBeGreaterThan(1_000);
  expect(report.heapMbMax).toBeLessThan(512);
});

test('bytes that are no WebSocket close their socket, and harm no console beside them', async () => {
  const { port, server } = await openConsole({ consolesMax: 400 });
  const console = await new TestConsole(port).opened();
  await console.hello();
  console.send({ type: 'subscribe', id: 1, view: 'holofast', args: {} });
  const rng = new SeededRng(7);
  const upgrade =
    `GET /console/socket HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\n` +
    'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';
  for (let round = 0; round < 10; round += 1) {
    const all = Array.from({ length: 30 }, () => {
      const bytes = Buffer.from(
        Array.from({ length: 2 + Math.floor(rng.next() * 200) }, () =>
          Math.floor(rng.next() * 256),
        ),
      );
      return new Promise<void>((resolve) => {
        const socket = connect(port, '127.0.0.1', () => {
          socket.write(upgrade);
          socket.write(bytes);
          // A frame that promises more than comes is given up by its sender here.
          socket.setTimeout(200, () => socket.destroy());
        });
        socket.resume();
        socket.on('error', () => undefined);
        socket.on('close', () => resolve());
      });
    });
    await Promise.all(all);
    expect(await console.view()).toMatchObject({ nodes: {} });
  }
  console.socket.terminate();
  await server.close();
});
