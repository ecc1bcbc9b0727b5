/** Parts of benchmarks that compare with Redis: the machine in one line, and a Redis that syncs. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../cluster/client.ts';
import { DiskHog } from '../cluster/disk-hog.ts';
import { HOST } from '../cluster/harness.ts';
import { freePorts } from '../cluster/ports.ts';

export async function describeMachine(directory: string): Promise<void> {
  const [cpu] = cpus();
  const memory = (totalmem() / 2 ** 30).toFixed();
  const folder = mkdtempSync(join(directory, 'holo-bench-probe-'));
  const syncMs = (await new DiskHog(folder).probeMs()).toFixed(2);
  rmSync(folder, { recursive: true, force: true });
  console.log(
    `${new Date().toISOString()}; ${cpus().length} x ${cpu?.model}; ${memory} GiB; ` +
      `Linux ${release()}; Node ${process.version}; write + fdatasync of 4 KiB: ${syncMs} ms`,
  );
}

export interface SyncedRedis {
  readonly port: number;
  readonly pid: number;
  stop(): Promise<void>;
}

/** One that syncs every write before its reply. */
export async function startSyncedRedis(
  directory: string,
  more: readonly string[] = [],
): Promise<SyncedRedis> {
  const folder = mkdtempSync(join(directory, 'holo-bench-redis-'));
  const [port = 0] = await freePorts(1);
  const flags = ['--appendonly', 'yes', '--appendfsync', 'always', '--save', ''];
  const place = ['--port', String(port), '--bind', HOST, '--dir', folder];
  const server = spawn('redis-server', [...place, ...flags, ...more], { stdio: 'ignore' });
  const stop = async (): Promise<void> => {
    const gone = new Promise((settle) => server.once('exit', settle));
    server.kill('SIGTERM');
    await gone;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await answers(port);
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, pid: server.pid ?? 0, stop };
}

async function answers(port: number): Promise<void> {
  const client = new Client({ port });
  for (let tries = 0; (await client.run('PING')).type !== 'ok'; tries += 1) {
    if (tries > 100) throw new Error(`nothing answers on port ${port}`);
    await sleep(50);
  }
  client.close();
}
