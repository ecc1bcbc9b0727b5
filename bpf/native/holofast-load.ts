/**
 * `holofast-load`: the small privileged half for nodes that run without capabilities. Loads the
 * programs, attaches the fan-out, pins everything into a directory of a BPF file system and gives
 * it to a user; the node then opens the pins (`KernelOptions.pinned`). Removing them ends it.
 *
 * holostore holofast-load --interface eth0 --directory /sys/fs/bpf/holofast/n1
 *      --uid 1000 --gid 1000 [--xdp native|generic] [--unload]
 */
import { existsSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Artifacts, artifactsIn, loadAddon, type NativeAddon, oneLine } from './native.ts';

export interface LoadOptions {
  readonly interfaceName: string;
  /** Must not exist yet; its parent must be on a BPF file system. */
  readonly directory: string;
  readonly uid: number;
  readonly gid: number;
  readonly xdp?: 'native' | 'generic';
  readonly artifacts?: Artifacts;
}

/** Throws Error with the operating system's reason; then nothing is pinned. */
export function loadAndPin(addon: NativeAddon, options: LoadOptions): void {
  // Existing pins may be in use: not ours to remove.
  if (existsSync(options.directory)) throw new Error(`${options.directory} exists already`);
  const handle = addon.open((options.artifacts ?? artifactsIn()).object);
  try {
    // Only a link can be pinned; a clsact filter would outlive the pins unseen.
    addon.attachFanOut(handle, options.interfaceName, 0, 'tcx');
    if (options.xdp !== undefined) {
      addon.attachXdp(handle, options.interfaceName, options.xdp === 'generic');
    }
    try {
      addon.pin(handle, options.directory, options.uid, options.gid);
    } catch (error) {
      unpin(options.directory);
      throw error;
    }
  } finally {
    addon.close(handle);
  }
}

/** The pins made by `pin`; addon-kernel.c uses the same names. */
const PIN_NAMES = [
  ...['hf_fan_out', 'hf_fan_in_socket', 'hf_fan_in_xdp', 'fan_out_link', 'xdp_link'],
  ...['groups', 'slots', 'settings', 'counters', 'events'],
];

/**
 * Removes the pins: what no process holds open is detached and unloaded by the kernel. A directory
 * that is not there is done already. Throws Error, and removes nothing, where other files lie.
 */
export function unpin(directory: string): void {
  if (!existsSync(directory)) return;
  const names = readdirSync(directory);
  const strange = names.find((name) => !PIN_NAMES.includes(name));
  if (strange !== undefined) throw new Error(`${directory}/${strange} is not of holofast-load`);
  for (const name of names) unlinkSync(join(directory, name));
  rmdirSync(directory);
}

/** Returns the exit code; throws Error with one line. */
export function runHoloFastLoad(args: readonly string[]): number {
  const { values } = parseArgs({
    args: [...args],
    options: {
      interface: { type: 'string' },
      directory: { type: 'string' },
      uid: { type: 'string', default: '0' },
      gid: { type: 'string', default: '0' },
      xdp: { type: 'string' },
      unload: { type: 'boolean', default: false },
    },
  });
  const { interface: interfaceName, directory, xdp } = values;
  if (directory === undefined) throw new Error('--directory is needed');
  if (values.unload) {
    unpin(directory);
    return 0;
  }
  if (interfaceName === undefined) throw new Error('--interface is needed');
  if (xdp !== undefined && xdp !== 'native' && xdp !== 'generic') {
    throw new Error('--xdp is native or generic');
  }
  const { addon, reason } = loadAddon();
  if (addon === undefined) throw new Error(reason);
  const owner = { uid: Number(values.uid), gid: Number(values.gid) };
  const options: LoadOptions = { interfaceName, directory, ...owner };
  loadAndPin(addon, xdp === undefined ? options : { ...options, xdp });
  return 0;
}

if (process.argv[1] === import.meta.filename) {
  try {
    process.exitCode = runHoloFastLoad(process.argv.slice(2));
  } catch (error) {
    console.error(`holofast-load: ${oneLine(error)}`);
    process.exitCode = 1;
  }
}
