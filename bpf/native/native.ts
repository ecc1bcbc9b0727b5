/**
 * The native addon as TypeScript sees it, and where the built artifacts lie. The only file that
 * loads native code. An addon that is missing or does not load is an answer, not an exception:
 * everything works without it, only slower.
 */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

/** One loaded BPF object; closed by `close`, or with the process. */
export interface KernelHandle {
  readonly __kernelHandle: never;
}

interface SystemFacts {
  readonly kernel: string;
  readonly libbpf: string;
  readonly littleEndian: boolean;
  /** False when the addon was built without uv.h: quorums could not wake the event loop. */
  readonly ringWakes: boolean;
  readonly capNetAdmin: boolean;
  readonly capSysAdmin: boolean;
  readonly capPerfmon: boolean;
  readonly capBpf: boolean;
}

export interface HoloFastCounters {
  readonly fan_outs: number;
  readonly clones: number;
  readonly clone_errors: number;
  readonly votes: number;
  readonly duplicates: number;
  readonly stale: number;
  readonly dropped: number;
  readonly passed: number;
  readonly ring_full: number;
  readonly tampered: number;
  readonly foreign: number;
  readonly quorums: number;
}

/** Datagrams of one `sendBatch`; BATCH_MAX of addon-socket.c. */
export const BATCH_FRAMES_MAX = 64;

export type KernelProgram = 'hf_fan_out' | 'hf_fan_in_socket' | 'hf_fan_in_xdp';

export interface NativeSocket {
  readonly fd: number;
  readonly port: number;
  /** SO_COOKIE, 8 bytes. */
  readonly cookie: Uint8Array;
}

export interface InterfaceInfo {
  readonly index: number;
  readonly mtu: number;
  readonly loopback: boolean;
}

/** Functions throw Error with `code` = errno, unless they are said to return one. */
export interface NativeAddon {
  system(): SystemFacts;
  open(objectPath: string): KernelHandle;
  openPinned(directory: string): KernelHandle;
  /** The same programs and maps, attached nowhere. */
  openAgain(handle: KernelHandle): KernelHandle;
  pin(handle: KernelHandle, directory: string, uid: number, gid: number): void;
  close(handle: KernelHandle): void;
  writeMap(
    handle: KernelHandle,
    map: 'groups' | 'slots' | 'settings',
    key: number,
    value: Uint8Array,
  ): void;
  counters(handle: KernelHandle): HoloFastCounters;
  /** The mapped slots; its views become empty at `close`. */
  slots(handle: KernelHandle): ArrayBuffer;
  testRun(
    handle: KernelHandle,
    program: KernelProgram,
    packet: Uint8Array,
  ): { verdict: number; packet: Uint8Array };
  ids(handle: KernelHandle): { fanOutProgram: number; socketProgram: number; slotsMap: number };
  programAlive(id: number): boolean;
  attachFanOut(
    handle: KernelHandle,
    interfaceName: string,
    clsactHandle: number,
    mode: 'auto' | 'tcx' | 'clsact',
  ): 'tcx' | 'clsact';
  attachXdp(handle: KernelHandle, interfaceName: string, generic: boolean): void;
  attachFanIn(handle: KernelHandle, fd: number): void;
  detachFanIn(fd: number): void;
  detach(handle: KernelHandle): void;
  breakFanOut(handle: KernelHandle): void;
  onEvents(handle: KernelHandle, batch: ArrayBuffer, callback: (count: number) => void): void;
  drainEvents(handle: KernelHandle, batch: ArrayBuffer): number;
  udpSocket(address: string, port: number, receiveBytes: number, sendBytes: number): NativeSocket;
  closeFd(fd: number): void;
  /** Bytes sent, or a negative errno. */
  sendTo(fd: number, frame: Uint8Array, length: number, to: Uint8Array): number;
  /** Datagrams sent (`to` holds `count` sockaddr_in), or a negative errno when none was. */
  sendMany(fd: number, frame: Uint8Array, length: number, to: Uint8Array, count: number): number;
  /**
   * Datagrams sent of `count` (at most BATCH_FRAMES_MAX), or a negative errno when none was. They
   * lie one behind the other in `frames`, each with its length (u32 of this machine) and
   * sockaddr_in.
   */
  sendBatch(
    fd: number,
    frames: Uint8Array,
    lengths: Uint8Array,
    to: Uint8Array,
    count: number,
  ): number;
  receive(
    fd: number,
    buffer: Uint8Array,
    waitMs: number,
  ): { length: number; address: string; port: number } | undefined;
  interfaceInfo(name: string): InterfaceInfo;
  /**
   * Gives up, in all threads of the process, what loading and attaching need. How many threads have
   * not followed yet: it is to be called again. -1: nothing was given up, this kernel asks for it
   * when the maps of `handle` are written. Without a handle nothing is kept.
   */
  dropPrivileges(handle: KernelHandle | undefined): number;
}

export interface Artifacts {
  readonly addon: string;
  readonly object: string;
}

/** `dist/bpf` of this checkout or package, whether this file runs from there or from source. */
export function builtDirectory(): string {
  const room = dirname(import.meta.dirname);
  const inDist = basename(dirname(room)) === 'dist';
  return inDist ? room : join(dirname(room), 'dist', 'bpf');
}

export function artifactsIn(directory: string = builtDirectory()): Artifacts {
  return {
    addon: join(directory, 'holofast.node'),
    object: join(directory, 'holofast.bpf.o'),
  };
}

type AddonResult =
  | { readonly addon: NativeAddon; readonly reason: undefined }
  | { readonly addon: undefined; readonly reason: string };

export function loadAddon(artifacts: Artifacts = artifactsIn()): AddonResult {
  if (process.platform !== 'linux') {
    return { addon: undefined, reason: `HoloFast needs Linux, not ${process.platform}` };
  }
  if (!existsSync(artifacts.addon)) {
    return {
      addon: undefined,
      reason: 'the native addon is not built (node --import tsx bpf/native/build.ts)',
    };
  }
  try {
    const addon: NativeAddon = createRequire(import.meta.url)(artifacts.addon);
    return { addon, reason: undefined };
  } catch (error) {
    return { addon: undefined, reason: `the native addon does not load: ${oneLine(error)}` };
  }
}

/** An error as one line: what failed, and the last line of the kernel's log when there is one. */
export function oneLine(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  const first = lines[0] ?? 'unknown error';
  const last = lines.at(-1) ?? '';
  return last === first ? first : `${first} (${last.trim()})`;
}
