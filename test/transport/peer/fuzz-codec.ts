/**
 * `node --import tsx test/transport/peer/fuzz-codec.ts [inputs] [seed]`: hostile CBOR, behind a valid frame
 * header and checksum, against the codec: lengths that lie, nesting, tags, strings of no alphabet,
 * endless items. The outcome is messages or a FrameError, in bounded time and memory.
 */

import { pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';
import { Channel, decodeFrame, FRAME_VERSION } from '../../../transport/peer/codec.ts';
import { FrameError } from '../../../transport/peer/frame-error.ts';
import { seeded } from '../../actors/accord/protocol-cluster.ts';
import { messagesOf, protocolFrame } from './frames.ts';
import { damageFrame, pick, type Random } from './mutations.ts';

export interface CodecReport {
  readonly inputs: number;
  readonly decoded: number;
  readonly refused: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly heapMbMax: number;
}

const HEADER_BYTES = 14;
const HEAP_SAMPLE = 10_000;
const SOUND = [
  { type: 'PreAccept', id: { hlc: 2 ** 50, flags: 2, node: 1, store: 0 }, deps: Buffer.alloc(40) },
  { type: 'ReadBarrierOk', token: 7, ids: Buffer.alloc(20), behind: false },
];

/** A frame with valid lengths and checksum around any CBOR bytes. */
function frameAround(cbor: Uint8Array, channel: number = Channel.protocol): Buffer {
  const frame = Buffer.alloc(HEADER_BYTES + cbor.length);
  frame[0] = FRAME_VERSION;
  frame[5] = channel;
  frame.writeUInt32BE(cbor.length, 6);
  frame.set(cbor, HEADER_BYTES);
  frame.writeUInt32BE(crc32(frame.subarray(5)), 1);
  return frame;
}

function byte(random: Random): number {
  return Math.floor(random() * 256);
}

/** Major type and a length, in any of its forms, true or not. */
function head(random: Random, major: number, length: number): number[] {
  const first = major << 5;
  const wide = pick(random, [length, 0xff, 0xffff, 0x01ffffff, 0xffffffff]);
  return pick<() => number[]>(random, [
    () => (length < 24 ? [first | length] : [first | 24, length & 0xff]),
    () => [first | 24, byte(random)],
    () => [first | 25, byte(random), byte(random)],
    () => [first | 26, wide >>> 24, (wide >>> 16) & 0xff, (wide >>> 8) & 0xff, wide & 0xff],
    () => [first | 27, 0, 0, 0, byte(random), 0xff, 0xff, 0xff, 0xff],
    () => [first | 31],
    () => [first | (28 + Math.floor(random() * 3))],
  ])();
}

function item(random: Random, depth: number, out: number[]): void {
  const major = depth > 6 ? pick(random, [0, 1, 2, 3, 7]) : Math.floor(random() * 8);
  const length = Math.floor(random() * 6);
  out.push(...(random() < 0.8 ? [(major << 5) | length] : head(random, major, length)));
  if (major === 2 || major === 3) for (let i = 0; i < length; i += 1) out.push(byte(random));
  else if (major === 4) for (let i = 0; i < length; i += 1) item(random, depth + 1, out);
  else if (major === 5) for (let i = 0; i < 2 * length; i += 1) item(random, depth + 1, out);
  else if (major === 6) item(random, depth + 1, out);
}

function hostile(random: Random): Uint8Array {
  const out = [0x81 + Math.floor(random() * 3)];
  // As often as not the beginning of a section: a group and an array of messages.
  if (random() < 0.5) out.push(0x83, byte(random) & 0x17, 1, 0x81 + Math.floor(random() * 3));
  if (random() < 0.02) {
    const again = head(random, pick(random, [4, 5, 6]), 1);
    for (let times = Math.floor(random() * 2_000); times > 0; times -= 1) out.push(...again);
  }
  for (let items = 1 + Math.floor(random() * 3); items > 0; items -= 1) item(random, 0, out);
  if (random() < 0.1) out.push(0xff);
  return Uint8Array.from(out);
}

function inputOf(random: Random, sound: Buffer): Buffer {
  const kind = random();
  if (kind < 0.55) return frameAround(hostile(random));
  if (kind < 0.6) return frameAround(hostile(random), byte(random));
  if (kind < 0.9) return damageFrame(random, sound);
  const bytes = Uint8Array.from({ length: Math.floor(random() * 200) }, () => byte(random));
  return kind < 0.95 ? frameAround(bytes) : Buffer.from(bytes);
}

/** @throws when the codec does anything but decode or refuse. */
export function fuzzCodec(inputs: number, seed: number): CodecReport {
  const random = seeded(seed);
  const sound = protocolFrame(SOUND);
  const refused: Record<string, number> = {};
  let decoded = 0;
  let slowestMs = 0;
  let heapMbMax = 0;
  for (let i = 0; i < inputs; i += 1) {
    const frame = inputOf(random, sound);
    const startedMs = performance.now();
    try {
      decodeFrame(frame);
      decoded += 1;
    } catch (error) {
      if (!(error instanceof FrameError)) {
        throw new Error(`seed ${seed}, input ${i}: ${frame.toString('hex')}`, { cause: error });
      }
      refused[error.code] = (refused[error.code] ?? 0) + 1;
    }
    slowestMs = Math.max(slowestMs, performance.now() - startedMs);
    if (i % HEAP_SAMPLE !== 0) continue;
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    heapMbMax = Math.max(heapMbMax, Math.round((heapUsed + arrayBuffers) / 2 ** 20));
  }
  // Nothing that an input has left behind may change what a sound frame means.
  if (messagesOf(sound).length !== SOUND.length) throw new Error('a sound frame is not read');
  return { inputs, decoded, refused, slowestMs: Math.round(slowestMs), heapMbMax };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [inputs = '100000', seed = '1'] = process.argv.slice(2);
  console.log(JSON.stringify(fuzzCodec(Number(inputs), Number(seed)), null, 2));
}
