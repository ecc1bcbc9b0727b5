/** Free TCP ports on the loopback address for servers that tests start. */
import { createServer } from 'node:net';

/** Below the range that the system hands out for outgoing connections (Linux: from 32768). */
const PORT_MIN = 20_000;
const PORT_MAX = 32_000;
const TRIES_MAX = 2_000;

/**
 * `count` different ports that were free a moment ago. They are drawn at random: workers of one
 * test run must not find the same ones.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries += 1) {
    if (tries > TRIES_MAX) throw new Error(`no ${count} free ports were found`);
    const port = PORT_MIN + Math.floor(Math.random() * (PORT_MAX - PORT_MIN));
    if (!ports.has(port) && (await isFree(port))) ports.add(port);
  }
  return [...ports];
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((settle) => {
    const server = createServer();
    server.on('error', () => settle(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      server.close(() => settle(true));
    });
  });
}
