/**
 * A disk that is really slow: a process beside the cluster writes and syncs as much as the disk
 * takes, in the same file system. All nodes on the machine are slowed; slowing the disk of one node
 * alone needs privileges, and is left to the simulator. Measures its own effect.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

const PROBES = 15;
const PROBE_BYTES = 4096;

/** Rewrites one file in place, so that the disk does not fill up. */
const HOG = `
const { openSync, writeSync, fdatasyncSync } = require('node:fs');
const { Worker, isMainThread, workerData } = require('node:worker_threads');
if (isMainThread) {
  for (let at = 0; at < 3; at += 1) {
    const workerData = process.argv[1] + '/hog-' + at;
    new Worker(process.env.HOG_SOURCE, { eval: true, workerData });
  }
  process.stdin.on('end', () => process.exit()).resume();
} else {
  const block = Buffer.alloc(4 * 1024 * 1024, 1);
  const file = openSync(workerData, 'w');
  for (let turn = 0; ; turn += 1) {
    writeSync(file, block, 0, block.length, (turn % 16) * block.length);
    fdatasyncSync(file);
  }
}
`;

export class DiskHog {
  readonly #folder: string;
  #process: ChildProcess | undefined;

  constructor(directory: string) {
    this.#folder = join(directory, 'hog');
    mkdirSync(this.#folder, { recursive: true });
  }

  start(): void {
    this.#process = spawn(process.execPath, ['--eval', HOG, this.#folder], {
      stdio: ['pipe', 'ignore', 'inherit'],
      env: { ...process.env, HOG_SOURCE: HOG },
    });
    this.#process.stdin?.on('error', () => undefined);
  }

  async stop(): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    this.#process = undefined;
    const gone = new Promise((settle) => child.once('exit', settle));
    child.kill('SIGKILL');
    await gone;
  }

  /** Median of a few small synced writes, in milliseconds. */
  async probeMs(): Promise<number> {
    const file = await open(join(this.#folder, 'probe'), 'w');
    const block = Buffer.alloc(PROBE_BYTES, 1);
    const times: number[] = [];
    try {
      for (let at = 0; at < PROBES; at += 1) {
        const start = performance.now();
        await file.write(block, 0, PROBE_BYTES, at * PROBE_BYTES);
        await file.datasync();
        times.push(performance.now() - start);
      }
    } finally {
      await file.close();
    }
    return times.sort((a, b) => a - b)[PROBES >> 1] ?? 0;
  }
}
