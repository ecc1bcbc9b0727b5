/**
 * Frames over UDP in all three tiers: 0 `dgram`, 1 one `sendmmsg`, 2 the kernel's fan-out, with the
 * same bytes on the wire. Owns the node's UDP socket. Verifies what comes in (tag, sender, source
 * address), lets the quorum notifier count plain replies, and gives the rest to `onFrame`. Delivery
 * is at most once; it never retries, and never takes a frame that does not fit a datagram.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import type { QuorumNotifier, QuorumSlot } from '../count/quorum-notifier.ts';
import { consumes } from '../count/slot-model.ts';
import {
  checkFrame,
  FRAME_FLAG,
  FRAME_HEADER_BYTES,
  type FrameFault,
  frameFlags,
  frameSender,
  isAuthentic,
} from '../frame/frame.ts';
import { GROUP_MEMBERS_MAX, GROUPS_MAX, type GroupMember, socketAddress } from '../frame/layout.ts';
import { type SipKey, sipKey } from '../frame/siphash.ts';
import type { KernelHoloFast } from '../native/holofast.ts';
import { BATCH_FRAMES_MAX, type NativeAddon } from '../native/native.ts';
import { openSocket } from '../native/native-socket.ts';
import type { Tier } from '../native/probe.ts';

/** Fits an Ethernet frame; used where the interface's own limit is not known (tier 0). */
const ETHERNET_FRAME_BYTES_MAX = 1472;
const LOOPBACK_FRAME_BYTES_MAX = 60_000;
/** Rounds without the kernel in a row, after which it is only tried now and then. */
export const ABSENT_ROUNDS_MAX = 16;
export const RETRY_KERNEL_EVERY_ROUNDS = 256;

export interface UdpLinkOptions {
  readonly address: string;
  /** Tiers 0 and 1; tier 2 takes the kernel's socket. Port 0 lets the kernel choose. */
  readonly port: number;
  /** Keys of tags that are valid, 16 bytes each: one, or two while they are changed. */
  readonly keys: readonly Uint8Array[];
  /** Present for tiers 1 and 2. */
  readonly addon?: NativeAddon;
  /** Present for tier 2; its socket becomes the link's, the rest the caller closes. */
  readonly kernel?: KernelHoloFast;
  /** Counts plain replies before anybody else sees them. */
  readonly notifier?: QuorumNotifier;
  /** The frame may be kept. Called only for frames that a known member has sealed. */
  readonly onFrame: (frame: Uint8Array, sender: number) => void;
  readonly receiveBufferBytes?: number;
  readonly sendBufferBytes?: number;
}

/** fannedOut, sendmmsg, dgram: how it went out. tooLarge: take the TCP link. failed: lost. */
export type GroupSend = 'fannedOut' | 'sendmmsg' | 'dgram' | 'tooLarge' | 'failed';

interface UdpLinkCounters {
  framesReceived: number;
  /** Plain replies that the notifier dealt with in user space. */
  framesCounted: number;
  rejected: Record<FrameFault | 'source', number>;
  fannedOut: number;
  /** Rounds that were meant for the kernel and went out by hand. */
  kernelAbsent: number;
  sendErrors: number;
}

interface Member extends GroupMember {
  /** As sockaddr_in. */
  readonly to: Uint8Array;
}

interface Group {
  readonly members: readonly Member[];
  readonly addresses: Uint8Array;
  readonly byKernel: boolean;
}

/** dgram resolves even numeric addresses in a later turn, unless it is told not to. */
function numericLookup(
  host: string,
  _options: unknown,
  callback: (error: null, address: string, family: number) => void,
): void {
  callback(null, host, 4);
}

export class UdpLink {
  readonly tier: Tier;
  readonly port: number;
  readonly frameBytesMax: number;
  readonly counters: UdpLinkCounters = {
    framesReceived: 0,
    framesCounted: 0,
    rejected: { short: 0, magic: 0, version: 0, kind: 0, flags: 0, sender: 0, tag: 0, source: 0 },
    fannedOut: 0,
    kernelAbsent: 0,
    sendErrors: 0,
  };
  readonly #socket: Socket;
  readonly #fd: number;
  readonly #options: UdpLinkOptions;
  #keys: readonly SipKey[] = [];
  readonly #groups = new Map<number, Group>();
  readonly #members = new Map<number, Member>();
  #absentRounds = 0;
  #closed = false;

  /** Rejects with the operating system's error when the address cannot be had. */
  static open(options: UdpLinkOptions): Promise<UdpLink> {
    const { receiveBufferBytes, sendBufferBytes } = options;
    const socket = createSocket({
      type: 'udp4',
      lookup: numericLookup,
      ...(receiveBufferBytes === undefined ? {} : { recvBufferSize: receiveBufferBytes }),
      ...(sendBufferBytes === undefined ? {} : { sendBufferSize: sendBufferBytes }),
    });
    const native =
      options.kernel?.socket ??
      (options.addon && openSocket(options.addon, options, receiveBufferBytes, sendBufferBytes));
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.once('listening', () => {
        socket.off('error', reject);
        resolve(new UdpLink(options, socket, native?.fd ?? -1));
      });
      if (native === undefined) socket.bind(options.port, options.address);
      else socket.bind({ fd: native.fd });
    });
  }

  private constructor(options: UdpLinkOptions, socket: Socket, fd: number) {
    this.#options = options;
    this.#socket = socket;
    this.#fd = fd;
    this.useKeys(options.keys);
    this.tier = options.kernel !== undefined ? 2 : options.addon !== undefined ? 1 : 0;
    this.port = socket.address().port;
    this.frameBytesMax =
      options.kernel?.frameBytesMax ??
      (options.address.startsWith('127.') ? LOOPBACK_FRAME_BYTES_MAX : ETHERNET_FRAME_BYTES_MAX);
    socket.on('error', () => {
      this.counters.sendErrors += 1;
    });
    socket.on('message', (frame, source) => this.#onMessage(frame, source));
  }

  /**
   * The peers of one quorum. Frames are accepted from members of any group, at their addresses. A
   * group that is too large for the kernel, or beyond its table, goes out by hand in all tiers.
   */
  setGroup(id: number, members: readonly GroupMember[]): void {
    const { kernel } = this.#options;
    const fitsKernel = id < GROUPS_MAX && members.length <= GROUP_MEMBERS_MAX;
    const addressed = members.map((member) => {
      return { ...member, to: socketAddress(member.address, member.port) };
    });
    this.#groups.set(id, {
      members: addressed,
      addresses: Buffer.concat(addressed.map(({ to }) => to)),
      byKernel: kernel !== undefined && fitsKernel,
    });
    if (fitsKernel) kernel?.setGroup(id, members);
    this.#members.clear();
    for (const group of this.#groups.values()) {
      for (const member of group.members) this.#members.set(member.sender, member);
    }
  }

  /** Frames under any of these are taken from now on. */
  useKeys(keys: readonly Uint8Array[]): void {
    this.#keys = keys.map(sipKey);
  }

  /** One frame to one member. The frame is the link's until the next turn. */
  send(frame: Uint8Array, sender: number): boolean {
    const member = this.#members.get(sender);
    if (this.#closed || member === undefined || frame.length > this.frameBytesMax) return false;
    if (this.#options.addon === undefined || this.#fd < 0) {
      this.#sendByDgram(frame, member);
      return true;
    }
    const sent = this.#options.addon.sendTo(this.#fd, frame, frame.length, member.to);
    if (sent < 0) this.counters.sendErrors += 1;
    return sent >= 0;
  }

  /** Each frame to its own member, with one system call where that can be. Frames may be lost. */
  sendBatch(frames: readonly Uint8Array[], senders: readonly number[]): void {
    const { addon } = this.#options;
    if (addon === undefined || this.#fd < 0 || frames.length === 1) {
      frames.forEach((frame, at) => void this.send(frame, senders[at] ?? -1));
      return;
    }
    if (frames.length > BATCH_FRAMES_MAX) {
      this.sendBatch(frames.slice(0, BATCH_FRAMES_MAX), senders);
      this.sendBatch(frames.slice(BATCH_FRAMES_MAX), senders.slice(BATCH_FRAMES_MAX));
      return;
    }
    const known = frames.flatMap((frame, at) => {
      const member = this.#members.get(senders[at] ?? -1);
      return member === undefined ? [] : [{ frame, member }];
    });
    if (this.#closed || known.length === 0) return;
    const to = Buffer.concat(known.map(({ member }) => member.to));
    const lengths = Uint32Array.from(known, ({ frame }) => frame.length);
    const bytes = Buffer.concat(known.map(({ frame }) => frame));
    const sizes = new Uint8Array(lengths.buffer);
    const sent = addon.sendBatch(this.#fd, bytes, sizes, to, known.length);
    this.counters.sendErrors += known.length - Math.max(sent, 0);
  }

  /**
   * One frame to all members of a group, by the fastest way that works now. With a slot the kernel
   * is tried first, and the slot tells whether it did it; without it goes out by hand at once.
   */
  sendGroup(frame: Uint8Array, id: number, slot?: QuorumSlot): GroupSend {
    const group = this.#groups.get(id);
    if (this.#closed || group === undefined) return 'failed';
    if (frame.length > this.frameBytesMax) return 'tooLarge';
    const { kernel } = this.#options;
    if (kernel !== undefined && group.byKernel && slot !== undefined && this.#shouldTryKernel()) {
      const sent = kernel.sendRound(frame, id, slot);
      if (sent === 'fannedOut') {
        this.#absentRounds = 0;
        this.counters.fannedOut += 1;
        return 'fannedOut';
      }
      if (sent === 'tooLarge') return 'tooLarge';
      this.#absentRounds += 1;
      this.counters.kernelAbsent += 1;
    }
    return this.#sendByHand(frame, group);
  }

  /** Whether rounds go through the kernel now, as far as is known. */
  get kernelPresent(): boolean {
    return this.#options.kernel !== undefined && this.#absentRounds < ABSENT_ROUNDS_MAX;
  }

  /** The cause that kept rounds from the kernel is gone: the next round tries it. */
  tryKernelAgain(): void {
    this.#absentRounds = 0;
  }

  /** A frame to no one costs a system call: after some misses, only every n-th round tries. */
  #shouldTryKernel(): boolean {
    if (this.#absentRounds < ABSENT_ROUNDS_MAX) return true;
    if ((this.#absentRounds - ABSENT_ROUNDS_MAX + 1) % RETRY_KERNEL_EVERY_ROUNDS === 0) return true;
    this.#absentRounds += 1;
    this.counters.kernelAbsent += 1;
    return false;
  }

  #sendByHand(frame: Uint8Array, group: Group): GroupSend {
    const { addon } = this.#options;
    if (addon === undefined || this.#fd < 0) {
      for (const member of group.members) this.#sendByDgram(frame, member);
      return 'dgram';
    }
    const count = group.members.length;
    const sent = addon.sendMany(this.#fd, frame, frame.length, group.addresses, count);
    this.counters.sendErrors += count - Math.max(sent, 0);
    return sent > 0 ? 'sendmmsg' : 'failed';
  }

  #sendByDgram(frame: Uint8Array, member: GroupMember): void {
    this.#socket.send(frame, 0, frame.length, member.port, member.address);
  }

  #onMessage(frame: Uint8Array, source: RemoteInfo): void {
    this.counters.framesReceived += 1;
    const fault = this.#faultOf(frame, source);
    if (fault !== undefined) {
      this.counters.rejected[fault] += 1;
      return;
    }
    const { notifier } = this.#options;
    if (
      notifier !== undefined &&
      frame.length === FRAME_HEADER_BYTES &&
      frameFlags(frame) === FRAME_FLAG.plain
    ) {
      const verdict = notifier.receive(frame);
      if (verdict === 'quorum') notifier.flush();
      if (consumes(verdict)) {
        this.counters.framesCounted += 1;
        return;
      }
    }
    this.#options.onFrame(frame, frameSender(frame));
  }

  #faultOf(frame: Uint8Array, source: RemoteInfo): FrameFault | 'source' | undefined {
    const [key, other] = this.#keys as readonly [SipKey, SipKey?];
    const fault = checkFrame(frame, key);
    const isOther = fault === 'tag' && other !== undefined && isAuthentic(frame, other);
    if (fault !== undefined && !isOther) return fault;
    const member = this.#members.get(frameSender(frame));
    const known = member?.address === source.address && member.port === source.port;
    return known ? undefined : 'source';
  }

  /** Closes the socket, and with it the fan-in; idempotent. */
  close(): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closed = true;
    this.#options.kernel?.leaveSocket();
    return new Promise((resolve) => {
      this.#socket.close(() => resolve());
    });
  }
}
