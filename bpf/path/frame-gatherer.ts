/**
 * Gathers the frames of one turn of the event loop, as a corked TCP link does: requests to all
 * members leave as one bundle, and replies with one system call. Without it each would be a system
 * call and a wake-up of the receiver of its own. Reaches the link; delivery stays at most once.
 */

import type { QuorumNotifier, QuorumSlot } from '../count/quorum-notifier.ts';
import { FrameKind, frameKind, ROUND_BYTES, sealFrame, writeSlot } from '../frame/frame.ts';
import {
  BUNDLE_FRAMES_MAX,
  bundleBytes,
  encodeBundle,
  framesOfBundle,
} from '../frame/frame-bundle.ts';
import type { SipKey } from '../frame/siphash.ts';
import { BATCH_FRAMES_MAX } from '../native/native.ts';
import type { UdpLink } from './udp-link.ts';

/** Frames to single members that wait for the end of the turn; the next one sends them before. */
export const SINGLES_MAX = BATCH_FRAMES_MAX;
/** A tag is computed over all of it, at both ends. */
export const BUNDLE_BYTES_MAX = 16_384;
/** A round without voters: it only shows whether the kernel has sent the frame. */
const MARKER_ROUND = new Uint8Array(ROUND_BYTES);

interface FrameGathererOptions {
  readonly link: Pick<UdpLink, 'tier' | 'frameBytesMax' | 'sendGroup' | 'sendBatch'>;
  readonly notifier: QuorumNotifier;
  readonly key: () => SipKey;
  readonly group: number;
  /** Runs an action when the present turn of the event loop is over. */
  readonly atTurnEnd: (action: () => void) => void;
}

/** A checked frame that came in, or the frames that it is made of; none when it makes no sense. */
export function framesOf(frame: Uint8Array): readonly Uint8Array[] {
  return frameKind(frame) === FrameKind.bundle ? (framesOfBundle(frame) ?? []) : [frame];
}

export class FrameGatherer {
  readonly #options: FrameGathererOptions;
  readonly #bundleBytesMax: number;
  readonly #flush = (): void => this.#send();
  #requests: Uint8Array[] = [];
  #requestBytes = 0;
  #slot: QuorumSlot | undefined;
  #singles: Uint8Array[] = [];
  #receivers: number[] = [];
  #scheduled = false;
  #refusing = false;

  constructor(options: FrameGathererOptions) {
    this.#options = options;
    this.#bundleBytesMax = Math.min(options.link.frameBytesMax, BUNDLE_BYTES_MAX);
  }

  /** See `FramePath.sendGroup`. */
  sendGroup(frame: Uint8Array, slot: QuorumSlot | undefined): boolean {
    if (this.#refusing || frame.length > this.#options.link.frameBytesMax) return false;
    const more = bundleBytes(this.#requests.length + 1, this.#requestBytes + frame.length);
    const full = this.#requests.length >= BUNDLE_FRAMES_MAX || more > this.#bundleBytesMax;
    if (full) this.#sendRequests();
    this.#requests.push(frame);
    this.#requestBytes += frame.length;
    this.#slot = slot;
    this.#schedule();
    return true;
  }

  /** See `FramePath.send`. */
  send(frame: Uint8Array, receiver: number): boolean {
    if (frame.length > this.#options.link.frameBytesMax) return false;
    if (this.#singles.length >= SINGLES_MAX) this.#sendSingles();
    this.#singles.push(frame);
    this.#receivers.push(receiver);
    this.#schedule();
    return true;
  }

  /** After a send that failed requests are refused, so that they take TCP, until this is called. */
  refresh(): void {
    this.#refusing = false;
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.atTurnEnd(this.#flush);
  }

  #send(): void {
    this.#scheduled = false;
    this.#sendRequests();
    this.#sendSingles();
  }

  #sendRequests(): void {
    const [first] = this.#requests;
    if (first === undefined) return;
    const { notifier, key, group, link } = this.#options;
    const alone = this.#requests.length === 1;
    const frame = alone ? first : encodeBundle(this.#requests, group);
    // A slot that was given up since cannot show that the kernel has sent the frame.
    const own = alone && this.#slot !== undefined && notifier.isHeld(this.#slot);
    const marker = !own && link.tier === 2 ? this.#marker() : undefined;
    this.#requests = [];
    this.#requestBytes = 0;
    if (marker !== undefined) writeSlot(frame, marker);
    sealFrame(frame, key());
    const sent = link.sendGroup(frame, group, own ? this.#slot : marker);
    if (marker !== undefined) notifier.release(marker);
    this.#refusing = sent === 'failed' || sent === 'tooLarge';
  }

  /** The kernel marks the slot of the frame that it fans out; one is borrowed for that. */
  #marker(): QuorumSlot | undefined {
    const { notifier, group } = this.#options;
    const nobody = { need: 1, replyKind: FrameKind.bundle, round: MARKER_ROUND };
    return notifier.arm({ group, electorate: 1, ...nobody });
  }

  #sendSingles(): void {
    if (this.#singles.length === 0) return;
    this.#options.link.sendBatch(this.#singles, this.#receivers);
    this.#singles = [];
    this.#receivers = [];
  }
}
