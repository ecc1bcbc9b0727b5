/**
 * The typed face of the kernel part: one node's programs, groups, socket and quorum notifier. The
 * node opens it when the probe says tier 2, hands its socket to a UdpLink, and closes it. It may
 * stop working at any moment: `sendRound` says so, and the caller sends the same frame by hand.
 * Never decides anything about a round, and never keeps a process alive by itself.
 */

import { KernelQuorumNotifier, type QuorumSlot } from '../count/quorum-notifier.ts';
import { FRAME_FLAG, FRAME_HEADER_BYTES } from '../frame/frame.ts';
import {
  EVENT_LAYOUT,
  encodeGroup,
  encodeSettings,
  GROUPS_MAX,
  type GroupMember,
  socketAddress,
} from '../frame/layout.ts';
import {
  type Artifacts,
  artifactsIn,
  type HoloFastCounters,
  type InterfaceInfo,
  type KernelHandle,
  type NativeAddon,
  type NativeSocket,
} from './native.ts';
import { openSocket } from './native-socket.ts';
import { readNeighbours } from './neighbours.ts';

/** Events per JavaScript call; what is left wakes again. */
const EVENT_BATCH_MAX = 1024;
const FLAGS_OFFSET = 6;
const UDP_AND_IP_HEADER_BYTES = 28;
const LOOPBACK_FRAME_BYTES_MAX = 60_000;
const ERRNO_MESSAGE_SIZE = 90;

type FanIn = 'socket' | 'xdp' | 'xdp-generic';
type FanOut = 'auto' | 'tcx' | 'clsact';

export interface KernelOptions {
  readonly addon: NativeAddon;
  readonly artifacts?: Artifacts;
  /** Open what `holofast-load` has pinned here instead of loading: needs no capability. */
  readonly pinned?: string;
  /** Open what the process has loaded before instead of loading: needs no capability. */
  readonly loaded?: KernelHandle;
  /** The interface that the members are reached by; `lo` when all nodes share a machine. */
  readonly interfaceName: string;
  /** The node's own UDP address; port 0 lets the kernel choose. */
  readonly address: string;
  readonly port: number;
  /** Keys of tags that are valid, 16 bytes each: one, or two while they are changed. */
  readonly keys: readonly Uint8Array[];
  readonly fanIn?: FanIn;
  readonly fanOut?: FanOut;
  /** See `firstGenerationAt`. */
  readonly firstGeneration: number;
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
}

/**
 * fannedOut: the kernel has sent it to every member. absent: the fast path is not there, send by
 * hand. tooLarge: does not fit a datagram of this interface. busy: the socket's buffer is full.
 */
type RoundSend = 'fannedOut' | 'absent' | 'tooLarge' | 'busy';

interface Group {
  readonly members: readonly GroupMember[];
  /** False while a member's Ethernet address is not known. */
  ready: boolean;
  /** The last value written; undefined before the first. */
  written: string | undefined;
  /** By position; empty on loopback. */
  macs: readonly (string | undefined)[];
}

export class KernelHoloFast {
  readonly notifier: KernelQuorumNotifier;
  /** The node's UDP socket, for `dgram` (`bind({fd})`), which then owns and closes it. */
  readonly socket: NativeSocket;
  readonly fanOut: 'tcx' | 'clsact' | 'pinned';
  /** The largest frame that is fanned out whole. */
  readonly frameBytesMax: number;
  readonly #addon: NativeAddon;
  readonly #handle: KernelHandle;
  readonly #options: KernelOptions;
  readonly #interface: InterfaceInfo;
  readonly #groups = new Map<number, Group>();
  readonly #destination: Uint8Array;
  readonly #batch = new ArrayBuffer(EVENT_BATCH_MAX * EVENT_LAYOUT.bytes);
  readonly #events = new DataView(this.#batch);
  #socketLeft = false;
  #closed = false;

  /** Throws Error with the operating system's reason; nothing stays behind then. */
  static open(options: KernelOptions): KernelHoloFast {
    const handle = handleOf(options);
    const { addon } = options;
    try {
      return new KernelHoloFast(options, handle);
    } catch (error) {
      addon.close(handle);
      throw error;
    }
  }

  private constructor(options: KernelOptions, handle: KernelHandle) {
    const { addon, receiveBufferBytes = 0, sendBufferBytes = 0 } = options;
    this.#addon = addon;
    this.#handle = handle;
    this.#options = options;
    this.#interface = addon.interfaceInfo(options.interfaceName);
    this.frameBytesMax = this.#interface.loopback
      ? LOOPBACK_FRAME_BYTES_MAX
      : this.#interface.mtu - UDP_AND_IP_HEADER_BYTES;
    this.socket = openSocket(addon, options, receiveBufferBytes, sendBufferBytes);
    try {
      this.#destination = virtualDestination(this.#interface.loopback, this.socket.port);
      this.useKeys(options.keys);
      this.notifier = new KernelQuorumNotifier(addon.slots(handle), options.firstGeneration);
      this.fanOut = this.#attach();
      addon.onEvents(handle, this.#batch, (count) => this.notifier.takeEvents(this.#events, count));
    } catch (error) {
      addon.closeFd(this.socket.fd);
      throw error;
    }
  }

  /** Both are valid from now on; a vote that is judged meanwhile comes up to user space. */
  useKeys(keys: readonly Uint8Array[]): void {
    const settings = encodeSettings(keys, this.#options.address, this.socket.port);
    this.#addon.writeMap(this.#handle, 'settings', 0, settings);
  }

  #attach(): 'tcx' | 'clsact' | 'pinned' {
    const { fanIn = 'socket', pinned } = this.#options;
    if (fanIn === 'socket') this.#addon.attachFanIn(this.#handle, this.socket.fd);
    // The loader attached the rest: a process without capabilities could not.
    return pinned !== undefined ? 'pinned' : this.#attachToInterface();
  }

  #attachToInterface(): 'tcx' | 'clsact' {
    const { interfaceName, fanIn = 'socket', fanOut = 'auto' } = this.#options;
    if (fanIn !== 'socket') {
      this.#addon.attachXdp(this.#handle, interfaceName, fanIn === 'xdp-generic');
    }
    // The port makes the clsact filter's handle unique among the nodes of one machine.
    return this.#addon.attachFanOut(this.#handle, interfaceName, this.socket.port, fanOut);
  }

  /**
   * Sets the members of a group (not the node itself). True when rounds can be fanned out to it;
   * else a member's Ethernet address is not known yet: send it something, then refresh. Throws
   * RangeError for more than 8 members, or a bad id or address.
   */
  setGroup(id: number, members: readonly GroupMember[]): boolean {
    if (!Number.isInteger(id) || id < 0 || id >= GROUPS_MAX) {
      throw new RangeError(`a group id is in 0..${GROUPS_MAX - 1}, not ${id}`);
    }
    const group: Group = { members, ready: false, written: undefined, macs: [] };
    this.#groups.set(id, group);
    this.#writeGroup(id, group, this.#readNeighbours());
    return group.ready;
  }

  /** Reads the neighbour table again and corrects groups; how many groups are ready. */
  refreshNeighbours(): number {
    const neighbours = this.#readNeighbours();
    let ready = 0;
    for (const [id, group] of this.#groups) {
      if (neighbours !== undefined) this.#writeGroup(id, group, neighbours);
      if (group.ready) ready += 1;
    }
    return ready;
  }

  #readNeighbours(): Map<string, string> | undefined {
    if (this.#interface.loopback) return undefined;
    return readNeighbours(this.#options.interfaceName);
  }

  #writeGroup(id: number, group: Group, neighbours: Map<string, string> | undefined): void {
    // The table forgets a host that is down. Its last address does no harm, and without it the
    // other members would get no round from the kernel.
    const macs =
      neighbours &&
      group.members.map((member, index) => neighbours.get(member.address) ?? group.macs[index]);
    const text = macs === undefined ? 'loopback' : macs.join(' ');
    if (text === group.written) return;
    const value = encodeGroup(group.members, this.socket.cookie, macs);
    this.#addon.writeMap(this.#handle, 'groups', id, value);
    group.written = text;
    group.macs = macs ?? [];
    group.ready = group.members.length > 0 && (macs?.every((mac) => mac !== undefined) ?? true);
  }

  /**
   * Sends one sealed frame to all members of a group with one system call. The slot tells at once
   * whether the kernel did it. `frame` is the caller's again at return.
   */
  sendRound(frame: Uint8Array, group: number, slot: QuorumSlot): RoundSend {
    if (this.#closed || this.#groups.get(group)?.ready !== true) return 'absent';
    if (frame.length > this.frameBytesMax) return 'tooLarge';
    if (frame.length < FRAME_HEADER_BYTES) throw new RangeError('not a frame');
    const flags = frame[FLAGS_OFFSET] as number;
    frame[FLAGS_OFFSET] = flags | FRAME_FLAG.fanOut;
    const sent = this.#addon.sendTo(this.socket.fd, frame, frame.length, this.#destination);
    frame[FLAGS_OFFSET] = flags;
    if (sent === -ERRNO_MESSAGE_SIZE) return 'tooLarge';
    // Any other error may hide a fan-out that a firewall stopped half-way: the slot knows.
    if (this.notifier.wasFannedOut(slot)) return 'fannedOut';
    return sent < 0 ? 'busy' : 'absent';
  }

  /** Takes up to a batch of events now, without waiting for the event loop; how many there were. */
  drain(): number {
    if (this.#closed) return 0;
    const count = this.#addon.drainEvents(this.#handle, this.#batch);
    this.notifier.takeEvents(this.#events, count);
    return count;
  }

  /** Sums over all CPUs since the object was loaded. */
  counters(): HoloFastCounters {
    return this.#addon.counters(this.#handle);
  }

  /** The kernel's id of the fan-out program, as bpftool shows it. */
  fanOutProgramId(): number {
    return this.#addon.ids(this.#handle).fanOutProgram;
  }

  /** Attaches the fan-out again after it was removed from outside. Throws as `open` does. */
  reattach(): void {
    if (this.#options.pinned !== undefined) {
      throw new Error('it was pinned, and only holofast-load can attach it');
    }
    this.#addon.detach(this.#handle);
    this.#attachToInterface();
  }

  /** See `NativeAddon.dropPrivileges`: all that is done from here on needs none. */
  dropPrivileges(): number {
    return this.#addon.dropPrivileges(this.#handle);
  }

  /** Removes the fan-out as an administrator would, behind this object's back; for tests. */
  breakFanOut(): void {
    this.#addon.breakFanOut(this.#handle);
  }

  /** The socket is about to be closed by its owner: it is not touched any more. */
  leaveSocket(): void {
    this.#socketLeft = true;
  }

  /**
   * Detaches and unloads; idempotent. The socket stays its owner's. Quorums that were complete in
   * the kernel are told before this returns; the notifier then counts the frames that come up.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#addon.detach(this.#handle);
    if (!this.#socketLeft) this.#addon.detachFanIn(this.socket.fd);
    this.notifier.leaveKernel();
    this.#addon.close(this.#handle);
  }
}

function handleOf({ addon, pinned, loaded, artifacts }: KernelOptions): KernelHandle {
  if (pinned !== undefined) return addon.openPinned(pinned);
  return loaded === undefined
    ? addon.open((artifacts ?? artifactsIn()).object)
    : addon.openAgain(loaded);
}

/**
 * Where fan-out frames are addressed. A member's own address would need that member's neighbour
 * entry, and so fail when it is down. Multicast needs none; on `lo`, where it is not delivered, any
 * unused address of 127/8 serves.
 */
function virtualDestination(loopback: boolean, port: number): Uint8Array {
  const prefix = loopback ? '127.77' : '239.77';
  return socketAddress(`${prefix}.${port >>> 8}.${port & 0xff}`, port);
}
