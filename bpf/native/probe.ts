/**
 * Finds out at start which tier this machine can do, by doing it: a round between three sockets on
 * `lo`, through the kernel programs and back. Production code; takes a few tens of milliseconds,
 * leaves nothing behind, and answers with a reason for people.
 */
import { randomBytes } from 'node:crypto';
import { ZERO } from '../../actors/accord/primitives/timestamp.ts';
import type { QuorumSlot } from '../count/quorum-notifier.ts';
import {
  encodeBareOk,
  encodeFrame,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  FrameKind,
  frameRound,
  NO_GROUP,
} from '../frame/frame.ts';
import { socketAddress } from '../frame/layout.ts';
import { type SipKey, sipKey } from '../frame/siphash.ts';
import { KernelHoloFast } from './holofast.ts';
import {
  type Artifacts,
  artifactsIn,
  loadAddon,
  type NativeAddon,
  type NativeSocket,
  oneLine,
} from './native.ts';

/** 0: user space alone. 1: one sendmmsg per round. 2: the kernel fans out and counts. */
export type Tier = 0 | 1 | 2;

export interface ProbeResult {
  readonly tier: Tier;
  readonly reason: string;
}

const PROBE_GROUP = 0;
const RECEIVE_WAIT_MS = 100;
const ADDRESS = '127.0.0.1';

/** Never throws. */
export function probe(artifacts: Artifacts = artifactsIn()): ProbeResult {
  const { addon, reason } = loadAddon(artifacts);
  if (addon === undefined) return { tier: 0, reason };
  const facts = addon.system();
  if (!facts.littleEndian) return { tier: 1, reason: 'HoloFast needs a little-endian machine' };
  if (!facts.ringWakes) return { tier: 1, reason: 'the addon was built without uv.h' };
  const root = facts.capSysAdmin;
  if (!root && !(facts.capBpf && facts.capNetAdmin && facts.capPerfmon)) {
    return { tier: 1, reason: 'CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON are needed' };
  }
  try {
    const fault = selfTest(addon, artifacts);
    if (fault !== undefined) return { tier: 1, reason: `self-test on lo: ${fault}` };
  } catch (error) {
    return { tier: 1, reason: oneLine(error) };
  }
  return { tier: 2, reason: `kernel ${facts.kernel}, libbpf ${facts.libbpf}: self-test passed` };
}

/** One round with two members; undefined when all went as it should. */
function selfTest(addon: NativeAddon, artifacts: Artifacts): string | undefined {
  const key = randomBytes(16);
  const kernel = KernelHoloFast.open({
    addon,
    artifacts,
    interfaceName: 'lo',
    address: ADDRESS,
    port: 0,
    keys: [key],
    firstGeneration: 1,
  });
  const members: NativeSocket[] = [];
  try {
    for (let i = 0; i < 2; i += 1) members.push(addon.udpSocket(ADDRESS, 0, 0, 0));
    return selfTestRound(addon, kernel, members, key);
  } finally {
    for (const member of members) addon.closeFd(member.fd);
    kernel.close();
    addon.closeFd(kernel.socket.fd);
  }
}

function selfTestRound(
  addon: NativeAddon,
  kernel: KernelHoloFast,
  members: readonly NativeSocket[],
  keyBytes: Uint8Array,
): string | undefined {
  const key = sipKey(keyBytes);
  kernel.setGroup(
    PROBE_GROUP,
    members.map(({ port }, index) => ({ sender: index + 1, address: ADDRESS, port })),
  );
  const { frame, slot } = armProbe(kernel, key);
  const sent = kernel.sendRound(frame, PROBE_GROUP, slot);
  if (sent !== 'fannedOut') return `the frame was not fanned out (${sent})`;
  const buffer = new Uint8Array(2 * FRAME_HEADER_BYTES);
  for (const [index, member] of members.entries()) {
    const received = addon.receive(member.fd, buffer, RECEIVE_WAIT_MS);
    if (received?.length !== FRAME_HEADER_BYTES) return `member ${index} received nothing`;
    const reply = encodeBareOk(buffer.subarray(0, received.length), index + 1, key);
    addon.sendTo(member.fd, reply, reply.length, socketAddress(ADDRESS, kernel.socket.port));
  }
  // Waiting for a datagram that must not come is the wait for the replies to be judged.
  if (kernel.counters().votes < members.length) {
    addon.receive(kernel.socket.fd, buffer, RECEIVE_WAIT_MS);
  }
  const votes = kernel.notifier.votes(slot);
  if (votes !== 0b110) return `the votes are ${votes.toString(2)}, not 110`;
  return kernel.drain() === 1 ? undefined : 'no quorum event';
}

function armProbe(kernel: KernelHoloFast, key: SipKey): { frame: Uint8Array; slot: QuorumSlot } {
  const header: FrameHeader = {
    kind: FrameKind.probe,
    flags: 0,
    sender: 0,
    slot: 0,
    group: PROBE_GROUP,
    need: 2,
    generation: 0,
    txn: ZERO,
    ballot: ZERO,
    groupId: NO_GROUP,
  };
  const slot = kernel.notifier.arm({
    group: PROBE_GROUP,
    electorate: 0b110,
    need: 2,
    replyKind: FrameKind.probeOk,
    round: frameRound(encodeFrame(header, key)),
  });
  if (slot === undefined) throw new Error('no free slot in a new kernel object');
  return { frame: encodeFrame({ ...header, ...slot }, key), slot };
}
