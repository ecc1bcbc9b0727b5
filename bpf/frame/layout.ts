/**
 * The structs that user space and the kernel programs share besides the frame: TypeScript twins of
 * those in holofast.h. Pure. All are in the machine's byte order, which must be little endian (the
 * probe checks it); addresses and ports are in network order, as everywhere in the kernel.
 */
import { SENDERS_MAX } from './frame.ts';
import { SIP_KEY_BYTES } from './siphash.ts';

export const SLOTS_MAX = 4096;
export const GROUPS_MAX = 64;
export const GROUP_MEMBERS_MAX = 8;

/** Offsets in `struct hf_slot`. */
export const SLOT_LAYOUT = {
  bytes: 128,
  word: 0,
  fanned: 8,
  round: 16,
  group: 64,
  electorate: 68,
  need: 70,
  replyKind: 71,
  fannedNs: 72,
  quorumNs: 80,
} as const;

/** Offsets in `struct hf_event`. */
export const EVENT_LAYOUT = {
  bytes: 32,
  generation: 0,
  fannedNs: 8,
  quorumNs: 16,
  slot: 24,
  votes: 28,
} as const;

const MEMBER_BYTES = 16;
const GROUP_HEADER_BYTES = 16;
export const GROUP_BYTES = GROUP_HEADER_BYTES + GROUP_MEMBERS_MAX * MEMBER_BYTES;
export const SETTINGS_BYTES = 40;
const GROUP_FLAG_ETHERNET = 1;

export interface GroupMember {
  /** The member's bit in the vote bitmap. */
  readonly sender: number;
  /** IPv4, dotted. */
  readonly address: string;
  readonly port: number;
}

/** The four bytes of a dotted IPv4 address. Throws RangeError for anything else. */
export function ipv4Bytes(address: string): Uint8Array {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(address);
  const bytes = parts?.slice(1).map(Number);
  if (bytes === undefined || bytes.some((byte) => byte > 255)) {
    throw new RangeError(`not an IPv4 address: ${address}`);
  }
  return Uint8Array.from(bytes);
}

export function macBytes(mac: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) throw new RangeError(`not a MAC: ${mac}`);
  return Uint8Array.from(mac.split(':'), (pair) => Number.parseInt(pair, 16));
}

/** A `struct sockaddr_in`. */
export function socketAddress(address: string, port: number): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(2, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(ipv4Bytes(address), 4);
  return bytes;
}

/**
 * A `struct hf_group`. `macs` (by position) makes it an Ethernet group; a member without one gets
 * zeroes and the caller must not fan out to the group. `cookie` is the owner's SO_COOKIE.
 */
export function encodeGroup(
  members: readonly GroupMember[],
  cookie: Uint8Array | undefined,
  macs: readonly (string | undefined)[] | undefined,
): Uint8Array {
  if (members.length > GROUP_MEMBERS_MAX) {
    throw new RangeError(`a group has at most ${GROUP_MEMBERS_MAX} members`);
  }
  const bytes = Buffer.alloc(GROUP_BYTES);
  bytes.writeUInt32LE(members.length, 0);
  bytes.writeUInt32LE(macs === undefined ? 0 : GROUP_FLAG_ETHERNET, 4);
  if (cookie !== undefined) bytes.set(cookie.subarray(0, 8), 8);
  members.forEach((member, index) => {
    if (!Number.isInteger(member.sender) || member.sender < 0 || member.sender >= SENDERS_MAX) {
      throw new RangeError(`a sender is in 0..${SENDERS_MAX - 1}, not ${member.sender}`);
    }
    const at = GROUP_HEADER_BYTES + index * MEMBER_BYTES;
    bytes.set(ipv4Bytes(member.address), at);
    bytes.writeUInt16BE(member.port, at + 4);
    const mac = macs?.[index];
    if (mac !== undefined) bytes.set(macBytes(mac), at + 6);
    bytes[at + 12] = member.sender;
  });
  return bytes;
}

/**
 * A `struct hf_settings`: the keys that are valid, one or two, and the address that the XDP program
 * answers for.
 */
export function encodeSettings(
  keys: readonly Uint8Array[],
  address: string,
  port: number,
): Uint8Array {
  const [first, second = first] = keys;
  if (first?.length !== SIP_KEY_BYTES || second?.length !== SIP_KEY_BYTES) {
    throw new RangeError(`a key has ${SIP_KEY_BYTES} bytes`);
  }
  const bytes = Buffer.alloc(SETTINGS_BYTES);
  bytes.set(first, 0);
  bytes.set(second, SIP_KEY_BYTES);
  bytes.set(ipv4Bytes(address), 2 * SIP_KEY_BYTES);
  bytes.writeUInt16BE(port, 2 * SIP_KEY_BYTES + 4);
  return bytes;
}
