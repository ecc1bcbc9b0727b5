/**
 * What user space and the kernel programs share besides the frame: TypeScript twin of the structs
 * in holofast.h. Pure. All of it is in the machine's own byte order, which must be little endian
 * (the probe looks); addresses and ports are in network order as everywhere in the kernel.
 */
import { sendersMax } from './frame.ts';
import { sipKeyBytes } from './siphash.ts';

export const slotsMax = 4096;
export const groupsMax = 64;
export const groupMembersMax = 8;

/** Offsets in `struct hf_slot`. */
export const slotLayout = {
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
export const eventLayout = {
  bytes: 32,
  generation: 0,
  fannedNs: 8,
  quorumNs: 16,
  slot: 24,
  votes: 28,
} as const;

const memberBytes = 16;
const groupHeaderBytes = 16;
export const groupBytes = groupHeaderBytes + groupMembersMax * memberBytes;
export const settingsBytes = 24;
const groupFlagEthernet = 1;

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
  if (members.length > groupMembersMax) {
    throw new RangeError(`a group has at most ${groupMembersMax} members`);
  }
  const bytes = Buffer.alloc(groupBytes);
  bytes.writeUInt32LE(members.length, 0);
  bytes.writeUInt32LE(macs === undefined ? 0 : groupFlagEthernet, 4);
  if (cookie !== undefined) bytes.set(cookie.subarray(0, 8), 8);
  members.forEach((member, index) => {
    if (!Number.isInteger(member.sender) || member.sender < 0 || member.sender >= sendersMax) {
      throw new RangeError(`a sender is in 0..${sendersMax - 1}, not ${member.sender}`);
    }
    const at = groupHeaderBytes + index * memberBytes;
    bytes.set(ipv4Bytes(member.address), at);
    bytes.writeUInt16BE(member.port, at + 4);
    const mac = macs?.[index];
    if (mac !== undefined) bytes.set(macBytes(mac), at + 6);
    bytes[at + 12] = member.sender;
  });
  return bytes;
}

/** A `struct hf_settings`: the key, and the address that the XDP program answers for. */
export function encodeSettings(key: Uint8Array, address: string, port: number): Uint8Array {
  if (key.length !== sipKeyBytes) throw new RangeError(`a key has ${sipKeyBytes} bytes`);
  const bytes = Buffer.alloc(settingsBytes);
  bytes.set(key, 0);
  bytes.set(ipv4Bytes(address), 16);
  bytes.writeUInt16BE(port, 20);
  return bytes;
}
