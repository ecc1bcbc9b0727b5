/**
 * PeerLink: one per peer. Packs the messages of a turn into one frame, unpacks received frames,
 * delivers the messages that the judge accepts, and reports when the link goes up or down. Measures
 * the offset of the peer's clock. A message that cannot be sent is dropped: the protocol retries.
 */

import { decodeFrame, encodeFrame } from '../../transport/peer/codec.ts';
import { FrameError } from '../../transport/peer/frame-error.ts';
import type { PeerNetwork } from '../../transport/peer/network.ts';
import type { MessageJudge } from '../accord/messages/message-judge.ts';
import type { AccordMessage } from '../accord/messages/messages.ts';
import type { ClusterTime } from '../accord/primitives/cluster-time.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';

export type PeerLinkMessage =
  | { readonly type: 'Send'; readonly message: AccordMessage }
  | { readonly type: 'Frame'; readonly frame: Uint8Array }
  | { readonly type: 'Up' }
  | { readonly type: 'Down'; readonly reason: string }
  | { readonly type: 'Refused'; readonly reason: string }
  | { readonly type: 'Probe' };

/** Asks the other link for its wall clock. `sentMs` is the sender's monotonic time. */
interface ClockProbe {
  readonly type: 'ClockProbe';
  readonly sentMs: number;
}

interface ClockReading {
  readonly type: 'ClockReading';
  readonly sentMs: number;
  readonly wallUs: number;
}

type LinkMessage = AccordMessage | ClockProbe | ClockReading;

interface PeerLinkOptions {
  readonly peer: number;
  readonly network: PeerNetwork;
  readonly judge: MessageJudge;
  readonly time: ClusterTime;
  readonly deliver: (from: number, message: AccordMessage) => void;
  readonly onUp: (peer: number) => void;
  readonly onDown: (peer: number, reason: string) => void;
  readonly onRefused: (peer: number, reason: string) => void;
}

/** An unanswered probe is repeated after this time. */
const PROBE_MS_MAX = 2_000;
/** Messages per frame; a turn with more sends several frames. */
const FRAME_MESSAGES_MAX = 1_024;
/** Bytes of bodies, slots and deps per frame; a larger message gets a frame of its own. */
const FRAME_CONTENT_BYTES_MAX = 8 * 1024 * 1024;

export function peerLinkActor(
  context: ActorContext<PeerLinkMessage>,
  options: PeerLinkOptions,
): Behavior<PeerLinkMessage> {
  return new PeerLink(context, options);
}

class PeerLink implements Behavior<PeerLinkMessage> {
  readonly #context: ActorContext<PeerLinkMessage>;
  readonly #options: PeerLinkOptions;
  readonly #peer: number;
  #outgoing: LinkMessage[] = [];
  #queuedBytes = 0;
  /** When the unanswered probe was sent. */
  #probedMs: number | undefined;
  #dropped = 0;
  #damaged = 0;

  constructor(context: ActorContext<PeerLinkMessage>, options: PeerLinkOptions) {
    this.#context = context;
    this.#options = options;
    this.#peer = options.peer;
    context.timers.startPeriodic('probe', options.time.limits.probeEveryMs, { type: 'Probe' });
  }

  receive(message: PeerLinkMessage): void {
    switch (message.type) {
      case 'Send':
        return this.#send(message.message);
      case 'Frame':
        return this.#receiveFrame(message.frame);
      case 'Up':
        return this.#linkUp();
      case 'Probe':
        return this.#probe();
      case 'Down':
        return this.#options.onDown(this.#peer, message.reason);
      case 'Refused':
        return this.#options.onRefused(this.#peer, message.reason);
    }
  }

  turnEnd(): void {
    this.#flush();
  }

  describe() {
    const queuedBytes = this.#options.network.queuedBytes(this.#peer);
    return { peer: this.#peer, dropped: this.#dropped, damaged: this.#damaged, queuedBytes };
  }

  #send(message: LinkMessage): void {
    const bytes = contentBytes(message);
    if (this.#queuedBytes + bytes > FRAME_CONTENT_BYTES_MAX) this.#flush();
    this.#outgoing.push(message);
    this.#queuedBytes += bytes;
    if (this.#outgoing.length >= FRAME_MESSAGES_MAX) this.#flush();
  }

  #flush(): void {
    const messages = this.#outgoing;
    if (messages.length === 0) return;
    this.#outgoing = [];
    this.#queuedBytes = 0;
    const taken = this.#options.network.send(this.#peer, encodeFrame(messages));
    if (!taken) this.#dropped += messages.length;
  }

  #receiveFrame(frame: Uint8Array): void {
    const { judge, deliver } = this.#options;
    let messages: object[];
    try {
      messages = decodeFrame(frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      // A frame damaged on the way counts as lost.
      this.#damaged += 1;
      return judge.refuse(this.#peer, 'frame', 'undecodable', error.message);
    }
    for (const message of messages) {
      const { type } = message as { readonly type?: unknown };
      if (type === 'ClockProbe' || type === 'ClockReading') this.#aboutClocks(message);
      else if (judge.accepts(this.#peer, message)) deliver(this.#peer, message);
    }
  }

  #linkUp(): void {
    this.#options.judge.linkUp(this.#peer);
    this.#options.onUp(this.#peer);
    this.#probedMs = undefined;
    this.#probe();
  }

  /** At most one probe is in flight; a lost one is repeated after a time. */
  #probe(): void {
    this.#options.time.refresh();
    const nowMs = this.#context.clock.monotonicMs();
    if (this.#probedMs !== undefined && nowMs - this.#probedMs < PROBE_MS_MAX) return;
    this.#probedMs = nowMs;
    this.#send({ type: 'ClockProbe', sentMs: nowMs });
  }

  #aboutClocks(message: object): void {
    const { judge, time } = this.#options;
    const { type, sentMs, wallUs } = message as Partial<ClockReading>;
    const isReading = type === 'ClockReading';
    if (!Number.isFinite(sentMs) || (isReading && !Number.isSafeInteger(wallUs))) {
      return judge.refuse(this.#peer, 'unknown', 'shape');
    }
    if (!isReading) {
      const askedMs = sentMs as number;
      return this.#send({ type: 'ClockReading', sentMs: askedMs, wallUs: time.wallUs() });
    }
    if (sentMs !== this.#probedMs) return;
    this.#probedMs = undefined;
    time.heard(this.#peer, wallUs as number, sentMs as number);
  }
}

/** The parts of a message that have no fixed size. */
function contentBytes(message: LinkMessage): number {
  let bytes = 0;
  for (const name in message) {
    const part: unknown = message[name as keyof LinkMessage];
    if (part instanceof Uint8Array) bytes += part.length;
  }
  return bytes;
}
