/**
 * PeerLink: one per peer. Puts the messages of a turn into one frame, takes frames apart, passes on
 * the messages that the judge lets through, and tells the store when the link comes and goes.
 * Compares the peer's clock with ours. A message that cannot be sent is dropped: the protocol
 * repeats what matters.
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

/** From link to link: what does your wall clock say? `sentMs` is the asker's own time. */
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

/** A probe that was not answered by then is repeated. */
const PROBE_MS_MAX = 2_000;
/** Messages of one frame; a turn with more sends several. */
const FRAME_MESSAGES_MAX = 1_024;
/** Bytes of bodies, slots and deps of one frame; a larger message travels in one of its own. */
const FRAME_CONTENT_BYTES_MAX = 8 * 1024 * 1024;

export function peerLinkActor(
  context: ActorContext<PeerLinkMessage>,
  options: PeerLinkOptions,
): Behavior<PeerLinkMessage> {
  const { peer, network, judge, time } = options;
  const { clock } = context;
  let outgoing: LinkMessage[] = [];
  /** When the probe that waits for its answer was sent. */
  let probedMs: number | undefined;
  let queuedBytes = 0;
  let dropped = 0;
  let damaged = 0;

  context.timers.startPeriodic('probe', time.limits.probeEveryMs, { type: 'Probe' });

  function send(message: LinkMessage): void {
    const bytes = contentBytes(message);
    if (queuedBytes + bytes > FRAME_CONTENT_BYTES_MAX) flush();
    outgoing.push(message);
    queuedBytes += bytes;
    if (outgoing.length >= FRAME_MESSAGES_MAX) flush();
  }

  function flush(): void {
    if (outgoing.length === 0) return;
    const messages = outgoing;
    outgoing = [];
    queuedBytes = 0;
    if (!network.send(peer, encodeFrame(messages))) dropped += messages.length;
  }

  function receiveFrame(frame: Uint8Array): void {
    let messages: object[];
    try {
      messages = decodeFrame(frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      // Damaged on the way, or not ours: as good as lost.
      damaged += 1;
      return judge.refuse(peer, 'frame', 'undecodable', error.message);
    }
    for (const message of messages) {
      const { type } = message as { readonly type?: unknown };
      if (type === 'ClockProbe' || type === 'ClockReading') aboutClocks(message);
      else if (judge.accepts(peer, message)) options.deliver(peer, message);
    }
  }

  /** One probe is under way at a time; one that was lost is given up. */
  function probe(): void {
    time.refresh();
    const nowMs = clock.monotonicMs();
    if (probedMs !== undefined && nowMs - probedMs < PROBE_MS_MAX) return;
    probedMs = nowMs;
    send({ type: 'ClockProbe', sentMs: nowMs });
  }

  function aboutClocks(message: object): void {
    const { type, sentMs, wallUs } = message as Partial<ClockReading>;
    const isReading = type === 'ClockReading';
    if (!Number.isFinite(sentMs) || (isReading && !Number.isSafeInteger(wallUs))) {
      return judge.refuse(peer, 'unknown', 'shape');
    }
    if (!isReading) {
      return send({ type: 'ClockReading', sentMs: sentMs as number, wallUs: time.wallUs() });
    }
    if (sentMs !== probedMs) return;
    probedMs = undefined;
    time.heard(peer, wallUs as number, sentMs as number);
  }

  function linkUp(): void {
    judge.linkUp(peer);
    options.onUp(peer);
    probedMs = undefined;
    probe();
  }

  return {
    receive(message) {
      switch (message.type) {
        case 'Send':
          return send(message.message);
        case 'Frame':
          return receiveFrame(message.frame);
        case 'Up':
          return linkUp();
        case 'Probe':
          return probe();
        case 'Down':
          return options.onDown(peer, message.reason);
        case 'Refused':
          return options.onRefused(peer, message.reason);
      }
    },
    turnEnd: flush,
    describe: () => ({ peer, dropped, damaged, queuedBytes: network.queuedBytes(peer) }),
  };
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
