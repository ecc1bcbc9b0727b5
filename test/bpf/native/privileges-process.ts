/**
 * A process of its own for `privileges.test.ts`: opens a node's frame path, gives up its
 * capabilities, and prints what it can still do as one line of JSON.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { KernelHoloFast } from '../../../bpf/native/holofast.ts';
import { artifactsIn, loadAddon, oneLine } from '../../../bpf/native/native.ts';

const { addon, reason } = loadAddon();
if (addon === undefined) throw new Error(reason);
const fanOut = process.argv[2] === 'clsact' ? 'clsact' : 'tcx';
const loaded = addon.open(artifactsIn().object);
const place = { addon, interfaceName: 'lo', address: '127.0.0.1', port: 0 } as const;
const keys = [Buffer.alloc(16, 1)];

function permitted(): string[] {
  const sets = readdirSync('/proc/self/task').map((task) => {
    const status = readFileSync(`/proc/self/task/${task}/status`, 'latin1');
    return /^CapPrm:\s*(\w+)/m.exec(status)?.[1] ?? '';
  });
  return [...new Set(sets)];
}

function attempt(what: () => void): string {
  try {
    what();
    return 'done';
  } catch (error) {
    return oneLine(error);
  }
}

function open(): KernelHoloFast {
  return KernelHoloFast.open({ ...place, keys, loaded, fanOut, firstGeneration: 1 });
}

let kernel = open();
const left = kernel.dropPrivileges();
const threads = permitted();
const child = spawnSync('grep', ['CapPrm', '/proc/self/status'], { encoding: 'latin1' }).stdout;
const outcome = {
  left,
  threads,
  child: child.split('\t')[1]?.trim(),
  keys: attempt(() => kernel.useKeys([Buffer.alloc(16, 2), ...keys])),
  counters: attempt(() => kernel.counters()),
  reattach: attempt(() => {
    kernel.breakFanOut();
    kernel.reattach();
  }),
  again: attempt(() => {
    kernel.close();
    addon.closeFd(kernel.socket.fd);
    kernel = open();
  }),
  load: attempt(() => addon.close(addon.open(artifactsIn().object))),
};
kernel.close();
console.log(JSON.stringify(outcome));
