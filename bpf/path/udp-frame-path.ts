/**
 * A node's path for frames in production: chooses the tier, opens socket, kernel part and notifier
 * for each incarnation of the quorum actor, and knows what runs and why not more. Reaches the
 * operating system; never decides anything about a round.
 */
import { lookup } from 'node:dns/promises';
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { UserspaceQuorumNotifier } from '../count/quorum-notifier.ts';
import { firstGenerationAt } from '../count/slot-allocator.ts';
import type { GroupMember } from '../frame/layout.ts';
import { type SipKey, sipKey } from '../frame/siphash.ts';
import { KernelHoloFast } from '../native/holofast.ts';
import {
  artifactsIn,
  type HoloFastCounters,
  type KernelHandle,
  loadAddon,
  type NativeAddon,
  oneLine,
} from '../native/native.ts';
import { type ProbeResult, probe, type Tier } from '../native/probe.ts';
import { FanOutKeeper } from './fan-out-keeper.ts';
import { FrameGatherer, framesOf } from './frame-gatherer.ts';
import { type FramePath, type FramePathSource, PEER_GROUP } from './frame-path.ts';
import { type HoloFastMode, TIER_NAMES, type TierName } from './holofast-mode.ts';
import { MemberFollower } from './member-follower.ts';
import { UdpLink } from './udp-link.ts';

const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;

interface FrameMember {
  readonly sender: number;
  /** IPv4, or a name that has one. */
  readonly host: string;
  readonly port: number;
}

export interface UdpFramePathOptions {
  readonly mode: HoloFastMode;
  /** The node itself: where it is bound, and where its frames come from. */
  readonly self: { readonly host: string; readonly port: number };
  readonly peers: readonly FrameMember[];
  /** Node ids of the fan-out set, ascending; `FrameMember.sender` is an index in it. */
  readonly members: readonly number[];
  /**
   * Of the tags, 16 bytes each, the same on all members. The first seals; a second is valid too
   * while they are changed.
   */
  readonly keys: readonly Uint8Array[];
  /** The directory in which `holofast-load` has pinned this node's objects. */
  readonly pins?: string;
  readonly wallUs: () => number;
  /** The tier that was asked for cannot be had. */
  readonly onFailed: (reason: string) => void;
  readonly onTier: (tier: TierName, reason: string) => void;
  /**
   * Present: the process gives up its capabilities as soon as it needs them no more. Kept where the
   * kernel asks for them whenever maps are written.
   */
  readonly onPrivileges?: (are: 'dropped' | 'kept') => void;
}

interface Choice {
  /** Undefined: off. */
  readonly tier: Tier | undefined;
  readonly reason: string;
}

export class UdpFramePathSource implements FramePathSource {
  readonly members: readonly number[];
  readonly #options: UdpFramePathOptions;
  #tier: TierName = 'off';
  #reason: string;
  #choice: Choice | undefined;
  /** It has run: what fails from then on costs speed, not the node. */
  #hasRun = false;
  /** Loaded once: a later incarnation has no capabilities. */
  #loaded: KernelHandle | undefined;
  #privileges: 'held' | 'dropped' | 'kept' = 'held';
  #link: UdpLink | undefined;
  #kernel: KernelHoloFast | undefined;
  #keeper: FanOutKeeper | undefined;
  #keys: readonly Uint8Array[];
  #sealing: SipKey;

  constructor(options: UdpFramePathOptions) {
    this.#options = options;
    this.members = options.members;
    this.#keys = options.keys;
    this.#sealing = sealingOf(options.keys);
    this.#reason = 'not open yet';
  }

  /** From now on. */
  useKeys(keys: readonly Uint8Array[]): void {
    this.#sealing = sealingOf(keys);
    this.#keys = keys;
    this.#kernel?.useKeys(keys);
    this.#link?.useKeys(keys);
  }

  get tier(): TierName {
    return this.#tier;
  }

  /** Why this tier and no higher one. */
  get reason(): string {
    return this.#reason;
  }

  /** Since the path was opened; those of the kernel begin with `kernel_`. */
  counters(): Record<string, number> {
    const link = this.#link;
    if (link === undefined) return {};
    const { framesReceived, framesCounted, rejected, fannedOut, kernelAbsent, sendErrors } =
      link.counters;
    const counters: Record<string, number> = {
      frames_received: framesReceived,
      frames_counted: framesCounted,
      frames_rejected: Object.values(rejected).reduce((sum, count) => sum + count, 0),
      fanned_out: fannedOut,
      kernel_absent: kernelAbsent,
      reattached: this.#keeper?.reattached ?? 0,
      send_errors: sendErrors,
    };
    const kernel: Partial<HoloFastCounters> = this.#kernel?.counters() ?? {};
    for (const [name, count] of Object.entries(kernel)) counters[`kernel_${name}`] = count ?? 0;
    return counters;
  }

  /** Whether rounds go through the kernel now. */
  get kernelPresent(): boolean {
    return this.#link?.kernelPresent === true;
  }

  open(
    onFrame: (frame: Uint8Array, sender: number) => void,
    onOpened: (path: FramePath | undefined) => void,
  ): void {
    this.#open(onFrame).then(onOpened, (error: unknown) => {
      const { mode, onFailed } = this.#options;
      const reason = oneLine(error);
      this.#is('off', reason);
      if (mode !== 'auto' && !this.#hasRun) onFailed(`--holofast ${mode} cannot be: ${reason}`);
      onOpened(undefined);
    });
  }

  async #open(
    onFrame: (frame: Uint8Array, sender: number) => void,
  ): Promise<FramePath | undefined> {
    const { self } = this.#options;
    this.#choice ??= choose(this.#options);
    const { tier, reason } = this.#choice;
    if (tier === undefined) {
      this.#is('off', reason);
      this.#dropPrivileges(undefined);
      return undefined;
    }
    const address = await addressOf(self.host);
    const members = await this.#lookUp();
    if (tier < 2) return this.#openLink(tier, reason, address, members, undefined, onFrame);
    let kernel: KernelHoloFast;
    try {
      kernel = this.#openKernel(address, members);
    } catch (error) {
      // A tier that ran before is retried: its old socket may not be closed yet.
      if (this.#options.mode !== 'auto' || this.#hasRun) throw error;
      this.#choice = { tier: undefined, reason: withoutKernel(oneLine(error)) };
      this.#is('off', this.#choice.reason);
      this.#dropPrivileges(undefined);
      return undefined;
    }
    return this.#openLink(tier, reason, address, members, kernel, onFrame);
  }

  /** Rejects with Error when a member has no IPv4 address. */
  #lookUp(): Promise<GroupMember[]> {
    const found = this.#options.peers.map(async ({ sender, host, port }) => {
      return { sender, port, address: await addressOf(host) };
    });
    return Promise.all(found);
  }

  #openKernel(address: string, members: readonly GroupMember[]): KernelHoloFast {
    const { self, pins, wallUs, onPrivileges } = this.#options;
    const addon = addonOrThrow();
    if (onPrivileges !== undefined && pins === undefined) {
      this.#loaded ??= addon.open(artifactsIn().object);
    }
    const loaded = this.#loaded;
    return KernelHoloFast.open({
      addon,
      interfaceName: interfaceOf(address, members),
      address,
      port: self.port,
      keys: this.#keys,
      firstGeneration: firstGenerationAt(wallUs()),
      receiveBufferBytes: SOCKET_BUFFER_BYTES,
      sendBufferBytes: SOCKET_BUFFER_BYTES,
      ...(pins === undefined ? {} : { pinned: pins }),
      ...(loaded === undefined ? {} : { loaded }),
    });
  }

  /** Repeated until all threads of the process have followed. */
  #dropPrivileges(kernel: KernelHoloFast | undefined): void {
    const { onPrivileges } = this.#options;
    if (onPrivileges === undefined || this.#privileges !== 'held') return;
    const left = kernel?.dropPrivileges() ?? loadAddon().addon?.dropPrivileges(undefined) ?? 0;
    if (left > 0) return;
    this.#privileges = left === 0 ? 'dropped' : 'kept';
    onPrivileges(this.#privileges);
  }

  async #openLink(
    tier: Tier,
    reason: string,
    address: string,
    members: readonly GroupMember[],
    kernel: KernelHoloFast | undefined,
    onFrame: (frame: Uint8Array, sender: number) => void,
  ): Promise<FramePath> {
    const { self, wallUs } = this.#options;
    const firstGeneration = firstGenerationAt(wallUs());
    const notifier = kernel?.notifier ?? new UserspaceQuorumNotifier({ firstGeneration });
    let link: UdpLink;
    try {
      link = await UdpLink.open({
        address,
        port: self.port,
        keys: this.#keys,
        notifier,
        onFrame: (frame, sender) => {
          for (const each of framesOf(frame)) onFrame(each, sender);
        },
        receiveBufferBytes: SOCKET_BUFFER_BYTES,
        sendBufferBytes: SOCKET_BUFFER_BYTES,
        ...(tier === 0 ? {} : { addon: addonOrThrow() }),
        ...(kernel === undefined ? {} : { kernel }),
      });
    } catch (error) {
      if (kernel !== undefined) {
        kernel.close();
        addonOrThrow().closeFd(kernel.socket.fd);
      }
      throw error;
    }
    link.setGroup(PEER_GROUP, members);
    // They may have been changed while the socket was opened.
    kernel?.useKeys(this.#keys);
    link.useKeys(this.#keys);
    this.#hasRun = true;
    this.#link = link;
    this.#kernel = kernel;
    const keeper = kernel && this.#keep(link, kernel, reason);
    this.#keeper = keeper;
    this.#is(TIER_NAMES[tier], reason);
    this.#dropPrivileges(kernel);
    const gatherer = new FrameGatherer({
      link,
      notifier,
      key: () => this.#sealing,
      group: PEER_GROUP,
      atTurnEnd: (action) => process.nextTick(action),
    });
    const follower = this.#follow(members, link);
    return {
      notifier,
      key: () => this.#sealing,
      frameBytesMax: link.frameBytesMax,
      sendGroup: (frame, slot) => gatherer.sendGroup(frame, slot),
      send: (frame, sender) => gatherer.send(frame, sender),
      refresh: () => {
        gatherer.refresh();
        follower.refresh();
        keeper?.refresh();
        this.#dropPrivileges(kernel);
      },
      close: () => this.#close(link, kernel),
    };
  }

  #follow(members: readonly GroupMember[], link: UdpLink): MemberFollower {
    return new MemberFollower({
      members,
      lookUp: () => this.#lookUp(),
      onMoved: (moved) => {
        // The path may have been closed while the names were looked up.
        if (link === this.#link) link.setGroup(PEER_GROUP, moved);
      },
    });
  }

  /** The state of the fan-out is part of the tier's reason, and so logged when it changes. */
  #keep(link: UdpLink, kernel: KernelHoloFast, reason: string): FanOutKeeper {
    const is = (what: string): void => this.#is(TIER_NAMES[2], `${reason}; ${what}`);
    return new FanOutKeeper({
      link,
      kernel,
      onReattached: () =>
        is('rounds did not pass through the kernel, and the fan-out was attached again'),
      onRefused: (why) => is(`rounds do not pass through the kernel: ${why}`),
    });
  }

  #close(link: UdpLink, kernel: KernelHoloFast | undefined): void {
    this.#link = undefined;
    this.#kernel = undefined;
    this.#keeper = undefined;
    kernel?.close();
    // The socket closes in a later turn; no caller waits for that.
    link.close().catch(() => undefined);
    this.#is('off', 'closed');
  }

  #is(tier: TierName, reason: string): void {
    if (tier === this.#tier && reason === this.#reason) return;
    this.#tier = tier;
    this.#reason = reason;
    this.#options.onTier(tier, reason);
  }
}

function sealingOf([key]: readonly Uint8Array[]): SipKey {
  if (key === undefined) throw new RangeError('there is no key');
  return sipKey(key);
}

/** Throws Error when the mode demands a tier that cannot be. */
function choose({ mode, pins }: UdpFramePathOptions): Choice {
  if (mode === 'userspace') return { tier: 0, reason: 'asked for by --holofast userspace' };
  if (mode === 'sendmmsg') {
    addonOrThrow();
    return { tier: 1, reason: 'asked for by --holofast sendmmsg' };
  }
  if (pins !== undefined) {
    addonOrThrow();
    return { tier: 2, reason: `the programs pinned in ${pins}` };
  }
  const found: ProbeResult = probe();
  if (mode === 'kernel' && found.tier < 2) throw new Error(found.reason);
  if (mode === 'auto' && found.tier < 2) {
    return { tier: undefined, reason: withoutKernel(found.reason) };
  }
  return found;
}

/** The reason of `auto`: without the kernel, frames never cost clearly less CPU than TCP. */
function withoutKernel(reason: string): string {
  return `no kernel part (${reason}), and without it TCP is cheaper`;
}

function addonOrThrow(): NativeAddon {
  const { addon, reason } = loadAddon();
  if (addon === undefined) throw new Error(reason);
  return addon;
}

async function addressOf(host: string): Promise<string> {
  if (isIPv4(host)) return host;
  let found: string | undefined;
  try {
    found = (await lookup(host, { family: 4 })).address;
  } catch {
    // As good as an address of another kind.
  }
  // A literal of IPv6 comes back as it is.
  if (found !== undefined && isIPv4(found)) return found;
  throw new Error(`${host} has no IPv4 address, and frames need one`);
}

/** The interface that leads to the members: `lo` when all of them are on this machine's 127/8. */
function interfaceOf(address: string, members: readonly GroupMember[]): string {
  if (members.every((member) => member.address.startsWith('127.'))) return 'lo';
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((one) => one.address === address)) return name;
  }
  throw new Error(`no interface has the address ${address}`);
}
