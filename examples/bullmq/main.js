/** BullMQ: jobs with delays and retries, a worker at each node. `node main.js JOBS` */
import { Queue, Worker } from 'bullmq';

const ports = process.env.HOLO_PORTS.split(',').map(Number);
const jobs = Number(process.argv[2]);
const at = (i) => ({
  host: '127.0.0.1',
  port: ports[i % ports.length],
  maxRetriesPerRequest: null,
});
const name = `mail-${Date.now()}`;
const done = new Map();
let failures = 0;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});

/** One in ten fails at its first attempt. */
const work = async (job) => {
  if (job.data.n % 10 === 3 && job.attemptsMade === 0) throw new Error('to be tried again');
  return job.data.n;
};

const queue = new Queue(name, { connection: at(0) });
const workers = ports.map((_, i) => new Worker(name, work, { connection: at(i), concurrency: 10 }));
for (const worker of workers) {
  worker.on('completed', ({ data: { n } }) => {
    done.set(n, (done.get(n) ?? 0) + 1);
    if (done.size === jobs) finish();
  });
  worker.on('failed', () => {
    failures += 1;
  });
  worker.on('error', (error) => console.error(error.message));
}
const startedMs = Date.now();
for (let from = 0; from < jobs; from += 100) {
  const bulk = Array.from({ length: Math.min(100, jobs - from) }, (_, i) => ({
    name: 'send',
    data: { n: from + i },
    opts: {
      attempts: 3,
      backoff: { type: 'fixed', delay: 100 },
      delay: (from + i) % 10 === 7 ? 200 : 0,
    },
  }));
  await queue.addBulk(bulk);
}
await finished;
const tookMs = Date.now() - startedMs;
const counts = await queue.getJobCounts('completed', 'failed', 'waiting', 'delayed', 'active');
await Promise.all(workers.map((worker) => worker.close()));
await queue.obliterate({ force: true });
await queue.close();

const repeated = [...done.values()].filter((count) => count > 1).length;
console.log(JSON.stringify({ done: done.size, failures, repeated, counts, tookMs }));
const expected = Math.floor((jobs + 6) / 10);
const isRight = counts.completed === jobs && repeated === 0 && failures === expected;
process.exit(isRight ? 0 : 1);
