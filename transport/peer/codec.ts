/**
 * Peer frames: all messages of one turn to one peer become one frame per channel. Pure; the peer
 * actor encodes and decodes here, the network carries the bytes.
 *
 * A frame holds sections, each with the messages of one group, so that a node routes by section.
 * A message's own `body` (raw command bytes, up to MiBs) is never put through CBOR: it follows the
 * encoded part as it is and comes back as a view of the frame. Other byte strings (packed ids) are
 * CBOR byte strings and come back as views too. There is no state between frames: each one can be
 * decoded alone, so that a lost or refused frame affects no other.
 *
 * Layout, big-endian: version u8 | crc32 u32 of all that follows | channel u8 | cbor length u32 |
 * bodies u32 | cbor of [range, generation, messages] per section | (message index u32, length u32)
 * per body | bodies. Messages are numbered through all sections.
 */
import { crc32 } from 'node:zlib';
import { decodeCbor, encodeCbor } from '../cbor.ts';
import { FrameError } from './frame-error.ts';

export const FRAME_VERSION = 2;

/** The kind of traffic in a frame. Data and control never share a frame. */
export const Channel = {
  protocol: 1,
  meta: 2,
  snapshot: 3,
  forwarding: 4,
  pubsub: 5,
  admin: 6,
} as const;
export type Channel = (typeof Channel)[keyof typeof Channel];

/** The channels that this version speaks; frames of any other are not decoded. */
const SPOKEN: ReadonlySet<number> = new Set<Channel>([
  Channel.protocol,
  Channel.snapshot,
  Channel.forwarding,
  Channel.pubsub,
  Channel.admin,
]);

/** Messages of one group; range and generation are 0 where they concern no group. */
export interface FrameSection {
  /** u32. */
  readonly range: number;
  /** u32. */
  readonly generation: number;
  readonly messages: readonly object[];
}

export interface PeerFrame {
  /** Any number: a peer may speak channels that this version does not know. */
  readonly channel: number;
  /** Empty where this version does not speak the channel. */
  readonly sections: readonly FrameSection[];
}

/** More messages than this in a frame are refused on both sides. */
export const MESSAGES_MAX = 65_536;
/** Up to this size a frame is copied into one buffer: cheaper than one more iovec per body. */
const COPY_BYTES_MAX = 16 * 1024;
const HEADER_BYTES = 14;
const CRC_START = 5;
const CHANNEL_AT = 5;
const CBOR_LENGTH_AT = 6;
const BODIES_AT = 10;
const BODY_ENTRY_BYTES = 8;
const U32_MAX = 2 ** 32 - 1;

interface WithBody {
  readonly body?: unknown;
}

/** Returns the parts of one frame, in order. The parts may share memory with the bodies. */
export function encodeFrame(channel: Channel, sections: readonly FrameSection[]): Uint8Array[] {
  const bodies: Uint8Array[] = [];
  const owners: number[] = [];
  let bodyBytes = 0;
  let index = 0;
  const content: unknown[] = [];
  for (const { range, generation, messages } of sections) {
    const plain: object[] = [];
    for (const message of messages as readonly WithBody[]) {
      if (message.body instanceof Uint8Array) {
        const { body, ...rest } = message as { body: Uint8Array };
        bodies.push(body);
        owners.push(index);
        bodyBytes += body.length;
        plain.push(rest);
      } else {
        plain.push(message);
      }
      index += 1;
    }
    content.push([range, generation, plain]);
  }
  if (index > MESSAGES_MAX) {
    throw new FrameError('HOLO_FRAME_TOO_LARGE', `${index} messages in one frame`);
  }
  const cbor = encodeCbor(content);
  const headBytes = HEADER_BYTES + cbor.length + bodies.length * BODY_ENTRY_BYTES;
  const whole = headBytes + bodyBytes <= COPY_BYTES_MAX;
  const head = Buffer.allocUnsafe(whole ? headBytes + bodyBytes : headBytes);
  head[0] = FRAME_VERSION;
  head[CHANNEL_AT] = channel;
  head.writeUInt32BE(cbor.length, CBOR_LENGTH_AT);
  head.writeUInt32BE(bodies.length, BODIES_AT);
  head.set(cbor, HEADER_BYTES);
  let at = HEADER_BYTES + cbor.length;
  for (let i = 0; i < bodies.length; i += 1) {
    at = head.writeUInt32BE(owners[i] ?? 0, at);
    at = head.writeUInt32BE(bodies[i]?.length ?? 0, at);
  }
  if (whole) {
    for (const body of bodies) {
      head.set(body, at);
      at += body.length;
    }
  }
  let crc = crc32(head.subarray(CRC_START));
  if (!whole) {
    for (const body of bodies) {
      crc = crc32(body, crc);
    }
  }
  head.writeUInt32BE(crc, 1);
  return whole ? [head] : [head, ...bodies];
}

/**
 * The content of one whole frame; its byte strings are views of it.
 *
 * @throws FrameError whatever the bytes are. Memory is bounded by the size of the frame.
 */
export function decodeFrame(frame: Uint8Array): PeerFrame {
  if (frame.length < HEADER_BYTES) {
    throw new FrameError('HOLO_FRAME_TRUNCATED', `a frame of ${frame.length} bytes has no header`);
  }
  const view = Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength);
  if (view[0] !== FRAME_VERSION) {
    throw new FrameError(
      'HOLO_FRAME_VERSION',
      `frame version ${view[0]}, this node reads ${FRAME_VERSION}`,
    );
  }
  if (crc32(view.subarray(CRC_START)) !== view.readUInt32BE(1)) {
    throw new FrameError('HOLO_FRAME_CHECKSUM', 'the frame does not match its checksum');
  }
  const channel = view[CHANNEL_AT] as number;
  if (!SPOKEN.has(channel)) return { channel, sections: [] };
  const cborBytes = view.readUInt32BE(CBOR_LENGTH_AT);
  const bodies = view.readUInt32BE(BODIES_AT);
  const tableStart = HEADER_BYTES + cborBytes;
  const bodiesStart = tableStart + bodies * BODY_ENTRY_BYTES;
  if (bodiesStart > view.length) {
    throw new FrameError('HOLO_FRAME_TRUNCATED', 'the frame ends before its bodies');
  }
  const sections = decodeSections(view.subarray(HEADER_BYTES, tableStart));
  const messages = numbered(sections);
  attachBodies(view, messages, tableStart, bodies, bodiesStart);
  return { channel, sections };
}

function decodeSections(cbor: Uint8Array): FrameSection[] {
  let value: unknown;
  try {
    value = decodeCbor(cbor);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FrameError('HOLO_FRAME_CONTENT', `the frame has no valid sections: ${reason}`);
  }
  if (!Array.isArray(value)) {
    throw new FrameError('HOLO_FRAME_CONTENT', 'the frame has no array of sections');
  }
  return value.map(sectionOf);
}

function sectionOf(value: unknown): FrameSection {
  const [range, generation, messages] = Array.isArray(value) && value.length === 3 ? value : [];
  if (!isU32(range) || !isU32(generation) || !Array.isArray(messages)) {
    throw new FrameError('HOLO_FRAME_CONTENT', 'a section names no group or holds no messages');
  }
  for (const message of messages) {
    if (typeof message !== 'object' || message === null || message.constructor !== Object) {
      throw new FrameError('HOLO_FRAME_CONTENT', 'a message is not an object');
    }
  }
  return { range, generation, messages };
}

function isU32(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= U32_MAX;
}

/** The messages of all sections in their order. */
function numbered(sections: readonly FrameSection[]): readonly object[] {
  const [only] = sections;
  const messages =
    sections.length === 1 && only !== undefined
      ? only.messages
      : sections.flatMap((section) => section.messages);
  if (messages.length > MESSAGES_MAX || sections.length > MESSAGES_MAX) {
    throw new FrameError('HOLO_FRAME_CONTENT', `${messages.length} messages in one frame`);
  }
  return messages;
}

function attachBodies(
  view: Buffer,
  messages: readonly object[],
  tableStart: number,
  bodies: number,
  bodiesStart: number,
): void {
  let at = bodiesStart;
  let previous = -1;
  for (let i = 0; i < bodies; i += 1) {
    const entry = tableStart + i * BODY_ENTRY_BYTES;
    const owner = view.readUInt32BE(entry);
    const end = at + view.readUInt32BE(entry + 4);
    const message = messages[owner];
    if (message === undefined || owner <= previous || end > view.length || 'body' in message) {
      throw new FrameError('HOLO_FRAME_CONTENT', 'a body belongs to no message');
    }
    (message as { body: Uint8Array }).body = view.subarray(at, end);
    previous = owner;
    at = end;
  }
  if (at !== view.length) {
    throw new FrameError('HOLO_FRAME_CONTENT', `${view.length - at} bytes belong to no message`);
  }
}
