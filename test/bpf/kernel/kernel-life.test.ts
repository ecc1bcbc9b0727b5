/** Nothing outlives the process but what was pinned; and pins serve a node without privileges. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { KernelHoloFast } from '../../../bpf/native/holofast.ts';
import { loadAndPin, unpin } from '../../../bpf/native/holofast-load.ts';
import { artifactsIn, type NativeAddon } from '../../../bpf/native/native.ts';
import type { CoordinatorPlan } from '../children/coordinator.ts';
import { startEchoPeer, stopChild, waitForLine } from '../native-helpers.ts';
import { kernelSupport, keyBytes } from '../support.ts';

const { addon, reason } = kernelSupport();
const coordinatorScript = join(import.meta.dirname, '../children/coordinator.ts');
const nobody = 65_534;
const children: ChildProcess[] = [];

function coordinator(fields: Partial<CoordinatorPlan>, options: object = {}): ChildProcess {
  const plan: CoordinatorPlan = {
    interfaceName: 'lo',
    address: '127.0.0.1',
    port: 0,
    members: [],
    rounds: 0,
    need: 1,
    bodyBytes: 0,
    ...fields,
  };
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', coordinatorScript, JSON.stringify(plan)],
    { stdio: ['ignore', 'pipe', 'inherit'], ...options },
  );
  children.push(child);
  return child;
}

async function eventually(condition: () => boolean): Promise<boolean> {
  for (let i = 0; i < 300 && !condition(); i += 1) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return condition();
}

afterEach(async () => {
  for (const child of children.splice(0)) await stopChild(child, 'SIGKILL');
});

describe.skipIf(addon === undefined)(`life ${reason ?? ''}`, () => {
  const native = addon as NativeAddon;

  test.each(['SIGKILL', 'SIGTERM'] as const)('%s: programs and links are gone', async (signal) => {
    const child = coordinator({ hold: true });
    const { program }: { program: number } = JSON.parse(await waitForLine(child, '{'));
    expect(native.programAlive(program)).toBe(true);
    await stopChild(child, signal);
    expect(await eventually(() => !native.programAlive(program))).toBe(true);
  });

  test('close: programs and links are gone, also when called twice', async () => {
    const kernel = KernelHoloFast.open({
      addon: native,
      interfaceName: 'lo',
      address: '127.0.0.1',
      port: 0,
      keys: [keyBytes],
      firstGeneration: 1,
    });
    const program = kernel.fanOutProgramId();
    kernel.close();
    kernel.close();
    native.closeFd(kernel.socket.fd);
    expect(await eventually(() => !native.programAlive(program))).toBe(true);
    expect(() => kernel.counters()).toThrow(/closed/);
  });

  test('loads while a profiler interrupts the process many times per millisecond', async () => {
    const { addon: native, object } = artifactsIn();
    const main = `
      const addon = require(${JSON.stringify(native)});
      for (let i = 0; i < 5; i += 1) addon.close(addon.open(${JSON.stringify(object)}));
      console.log('loaded');`;
    const directory = mkdtempSync(join(tmpdir(), 'holofast-profile-'));
    const profiler = ['--cpu-prof', '--cpu-prof-interval=100', `--cpu-prof-dir=${directory}`];
    const ended = spawnSync(process.execPath, [...profiler, '-e', main], { encoding: 'utf8' });
    rmSync(directory, { recursive: true, force: true });
    expect(ended).toMatchObject({ stdout: 'loaded\n', stderr: '', status: 0 });
  });

  test('a worker thread that is terminated takes its kernel part with it', async () => {
    const worker = `
      const addon = require(${JSON.stringify(artifactsIn().addon)});
      const handle = addon.open(${JSON.stringify(artifactsIn().object)});
      addon.attachFanOut(handle, 'lo', 1, 'tcx');
      addon.onEvents(handle, new ArrayBuffer(3200), () => {});
      require('node:worker_threads').parentPort.postMessage(addon.ids(handle).fanOutProgram);
      setInterval(() => addon.slots(handle), 1);`;
    const main = `
      const { Worker } = require('node:worker_threads');
      const worker = new Worker(${JSON.stringify(worker)}, { eval: true });
      worker.on('message', async (id) => {
        await worker.terminate();
        console.log('program ' + id);
        setInterval(() => {}, 1000);
      });`;
    const child = spawn(process.execPath, ['-e', main], { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    const line = await waitForLine(child, 'program');
    const program = Number(line.split(' ')[1]);
    expect(program).toBeGreaterThan(0);
    expect(await eventually(() => !native.programAlive(program))).toBe(true);
    expect(child.exitCode).toBeNull();
  });

  test('pinned by the loader, used by a process without any capability', async () => {
    const mount = mkdtempSync(join(tmpdir(), 'holofast-pins-'));
    const mounted = spawnSync('mount', ['-t', 'bpf', 'bpf', mount]).status === 0;
    if (!mounted) {
      rmdirSync(mount);
      console.log('skipped: a BPF file system cannot be mounted here');
      return;
    }
    chmodSync(mount, 0o755);
    const directory = join(mount, 'node');
    try {
      loadAndPin(native, { interfaceName: 'lo', directory, uid: nobody, gid: nobody });
      expect(readdirSync(directory)).toContain('fan_out_link');
      const members = [];
      for (const sender of [1, 2]) {
        const peer = { sender, address: '127.0.0.1', port: 7410 + sender };
        children.push((await startEchoPeer(peer, keyBytes)).child);
        members.push(peer);
      }
      const plan = { pinned: directory, members, rounds: 50, need: 2, port: 7410 };
      const child = coordinator(plan, {
        uid: nobody,
        gid: nobody,
        env: {},
      });
      const report = JSON.parse(await waitForLine(child, '{'));
      expect(report).toMatchObject({
        fanOut: 'pinned',
        outcome: { quorums: 50, lost: 0, wrong: 0, sends: { fannedOut: 50 } },
      });
      // A second load into the same directory is refused, and does not harm the first.
      const again = { interfaceName: 'lo', directory, uid: 0, gid: 0 };
      expect(() => loadAndPin(native, again)).toThrow(/exists already/);
      expect(readdirSync(directory)).toContain('fan_out_link');
    } finally {
      unpin(directory);
      expect(existsSync(directory)).toBe(false);
      spawnSync('umount', [mount]);
      rmdirSync(mount);
    }
  });
});
