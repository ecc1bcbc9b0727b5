/** Bee-Queue: jobs with retries, a worker at each node. `node main.js JOBS` */
import Queue from 'bee-queue';

const ports = process.env.HOLO_PORTS.split(',').map(Number);
const jobs = Number(process.argv[2]);
const name = `mail-${Date.now()}`;
const at = (i, options) =>
  new Queue(name, { redis: { host: '127.0.0.1', port: ports[i % ports.length] }, ...options });
const done = new Map();
let retries = 0;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});

const workers = ports.map((_, i) => at(i, { getEvents: false, sendEvents: false }));
for (const worker of workers) {
  worker.on('retrying', () => {
    retries += 1;
  });
  worker.on('succeeded', ({ data: { n } }) => {
    done.set(n, (done.get(n) ?? 0) + 1);
    if (done.size === jobs) finish();
  });
  worker.on('error', (error) => console.error(error.message));
  worker.process(10, async ({ data: { n }, options: { retries: left } }) => {
    if (n % 10 === 3 && left === 2) throw new Error('to be tried again');
    return n;
  });
}
const queue = at(0, { isWorker: false, getEvents: false });
const startedMs = Date.now();
for (let from = 0; from < jobs; from += 100) {
  const some = Array.from({ length: Math.min(100, jobs - from) }, (_, i) =>
    queue.createJob({ n: from + i }).retries(2),
  );
  const errors = await queue.saveAll(some);
  if (errors.size > 0) throw [...errors.values()][0];
}
await finished;
const tookMs = Date.now() - startedMs;
const { succeeded, failed } = await queue.checkHealth();
await Promise.all([...workers, queue].map((each) => each.close(1_000)));

const repeated = [...done.values()].filter((count) => count > 1).length;
console.log(JSON.stringify({ done: done.size, succeeded, failed, retries, repeated, tookMs }));
const isRight = repeated === 0 && failed === 0 && retries === Math.floor((jobs + 6) / 10);
process.exit(isRight ? 0 : 1);
