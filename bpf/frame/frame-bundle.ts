/**
 * Several requests of one turn in one datagram: an outer header, and whole frames behind it, each
 * after its length (u32, big endian). Only the outer frame is sealed; its tag covers all of them.
 * Every inner frame keeps its own slot, so its replies are counted one by one. Pure.
 */
import { ZERO } from '../../actors/accord/primitives/timestamp.ts';
import {
  FRAME_HEADER_BYTES,
  FrameKind,
  frameFlags,
  frameKind,
  frameSender,
  isFrame,
  NO_GROUP,
  writeHeader,
} from './frame.ts';

/** Requests in one bundle. */
export const BUNDLE_FRAMES_MAX = 64;
const LENGTH_BYTES = 4;

/** Bytes of a bundle of frames that have so many bytes together. */
export function bundleBytes(frames: number, bytes: number): number {
  return FRAME_HEADER_BYTES + frames * LENGTH_BYTES + bytes;
}

/** An unsealed bundle without a slot, of frames of one sender. Throws RangeError without any. */
export function encodeBundle(frames: readonly Uint8Array[], group: number): Uint8Array {
  const [first] = frames;
  if (first === undefined) throw new RangeError('a bundle has at least one frame');
  let bytes = 0;
  for (const frame of frames) bytes += frame.length;
  const sender = frameSender(first);
  const bundle = Buffer.allocUnsafe(bundleBytes(frames.length, bytes));
  const round = { generation: 0, txn: ZERO, ballot: ZERO, groupId: NO_GROUP };
  const fields = { kind: FrameKind.bundle, flags: 0, sender, slot: 0, group, need: 0, ...round };
  writeHeader(bundle, fields);
  let at = FRAME_HEADER_BYTES;
  for (const frame of frames) {
    at = bundle.writeUInt32BE(frame.length, at);
    bundle.set(frame, at);
    at += frame.length;
  }
  return bundle;
}

/**
 * The frames of a checked bundle, as views of it. Undefined unless all of it is well-formed
 * requests of the bundle's own sender: half a bundle is never believed.
 */
export function framesOfBundle(bundle: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.byteLength);
  const frames: Uint8Array[] = [];
  let at = FRAME_HEADER_BYTES;
  while (at < bundle.length) {
    if (at + LENGTH_BYTES > bundle.length) return undefined;
    const end = at + LENGTH_BYTES + view.getUint32(at);
    if (end > bundle.length) return undefined;
    const frame = bundle.subarray(at + LENGTH_BYTES, end);
    if (!isRequestOf(frameSender(bundle), frame)) return undefined;
    if (frames.push(frame) > BUNDLE_FRAMES_MAX) return undefined;
    at = end;
  }
  return frames;
}

function isRequestOf(sender: number, frame: Uint8Array): boolean {
  return (
    isFrame(frame) &&
    frameKind(frame) !== FrameKind.bundle &&
    frameFlags(frame) === 0 &&
    frameSender(frame) === sender
  );
}
