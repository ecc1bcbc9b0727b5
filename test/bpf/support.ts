/**
 * Shared by the tests of bpf/: frames and packets to order, the vectors, and the answer to "can
 * this machine run the kernel part?". When it cannot, tests are skipped with the reason printed.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ZERO } from '../../actors/accord/primitives/timestamp.ts';
import type { CountedRound, FrameSource, Verdict } from '../../bpf/count/slot-model.ts';
import {
  encodeFrame,
  FRAME_FLAG,
  type FrameHeader,
  FrameKind,
  frameRound,
  sealFrame,
} from '../../bpf/frame/frame.ts';
import { type GroupMember, ipv4Bytes, SLOT_LAYOUT } from '../../bpf/frame/layout.ts';
import { sipKey } from '../../bpf/frame/siphash.ts';
import { buildHoloFast } from '../../bpf/native/build.ts';
import { artifactsIn, loadAddon, type NativeAddon, oneLine } from '../../bpf/native/native.ts';

export const keyBytes = Uint8Array.from({ length: 16 }, (_, index) => 0xa0 + index);
export const key = sipKey(keyBytes);
export const vectorDirectory = join(import.meta.dirname, 'vectors');
export const ownAddress = '127.0.0.1';
export const ownPort = 7000;

export type KernelSupport =
  | { readonly addon: NativeAddon; readonly reason: undefined }
  | { readonly addon: undefined; readonly reason: string };

let support: KernelSupport | undefined;

/** Builds what is missing, and tries what bpf(2) says. */
export function kernelSupport(): KernelSupport {
  support ??= findSupport();
  return support;
}

function findSupport(): KernelSupport {
  const built = buildHoloFast();
  if (!built.built) return skip(built.message);
  const loaded = loadAddon();
  if (loaded.addon === undefined) return skip(loaded.reason);
  try {
    loaded.addon.close(loaded.addon.open(artifactsIn().object));
  } catch (error) {
    return skip(oneLine(error));
  }
  return { addon: loaded.addon, reason: undefined };
}

function skip(reason: string): KernelSupport {
  console.log(`skipped, the kernel part cannot run here: ${reason}`);
  return { addon: undefined, reason };
}

export const someTxn = { hlc: 1_700_000_000_000_000, flags: 2, node: 7, store: 3 };

export function header(fields: Partial<FrameHeader> = {}): FrameHeader {
  return {
    kind: FrameKind.preAccept,
    flags: 0,
    sender: 0,
    slot: 7,
    group: 3,
    need: 2,
    generation: 70_000,
    txn: someTxn,
    ballot: ZERO,
    groupId: { range: 5, generation: 6 },
    ...fields,
  };
}

export function bareOkFrame(fields: Partial<FrameHeader> = {}): Uint8Array {
  return encodeFrame(
    header({ kind: FrameKind.preAcceptSame, flags: FRAME_FLAG.plain, sender: 1, ...fields }),
    key,
  );
}

export function round(fields: Partial<CountedRound> = {}): CountedRound {
  return {
    group: 3,
    electorate: 0b110,
    need: 2,
    replyKind: FrameKind.preAcceptSame,
    round: frameRound(encodeFrame(header(), key)),
    ...fields,
  };
}

export function bitmap(senders: readonly number[]): number {
  return senders.reduce((bits, sender) => bits | (1 << sender), 0);
}

/** A `struct hf_slot`, armed. */
export function encodeSlot(generation: number, counted: CountedRound): Uint8Array {
  const bytes = Buffer.alloc(SLOT_LAYOUT.bytes);
  bytes.writeBigUInt64LE(BigInt(generation) << 16n, SLOT_LAYOUT.word);
  bytes.set(counted.round, SLOT_LAYOUT.round);
  bytes.writeUInt32LE(counted.group, SLOT_LAYOUT.group);
  bytes.writeUInt16LE(counted.electorate, SLOT_LAYOUT.electorate);
  bytes[SLOT_LAYOUT.need] = counted.need;
  bytes[SLOT_LAYOUT.replyKind] = counted.replyKind;
  return bytes;
}

function onesComplementSum(bytes: Uint8Array, start = 0): number {
  let sum = start;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += ((bytes[i] as number) << 8) | (bytes[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** The UDP checksum of a packet as it stands, its own field included: 0 when it is right. */
export function udpChecksumError(packet: Uint8Array): number {
  const pseudo = Buffer.alloc(12);
  pseudo.set(packet.subarray(26, 34), 0);
  pseudo[9] = 17;
  pseudo.writeUInt16BE(packet.length - 34, 10);
  return onesComplementSum(packet.subarray(34), onesComplementSum(pseudo)) ^ 0xffff;
}

export function ipChecksumError(packet: Uint8Array): number {
  return onesComplementSum(packet.subarray(14, 34)) ^ 0xffff;
}

/** An Ethernet packet with a UDP datagram, checksums filled in. */
export function udpPacket(
  payload: Uint8Array,
  source: FrameSource,
  destination: FrameSource = { address: ownAddress, port: ownPort },
): Buffer {
  const packet = Buffer.alloc(42 + payload.length);
  packet.writeUInt16BE(0x0800, 12);
  packet[14] = 0x45;
  packet.writeUInt16BE(28 + payload.length, 16);
  packet[22] = 64;
  packet[23] = 17;
  packet.set(ipv4Bytes(source.address), 26);
  packet.set(ipv4Bytes(destination.address), 30);
  packet.writeUInt16BE(source.port, 34);
  packet.writeUInt16BE(destination.port, 36);
  packet.writeUInt16BE(8 + payload.length, 38);
  packet.set(payload, 42);
  packet.writeUInt16BE(ipChecksumError(packet), 24);
  packet.writeUInt16BE(udpChecksumError(packet) || 0xffff, 40);
  return packet;
}

export interface ArmVector {
  readonly slot?: number;
  readonly generation?: number;
  readonly electorate: readonly number[];
  readonly need: number;
}

export interface StepVector {
  readonly bits: readonly number[];
  readonly verdict?: Verdict;
  readonly rearm?: ArmVector;
  readonly release?: boolean;
  readonly sender?: number;
  /** A sender that no encoder would write. */
  readonly rawSender?: number;
  readonly slot?: number;
  readonly generation?: number;
  readonly kind?: keyof typeof FrameKind;
  readonly flags?: number;
  readonly txn?: Partial<FrameHeader['txn']>;
  readonly ballot?: Partial<FrameHeader['ballot']>;
  readonly groupId?: Partial<FrameHeader['groupId']>;
  readonly flip?: number;
  readonly length?: number;
  readonly from?: number;
  readonly fromAddress?: string;
}

export interface SlotVectors {
  readonly group: { readonly id: number; readonly members: readonly GroupMember[] };
  readonly cases: readonly {
    readonly name: string;
    readonly arm: ArmVector;
    readonly steps: readonly StepVector[];
  }[];
}

export function readSlotVectors(): SlotVectors {
  return JSON.parse(readFileSync(join(vectorDirectory, 'slots.json'), 'utf8'));
}

export function armed(vector: ArmVector): {
  slot: number;
  generation: number;
  round: CountedRound;
} {
  return {
    slot: vector.slot ?? 7,
    generation: vector.generation ?? 70_000,
    round: round({ electorate: bitmap(vector.electorate), need: vector.need }),
  };
}

/** The datagram of a step, and where it comes from; `now` is what the slot is armed with. */
export function stepFrame(
  step: StepVector,
  now: { slot: number; generation: number },
  members: readonly GroupMember[],
): { frame: Uint8Array; source: FrameSource } {
  const sender = step.sender ?? 1;
  const full = bareOkFrame({
    sender,
    slot: step.slot ?? now.slot,
    generation: step.generation ?? now.generation,
    kind: FrameKind[step.kind ?? 'preAcceptSame'],
    flags: step.flags ?? FRAME_FLAG.plain,
    txn: { ...someTxn, ...step.txn },
    ballot: { ...ZERO, ...step.ballot },
    groupId: { ...header().groupId, ...step.groupId },
  });
  if (step.rawSender !== undefined) {
    full[7] = step.rawSender;
    sealFrame(full, key);
  }
  if (step.flip !== undefined) full[step.flip] = (full[step.flip] as number) ^ 1;
  let frame = full;
  if (step.length !== undefined) {
    frame = new Uint8Array(step.length);
    frame.set(full.subarray(0, Math.min(step.length, full.length)));
  }
  const member = members.find((one) => one.sender === sender);
  const address = step.fromAddress ?? member?.address ?? ownAddress;
  return { frame, source: { address, port: step.from ?? member?.port ?? 1 } };
}
