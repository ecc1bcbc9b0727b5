/**
 * PeerLink: one per peer. Packs the messages of a turn into one frame, unpacks received frames,
 * hands their sections to the router, and reports when the link goes up or down. Measures the
 * offset of the peer's clock on the admin channel. A message that cannot be sent is dropped: the
 * protocol retries.
 */

import { Channel, decodeFrame, encodeFrame, type PeerFrame } from '../../transport/peer/codec.ts';
import { FrameError } from '../../transport/peer/frame-error.ts';
import type { PeerNetwork } from '../../transport/peer/network.ts';
import { type PubSubMessage, pubSubMessageOf } from '../../transport/resp/pubsub/pubsub-message.ts';
import type { MessageJudge } from '../accord/messages/message-judge.ts';
import type { AccordMessage } from '../accord/messages/messages.ts';
import type { ClockComparison, ClusterTime } from '../accord/primitives/cluster-time.ts';
import type { TxnId } from '../accord/primitives/timestamp.ts';
import { type GroupId, isSameGroup, NO_GROUP } from '../accord/topology/group-id.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import { type SnapshotMessage, snapshotMessageOf } from '../snapshots/snapshot-message.ts';
import {
  type ForwardingMessage,
  forwardedBytes,
  forwardingMessageOf,
} from './forwarding/forwarding-message.ts';
import type { Inquiries, InquiryMessage } from './inquiries.ts';
import {
  isAge,
  isNodeMessage,
  type NodeMessage,
  nodeMessageOf,
  type TableAge,
} from './node-messages.ts';
import type { Router } from './router.ts';
import type { SettingsWatch } from './settings-watch.ts';

export type PeerLinkMessage =
  | { readonly type: 'Send'; readonly group: GroupId; readonly message: AccordMessage }
  /** For the peer's gateway. */
  | { readonly type: 'SendPubSub'; readonly message: PubSubMessage }
  /** Of parts of clients, where not all nodes are members of all groups. */
  | { readonly type: 'SendForwarding'; readonly message: ForwardingMessage }
  /** Data of groups for members that lack them. */
  | { readonly type: 'SendSnapshot'; readonly message: SnapshotMessage }
  /** For people at the peer's or this node's console. */
  | { readonly type: 'SendInquiry'; readonly message: InquiryMessage }
  /** About the nodes themselves. */
  | { readonly type: 'SendNode'; readonly message: NodeMessage }
  | { readonly type: 'Frame'; readonly frame: Uint8Array }
  | { readonly type: 'Up' }
  | { readonly type: 'Down'; readonly reason: string }
  | { readonly type: 'Refused'; readonly reason: string }
  | { readonly type: 'Probe' }
  /** The settings of the cluster have changed here. */
  | { readonly type: 'SettingsChanged' };

/** Asks the other link for its wall clock. `sentMs` is the sender's monotonic time. */
interface ClockProbe {
  readonly type: 'ClockProbe';
  readonly sentMs: number;
}

interface ClockReading {
  readonly type: 'ClockReading';
  readonly sentMs: number;
  readonly wallUs: number;
  /** As in `SettingsVersion`, or `TABLE_UNKNOWN`. */
  readonly settings: number;
  /** The same. */
  readonly view: number;
}

/** How far the sender knows the settings and the topology of the cluster. */
interface SettingsVersion extends TableAge {
  readonly type: 'SettingsVersion';
}

/** A transaction of the sender's that is to be kept: its peers have the other half. */
interface KeepTrace {
  readonly type: 'KeepTrace';
  readonly id: TxnId;
  readonly tookMs: number;
}

type AdminMessage =
  | ClockProbe
  | ClockReading
  | SettingsVersion
  | KeepTrace
  | InquiryMessage
  | NodeMessage;

interface PeerLinkOptions {
  readonly peer: number;
  readonly network: PeerNetwork;
  readonly judge: MessageJudge;
  readonly router: Router;
  readonly time: ClusterTime;
  readonly settings: SettingsWatch;
  readonly inquiries: Inquiries;
  readonly onNode: (peer: number, message: NodeMessage) => void;
  /** Of this node's table. */
  readonly age: () => TableAge;
  /** The same of the peer's. */
  readonly onAgeTold: (peer: number, age: TableAge) => void;
  /** With each probe. */
  readonly onTick: () => void;
  readonly onPubSub: (peer: number, message: PubSubMessage) => void;
  readonly onSnapshot: (peer: number, message: SnapshotMessage) => void;
  readonly onForwarding: (peer: number, message: ForwardingMessage) => void;
  /** These have not left, and will not. */
  readonly onNotForwarded: (peer: number, messages: readonly ForwardingMessage[]) => void;
  readonly onClockCompared: (
    peer: number,
    comparison: ClockComparison,
    roundTripMs: number,
  ) => void;
  readonly onUp: (peer: number) => void;
  readonly onDown: (peer: number, reason: string) => void;
  readonly onRefused: (peer: number, reason: string) => void;
}

/** Messages of a turn for one group, in their order. */
interface OutgoingSection {
  readonly range: number;
  readonly generation: number;
  readonly messages: AccordMessage[];
}

/** An unanswered probe is repeated after this time. */
const PROBE_MS_MAX = 2_000;
/** Messages per frame; a turn with more sends several frames. */
const FRAME_MESSAGES_MAX = 1_024;
/** Bytes of bodies, slots and deps per frame; a larger message gets a frame of its own. */
const FRAME_CONTENT_BYTES_MAX = 8 * 1024 * 1024;
/** Bytes that wait for the peer, above which messages of pub/sub are dropped. */
const PUBSUB_QUEUED_BYTES_MAX = 16 * 1024 * 1024;

export function peerLinkActor(
  context: ActorContext<PeerLinkMessage>,
  options: PeerLinkOptions,
): Behavior<PeerLinkMessage> {
  return new PeerLink(context, options);
}

class PeerLink implements Behavior<PeerLinkMessage> {
  readonly #context: ActorContext<PeerLinkMessage>;
  readonly #options: PeerLinkOptions;
  #sections: OutgoingSection[] = [];
  #section: OutgoingSection | undefined;
  #queuedMessages = 0;
  #queuedBytes = 0;
  #admin: AdminMessage[] = [];
  #pubSub: PubSubMessage[] = [];
  #pubSubBytes = 0;
  #forwarding: ForwardingMessage[] = [];
  #forwardingBytes = 0;
  /** Of pub/sub: what found no room at the link. */
  #pubSubDropped = 0;
  /** When the unanswered probe was sent. */
  #probedMs: number | undefined;
  #dropped = 0;
  #damaged = 0;

  constructor(context: ActorContext<PeerLinkMessage>, options: PeerLinkOptions) {
    this.#context = context;
    this.#options = options;
    context.timers.startPeriodic('probe', options.time.limits.probeEveryMs, { type: 'Probe' });
  }

  receive(message: PeerLinkMessage): void {
    const { peer, onDown, onRefused } = this.#options;
    switch (message.type) {
      case 'Send':
        return this.#send(message.group, message.message);
      case 'SendPubSub':
        return this.#sendPubSub(message.message);
      case 'SendForwarding':
        return this.#sendForwarding(message.message);
      case 'SendSnapshot':
        return this.#sendSnapshot(message.message);
      case 'SendInquiry':
      case 'SendNode':
        this.#admin.push(message.message);
        return;
      case 'Frame':
        return this.#receiveFrame(message.frame);
      case 'Up':
        return this.#linkUp();
      case 'Probe':
        this.#tellSettings();
        this.#options.inquiries.onTick();
        this.#options.onTick();
        return this.#probe();
      case 'SettingsChanged':
        return this.#tellSettings();
      case 'Down':
        return onDown(peer, message.reason);
      case 'Refused':
        return onRefused(peer, message.reason);
    }
  }

  turnEnd(): void {
    this.#flush();
    this.#flushForwarding();
    this.#flushPubSub();
    this.#flushAdmin();
  }

  describe(): unknown {
    const { peer, network, router } = this.#options;
    return {
      peer,
      dropped: this.#dropped,
      pubSubDropped: this.#pubSubDropped,
      damaged: this.#damaged,
      unrouted: router.unroutedOf(peer),
      queuedBytes: network.queuedBytes(peer),
    };
  }

  #send(group: GroupId, message: AccordMessage): void {
    const bytes = contentBytes(message);
    if (this.#queuedBytes + bytes > FRAME_CONTENT_BYTES_MAX) this.#flush();
    let section = this.#section;
    if (section === undefined || !isSameGroup(section, group)) {
      const { range, generation } = group;
      section = { range, generation, messages: [] };
      this.#section = section;
      this.#sections.push(section);
    }
    section.messages.push(message);
    this.#queuedMessages += 1;
    this.#queuedBytes += bytes;
    if (this.#queuedMessages >= FRAME_MESSAGES_MAX) this.#flush();
  }

  #flush(): void {
    if (this.#queuedMessages === 0) return;
    const { peer, network } = this.#options;
    const sent = network.send(peer, encodeFrame(Channel.protocol, this.#sections));
    if (!sent) this.#dropped += this.#queuedMessages;
    this.#sections = [];
    this.#section = undefined;
    this.#queuedMessages = 0;
    this.#queuedBytes = 0;
  }

  #flushAdmin(): void {
    if (this.#admin.length === 0) return;
    const { peer, network } = this.#options;
    const messages = this.#admin;
    this.#admin = [];
    const sent = network.send(peer, encodeFrame(Channel.admin, [{ ...NO_GROUP, messages }]));
    if (!sent) this.#dropped += messages.length;
  }

  #sendPubSub(message: PubSubMessage): void {
    this.#pubSub.push(message);
    if (message.type === 'Published') this.#pubSubBytes += message.body.length;
    const isFull = this.#pubSub.length >= FRAME_MESSAGES_MAX;
    if (isFull || this.#pubSubBytes > FRAME_CONTENT_BYTES_MAX) this.#flushPubSub();
  }

  /** A peer that is slow loses messages of pub/sub: they may not use up the room of commands. */
  #flushPubSub(): void {
    if (this.#pubSub.length === 0) return;
    const { peer, network } = this.#options;
    const messages = this.#pubSub;
    const hasRoom = network.queuedBytes(peer) <= PUBSUB_QUEUED_BYTES_MAX;
    this.#pubSub = [];
    this.#pubSubBytes = 0;
    const frame = [{ ...NO_GROUP, messages }];
    const isSent = hasRoom && network.send(peer, encodeFrame(Channel.pubsub, frame));
    if (!isSent) this.#pubSubDropped += messages.length;
  }

  #sendForwarding(message: ForwardingMessage): void {
    const bytes = forwardedBytes(message);
    if (this.#forwardingBytes + bytes > FRAME_CONTENT_BYTES_MAX) this.#flushForwarding();
    this.#forwarding.push(message);
    this.#forwardingBytes += bytes;
    if (this.#forwarding.length >= FRAME_MESSAGES_MAX) this.#flushForwarding();
  }

  #flushForwarding(): void {
    if (this.#forwarding.length === 0) return;
    const { peer, network, onNotForwarded } = this.#options;
    const messages = this.#forwarding;
    this.#forwarding = [];
    this.#forwardingBytes = 0;
    const frame = encodeFrame(Channel.forwarding, [{ ...NO_GROUP, messages }]);
    if (!network.send(peer, frame)) onNotForwarded(peer, messages);
  }

  #receiveForwarding(message: object): void {
    const { peer, judge, onForwarding } = this.#options;
    const sound = forwardingMessageOf(message);
    if (sound === undefined) judge.refuse(peer, 'unknown', 'shape');
    else onForwarding(peer, sound);
  }

  /** One that is lost is asked for again. */
  #sendSnapshot(message: SnapshotMessage): void {
    const { peer, network } = this.#options;
    const section = { ...NO_GROUP, messages: [message] };
    if (!network.send(peer, encodeFrame(Channel.snapshot, [section]))) this.#dropped += 1;
  }

  #receiveSnapshot(message: object): void {
    const { peer, judge, onSnapshot } = this.#options;
    const sound = snapshotMessageOf(message);
    if (sound === undefined) judge.refuse(peer, 'unknown', 'shape');
    else onSnapshot(peer, sound);
  }

  #receivePubSub(message: object): void {
    const { peer, judge, onPubSub } = this.#options;
    const sound = pubSubMessageOf(message);
    if (sound === undefined) judge.refuse(peer, 'unknown', 'shape');
    else onPubSub(peer, sound);
  }

  #receiveFrame(bytes: Uint8Array): void {
    const { peer, judge, router } = this.#options;
    let frame: PeerFrame;
    try {
      frame = decodeFrame(bytes);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      // A frame damaged on the way counts as lost.
      this.#damaged += 1;
      return judge.refuse(peer, 'frame', 'undecodable', error.message);
    }
    switch (frame.channel) {
      case Channel.protocol:
        for (const section of frame.sections) {
          for (const message of section.messages) router.receive(peer, section, message);
        }
        return;
      case Channel.forwarding:
        for (const { messages } of frame.sections) {
          for (const message of messages) this.#receiveForwarding(message);
        }
        return;
      case Channel.snapshot:
        for (const { messages } of frame.sections) {
          for (const message of messages) this.#receiveSnapshot(message);
        }
        return;
      case Channel.pubsub:
        for (const { messages } of frame.sections) {
          for (const message of messages) this.#receivePubSub(message);
        }
        return;
      case Channel.admin:
        for (const { messages } of frame.sections) {
          for (const message of messages) this.#receiveAdmin(message);
        }
        return;
      default:
        return router.unknownChannel(peer);
    }
  }

  #keepTrace(message: object): void {
    const { id, tookMs } = message as Partial<KeepTrace>;
    const isSound = isTimestamp(id) && Number.isFinite(tookMs);
    const { peer, judge } = this.#options;
    if (!isSound) return judge.refuse(peer, 'unknown', 'shape');
    // One too many is only not remembered.
    this.#context.recorder.kept.want({ id, tookMs: tookMs as number });
  }

  #tellKept(): void {
    for (const wanted of this.#context.recorder.kept.takeFor(this.#options.peer)) {
      this.#admin.push({ type: 'KeepTrace', ...wanted });
    }
  }

  #inquired(message: object): void {
    const { peer, judge, inquiries } = this.#options;
    if (!inquiries.received(peer, message)) judge.refuse(peer, 'unknown', 'shape');
  }

  /** At most one probe is in flight; a lost one is repeated after a time. */
  #probe(): void {
    this.#tellKept();
    this.#options.time.refresh();
    const nowMs = this.#context.clock.monotonicMs();
    if (this.#probedMs !== undefined && nowMs - this.#probedMs < PROBE_MS_MAX) return;
    this.#probedMs = nowMs;
    this.#admin.push({ type: 'ClockProbe', sentMs: nowMs });
  }

  /** Repeated with each probe: one that is lost does no harm. */
  #tellSettings(): void {
    const { version } = this.#options.settings;
    const { epoch, view } = this.#options.age();
    if (version === 0 && epoch === 0) return;
    this.#admin.push({ type: 'SettingsVersion', version, epoch, view });
  }

  #receiveAdmin(message: object): void {
    const { type, ...age } = message as { readonly type?: string } & TableAge;
    if (type === 'KeepTrace') return this.#keepTrace(message);
    if (type === 'Inquiry' || type === 'InquiryAnswer') return this.#inquired(message);
    if (isNodeMessage(message)) return this.#aboutNodes(message);
    if (type !== 'SettingsVersion') return this.#aboutClocks(message);
    const { peer, judge, settings, onAgeTold } = this.#options;
    if (!isAge(age)) return judge.refuse(peer, 'unknown', 'shape');
    const { version, epoch, view } = age;
    settings.told(peer, version, view);
    onAgeTold(peer, { version, epoch, view });
    // It may have read the table just now, and this node waits for a first lease.
    if (!settings.hadLease) this.#probe();
  }

  #aboutNodes(message: object): void {
    const { peer, judge, onNode } = this.#options;
    const sound = nodeMessageOf(message);
    if (sound === undefined) judge.refuse(peer, 'unknown', 'shape');
    else onNode(peer, sound);
  }

  #aboutClocks(message: object): void {
    const { peer, judge, time, onClockCompared } = this.#options;
    const {
      type,
      sentMs,
      wallUs,
      settings: confirmed,
      view,
    } = message as Partial<ClockProbe | ClockReading> & {
      readonly wallUs?: unknown;
      readonly settings?: unknown;
      readonly view?: unknown;
    };
    if (type !== 'ClockProbe' && type !== 'ClockReading') {
      return judge.refuse(peer, 'unknown', 'type');
    }
    const isReading = type === 'ClockReading';
    if (
      !Number.isFinite(sentMs) ||
      (isReading && ![wallUs, confirmed, view].every(Number.isSafeInteger))
    ) {
      return judge.refuse(peer, 'unknown', 'shape');
    }
    if (!isReading) {
      const { confirmed: settings, view: its } = this.#options.settings;
      const wall = time.wallUs();
      const asked = { sentMs: sentMs as number, settings, view: its };
      this.#admin.push({ type: 'ClockReading', ...asked, wallUs: wall });
      return;
    }
    if (sentMs !== this.#probedMs) return;
    this.#probedMs = undefined;
    const askedMs = sentMs as number;
    const answer = { version: confirmed as number, view: view as number, askedMs };
    this.#options.settings.answered(peer, answer);
    const compared = time.heard(peer, wallUs as number, sentMs as number);
    if (compared === undefined) return;
    onClockCompared(peer, compared, compared.atMs - (sentMs as number));
  }

  #linkUp(): void {
    const { peer, judge, onUp } = this.#options;
    judge.linkUp(peer);
    onUp(peer);
    this.#probedMs = undefined;
    this.#tellSettings();
    this.#probe();
  }
}

function isTimestamp(value: unknown): value is TxnId {
  if (typeof value !== 'object' || value === null) return false;
  const { hlc, flags, node, store } = value as Partial<TxnId>;
  return [hlc, flags, node, store].every((part) => Number.isSafeInteger(part) && Number(part) >= 0);
}

/** The parts of a message that have no fixed size. */
function contentBytes(message: AccordMessage): number {
  let bytes = 0;
  for (const name in message) {
    const part: unknown = message[name as keyof AccordMessage];
    if (part instanceof Uint8Array) bytes += part.length;
  }
  return bytes;
}
