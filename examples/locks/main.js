/**
 * Locks of redlock and limits of rate-limiter-flexible, by clients at all nodes: how often a lock
 * was held, and that it never had two holders; that no limit was exceeded.
 *
 *   npm ci && HOLO_PORTS=16379,16380,16381 node main.js SECONDS
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import Redlock from 'redlock';

const LOCK_MS = 3_000;
const WORKERS_PER_NODE = 3;
const POINTS = 20;
const WINDOW_SECONDS = 2;
const seconds = Number(process.argv[2] ?? 5);
const run = process.pid;
const untilMs = Date.now() + seconds * 1_000;

const clients = (process.env.HOLO_PORTS ?? '6379').split(',').map((port) => {
  const client = new Redis(Number(port), '127.0.0.1', {
    maxRetriesPerRequest: 0,
    commandTimeout: 1_500,
    retryStrategy: () => 100,
  });
  client.on('error', () => undefined);
  return client;
});

let holder;
const found = { held: 0, twice: 0, failed: 0, granted: 0, limited: 0, exceeded: 0 };

/** Whatever else happens, a lock is used only as long as it surely is held. */
async function hold(redlock, worker) {
  const beganMs = Date.now();
  const lock = await redlock.acquire([`lock:${run}`], LOCK_MS);
  if (Date.now() - beganMs > LOCK_MS / 2) return lock.release();
  if (holder !== undefined) found.twice += 1;
  holder = worker;
  await sleep(1 + Math.random() * 5);
  if (holder !== worker) found.twice += 1;
  holder = undefined;
  found.held += 1;
  return lock.release();
}

async function work(client, worker) {
  const redlock = new Redlock([client], { retryCount: 20, retryDelay: 30, retryJitter: 20 });
  redlock.on('error', () => undefined);
  while (Date.now() < untilMs) {
    await hold(redlock, worker).catch(() => {
      found.failed += 1;
    });
  }
}

/** Grants by the window in which the server has counted them: no window has more than its points. */
async function limit(client) {
  const limiter = new RateLimiterRedis({
    storeClient: client,
    keyPrefix: `limit:${run}`,
    points: POINTS,
    duration: WINDOW_SECONDS,
  });
  while (Date.now() < untilMs) {
    await limiter.consume('all').then(
      ({ consumedPoints }) => {
        found.granted += 1;
        if (consumedPoints > POINTS) found.exceeded += 1;
      },
      (reason) => {
        if (reason instanceof Error) found.failed += 1;
        else found.limited += 1;
      },
    );
    await sleep(20);
  }
}

const works = clients.flatMap((client, node) => [
  ...Array.from({ length: WORKERS_PER_NODE }, (_, i) => work(client, `${node}:${i}`)),
  limit(client),
]);
await Promise.all(works);
// Each window lets so many through; the first and the last one are cut.
const grantedMax = POINTS * (Math.ceil(seconds / WINDOW_SECONDS) + 1);
if (found.granted > grantedMax) found.exceeded += found.granted - grantedMax;
for (const client of clients) client.disconnect();
const isWell = found.twice === 0 && found.exceeded === 0 && found.held > 0 && found.granted > 0;
console.log(JSON.stringify({ library: 'redlock, rate-limiter-flexible', ...found }));
process.exitCode = isWell ? 0 : 1;
