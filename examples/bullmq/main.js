/**
 * BullMQ: jobs with delays and retries, a worker at each node. `node main.js JOBS`
 *
 * With HOLO_FAULTS nodes are killed meanwhile: each job has to be done at least once, and none may
 * be left. Otherwise none may be done twice, either.
 */
import { Queue, Worker } from 'bullmq';

const LOOK_MS = 500;
const ports = process.env.HOLO_PORTS.split(',').map(Number);
const hasFaults = process.env.HOLO_FAULTS !== undefined;
const jobs = Number(process.argv[2]);
const at = (i) => ({
  host: '127.0.0.1',
  port: ports[i % ports.length],
  maxRetriesPerRequest: null,
});
const name = `mail-${Date.now()}`;
const done = new Map();
let failures = 0;
let errors = 0;
let completions = 0;
let finish;
const finished = new Promise((resolve) => {
  finish = resolve;
});

/** One in ten fails at its first attempt. */
const work = async (job) => {
  const { n } = job.data;
  if (n % 10 === 3 && job.attemptsMade === 0) throw new Error('to be tried again');
  done.set(n, (done.get(n) ?? 0) + 1);
  return n;
};

/** A job whose worker has lost its node is soon given to another, however often. */
const shortLocks = { lockDuration: 4_000, stalledInterval: 2_000, maxStalledCount: 1_000 };
const queue = new Queue(name, { connection: at(0) });
const workers = ports.map((_, i) => {
  const options = { connection: at(i), concurrency: 10, ...(hasFaults ? shortLocks : {}) };
  return new Worker(name, work, options);
});
for (const worker of workers) {
  worker.on('completed', () => {
    completions += 1;
    if (completions === jobs && !hasFaults) finish();
  });
  worker.on('failed', () => {
    failures += 1;
  });
  worker.on('error', (error) => {
    errors += 1;
    if (!hasFaults) console.error(error.message);
  });
}
queue.on('error', () => {
  errors += 1;
});

/** Of an answer that did not come nobody knows more: what has a name can be asked for again. */
const sure = async (ask) => {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!hasFaults) throw error;
      errors += 1;
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
  }
};
const counted = () =>
  sure(() => queue.getJobCounts('completed', 'failed', 'waiting', 'delayed', 'active'));

const startedMs = Date.now();
for (let from = 0; from < jobs; from += 100) {
  const bulk = Array.from({ length: Math.min(100, jobs - from) }, (_, i) => ({
    name: 'send',
    data: { n: from + i },
    opts: {
      attempts: hasFaults ? 1_000 : 3,
      backoff: { type: 'fixed', delay: 100 },
      delay: (from + i) % 10 === 7 ? 200 : 0,
      ...(hasFaults ? { jobId: `job-${from + i}` } : {}),
    },
  }));
  await sure(() => queue.addBulk(bulk));
}
if (hasFaults) {
  while ((await counted()).completed < jobs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
} else {
  await finished;
}
const tookMs = Date.now() - startedMs;
const counts = await counted();
const repeated = [...done.values()].filter((count) => count > 1).length;
console.log(JSON.stringify({ done: done.size, failures, repeated, errors, counts, tookMs }));
const expected = Math.floor((jobs + 6) / 10);
const isOnce = repeated === 0 && failures === expected && completions === jobs;
const isRight = counts.completed === jobs && done.size === jobs && (hasFaults || isOnce);
if (hasFaults) process.exit(isRight ? 0 : 1);
await Promise.all(workers.map((worker) => worker.close()));
await queue.obliterate({ force: true });
await queue.close();
process.exit(isRight ? 0 : 1);
