/**
 * Quorum: owns the node's frame path and the notifier that counts bare oks below the actors. Sends
 * requests that fit a frame to all members at once, answers requests that arrived as frames, and
 * reports quorums to the coordinator in batches. All other messages go over the peer's TCP link.
 * Decides nothing; if it fails, only speed is lost.
 */

import type { QuorumSlot } from '../../bpf/count/quorum-notifier.ts';
import {
  encodeBareOk,
  FRAME_HEADER_BYTES,
  frameRound,
  sealFrame,
  writeSlot,
} from '../../bpf/frame/frame.ts';
import { type FramePath, type FramePathSource, PEER_GROUP } from '../../bpf/path/frame-path.ts';
import { type BareOk, type BareOkFrame, isBareOk } from '../accord/messages/bare-ok.ts';
import type { AccordMessage } from '../accord/messages/messages.ts';
import { equal, isSpanning, keyOf, type TxnId, ZERO } from '../accord/primitives/timestamp.ts';
import { type GroupId, GroupMap } from '../accord/topology/group-id.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import { Outlet } from '../runtime/cells/outlet.ts';
import type { Clock } from '../runtime/ports/ports.ts';
import type { CoordinatorActorMessage } from '../store/messages.ts';
import {
  type FramedRequest,
  isFramedRequest,
  probeFrame,
  readFrame,
  replyKindOf,
  requestFrame,
  requestFrameBytes,
  requestKeyOf,
} from './accord-frames.ts';
import type { VoteSlots } from './vote-slots.ts';

export type QuorumActorMessage =
  | {
      readonly type: 'Send';
      readonly group: GroupId;
      readonly to: number;
      readonly message: AccordMessage;
    }
  | { readonly type: 'Frame'; readonly frame: Uint8Array; readonly sender: number }
  | { readonly type: 'Opened'; readonly path: FramePath | undefined }
  | { readonly type: 'PeerUp' | 'PeerDown'; readonly peer: number }
  /** A group begins. */
  | { readonly type: 'Begin'; readonly group: FramedGroup }
  | { readonly type: 'Tick' };

/** A group whose members are those of the fan-out set. */
export interface FramedGroup {
  readonly id: GroupId;
  readonly slots: VoteSlots;
  readonly coordinator: ActorRef<CoordinatorActorMessage>;
}

interface QuorumActorOptions {
  readonly self: number;
  /** All of them so far. */
  readonly groups: () => readonly FramedGroup[];
  readonly source: FramePathSource;
  /** Peers whose TCP links are up when this actor starts. */
  readonly connected: () => ReadonlySet<number>;
  readonly toLink: (peer: number, group: GroupId, message: AccordMessage) => void;
  /** Judges a message and hands it to its group; `true`: it was sound. */
  readonly deliver: (from: number, group: GroupId, message: AccordMessage) => boolean;
  readonly observe: QuorumObserver;
}

export interface QuorumObserver {
  /** A quorum was counted below the actors `elapsedMs` after its round began. */
  quorum?(elapsedMs: number): void;
  /** A new incarnation started; `read` returns its counters. */
  frameCounters?(read: () => Readonly<Record<string, number>>): void;
}

/**
 * Both ends compute a frame's tag in TypeScript, at two nanoseconds per byte: above this size TCP
 * is cheaper, even if the path could carry more.
 */
export const REQUEST_BYTES_MAX = 16_384;
/** Unanswered requests of peers; beyond them the oldest is answered over TCP. */
export const REQUESTS_MAX = 8_192;
/** PreAccepts in flight over TCP; beyond them the order against frames is not kept. */
const LARGE_MAX = 1_024;
const TICK_MS = 250;
/** A round without a quorum by then gives up its slot and is repeated over TCP. */
const COUNT_MS_MAX = 250;
const FORGET_MS = 10_000;
const PROBE_TICKS = 2;
/** A member that has answered no probe for this long gets no frames. */
const SILENT_MS_MAX = 1_600;
const REOPEN_TICKS = 4;

/** The ways of a group from here. */
interface Framed {
  readonly id: GroupId;
  readonly slots: VoteSlots;
  /** Not the context's outlet: `stopped` still sends what was counted. */
  readonly coordinator: Outlet<CoordinatorActorMessage>;
}

type Batch = {
  readonly framed: Framed;
  readonly first: FramedRequest;
  readonly messages: Map<number, FramedRequest>;
};

export function mayTravelAsFrame(message: AccordMessage): boolean {
  if (!isFramedRequest(message) && !isBareOk(message)) return false;
  // A round over several groups is counted by its coordinator alone.
  return !isSpanning(message.id);
}

export function quorumActor(
  context: ActorContext<QuorumActorMessage>,
  options: QuorumActorOptions,
): Behavior<QuorumActorMessage> {
  return new QuorumShell(context, options);
}

class QuorumShell implements Behavior<QuorumActorMessage> {
  readonly #options: QuorumActorOptions;
  readonly #clock: Clock;
  readonly #thisIncarnation: ActorRef<QuorumActorMessage>;
  readonly #groups = new GroupMap<Framed>();
  readonly #members: readonly number[];
  readonly #peers: readonly number[];
  /** This node's place in the list of members. */
  readonly #sender: number;
  readonly #up: Set<number>;
  /** When the member last answered a probe. */
  readonly #heardMs = new Map<number, number>();
  /** Headers of unanswered requests that arrived as frames. */
  readonly #requests = new Map<string, Uint8Array>();
  /** PreAccepts sent over TCP, by transaction: a later frame must not overtake them. */
  readonly #large = new Map<string, number>();
  readonly #counters = { rounds: 0, over_tcp: 0, replies: 0, unreadable: 0 };
  #path: FramePath | undefined;
  /** Opened, but the message that hands it over has not been received. */
  #offered: FramePath | undefined;
  #batch: Batch | undefined;
  #probes = 0;
  #ticks = 0;
  #opening = false;

  constructor(context: ActorContext<QuorumActorMessage>, options: QuorumActorOptions) {
    const { self, source, observe } = options;
    this.#options = options;
    this.#clock = context.clock;
    this.#thisIncarnation = context.thisIncarnation;
    for (const group of options.groups()) this.#begin(group);
    this.#members = source.members;
    this.#peers = source.members.filter((member) => member !== self);
    this.#sender = source.members.indexOf(self);
    this.#up = new Set(options.connected());
    observe.frameCounters?.(() => ({ ...this.#counters, reachable: this.#heardMs.size }));
    context.timers.startPeriodic('tick', TICK_MS, { type: 'Tick' });
    this.#open();
  }

  receive(message: QuorumActorMessage): void {
    switch (message.type) {
      case 'Send':
        return this.#send(message.group, message.to, message.message);
      case 'Frame':
        return this.#received(message.frame, message.sender);
      case 'Opened':
        return this.#opened(message.path);
      case 'PeerUp':
        this.#up.add(message.peer);
        return this.#probe();
      case 'PeerDown':
        this.#up.delete(message.peer);
        this.#heardMs.delete(message.peer);
        return;
      case 'Begin':
        return this.#begin(message.group);
      case 'Tick':
        return this.#tick();
    }
  }

  /** It may be among those of the beginning, too. */
  #begin({ id, slots, coordinator }: FramedGroup): void {
    if (this.#groups.has(id)) return;
    this.#groups.set(id, { id, slots, coordinator: new Outlet(coordinator) });
    if (this.#path !== undefined) slots.attach(this.#path.notifier);
  }

  turnEnd(): void {
    this.#flush();
  }

  stopped(): void {
    for (const framed of this.#groups.values()) this.#tell(framed, framed.slots.detach());
    this.#path?.close();
    this.#offered?.close();
    this.#path = undefined;
    this.#offered = undefined;
  }

  describe() {
    return {
      open: this.#path !== undefined,
      heard: [...this.#heardMs.keys()],
      armed: [...this.#groups.values()].reduce((sum, { slots }) => sum + slots.armed, 0),
      unanswered: this.#requests.size,
      ...this.#counters,
    };
  }

  #open(): void {
    this.#opening = true;
    const ref = this.#thisIncarnation;
    this.#options.source.open(
      // A dropped frame counts as lost: the protocol repeats its message over TCP.
      (frame, from) => tellOrDrop(ref, { type: 'Frame', frame, sender: from }),
      (opened) => {
        // An incarnation that has ended, or ends before `Opened` arrives, must not leak a socket.
        if (ref.tell({ type: 'Opened', path: opened })) this.#offered = opened;
        else opened?.close();
      },
    );
  }

  #opened(fresh: FramePath | undefined): void {
    this.#opening = false;
    this.#offered = undefined;
    this.#path = fresh;
    if (fresh === undefined) return;
    const { observe } = this.#options;
    for (const { slots } of this.#groups.values()) slots.attach(fresh.notifier);
    fresh.notifier.onQuorum = (events) => {
      const nowMs = this.#clock.monotonicMs();
      const counted = (elapsedMs: number): void => observe.quorum?.(elapsedMs);
      for (const framed of this.#groups.values()) {
        this.#tell(framed, framed.slots.quorums(events, nowMs, counted));
      }
    };
    this.#probe();
  }

  #tell({ id, coordinator }: Framed, answers: readonly BareOk[]): void {
    if (answers.length > 0) coordinator.send({ type: 'Quorum', group: id, answers });
  }

  #send(group: GroupId, to: number, message: AccordMessage): void {
    const framed = this.#groups.get(group);
    if (framed === undefined) this.#options.toLink(to, group, message);
    else if (isFramedRequest(message)) this.#request(framed, to, message);
    else if (isBareOk(message)) this.#reply(group, to, message);
    else this.#options.toLink(to, group, message);
  }

  // ---- requests of this node ----------------------------------------------------------------

  /** One request to several members arrives as consecutive messages; they become one frame. */
  #request(framed: Framed, to: number, message: FramedRequest): void {
    if (this.#batch !== undefined && !isSameRequest(this.#batch.first, message)) this.#flush();
    this.#batch ??= { framed, first: message, messages: new Map() };
    this.#batch.messages.set(to, message);
  }

  #flush(): void {
    if (this.#batch === undefined) return;
    const { framed, first, messages } = this.#batch;
    this.#batch = undefined;
    const reached = this.#sendAsFrame(framed, first, messages);
    if (reached) this.#counters.rounds += 1;
    for (const [to, message] of messages) {
      if (reached && (!this.#up.has(to) || this.#isHeard(to))) continue;
      this.#counters.over_tcp += 1;
      this.#options.toLink(to, framed.id, message);
    }
    // Not earlier: the slot shows whether this request is a repetition.
    if (first.type === 'Stable') framed.slots.end(first.id);
    if (first.type !== 'PreAccept') this.#large.delete(keyOf(first.id));
  }

  /** True when every member that frames can reach has been sent one. */
  #sendAsFrame(framed: Framed, first: FramedRequest, messages: Batch['messages']): boolean {
    const path = this.#path;
    if (path === undefined || messages.size < this.#peers.length || !this.#someHeard()) {
      return false;
    }
    if (requestFrameBytes(first) > Math.min(path.frameBytesMax, REQUEST_BYTES_MAX)) {
      if (first.type === 'PreAccept' && this.#large.size < LARGE_MAX) {
        this.#large.set(keyOf(first.id), this.#clock.monotonicMs());
      }
      return false;
    }
    if (first.type === 'PreAccept') {
      if (this.#large.size > 0) return false;
    } else if (!framed.slots.knows(first.id)) {
      // A frame has no room for the definition. And a transaction that began over TCP is cheaper
      // there: its messages join those already being written.
      return false;
    }
    if (first.type !== 'Stable') return this.#sendRound(path, framed, first);
    const frame = requestFrame(first, this.#sender, PEER_GROUP, framed.id);
    return this.#sendToAll(path, frame, undefined);
  }

  #sendRound(
    path: FramePath,
    { id: group, slots }: Framed,
    first: Exclude<FramedRequest, { type: 'Stable' }>,
  ): boolean {
    const { type: round, id } = first;
    const ballot = first.type === 'PreAccept' ? ZERO : first.ballot;
    if (slots.isRepeated(round, id, ballot)) return false;
    const frame = requestFrame(first, this.#sender, PEER_GROUP, group);
    const counted = {
      round,
      id,
      ballot,
      replyKind: replyKindOf(round),
      frameRound: frameRound(frame),
    };
    const armed = slots.begin(counted, this.#clock.monotonicMs());
    if (armed !== undefined) writeSlot(frame, armed.slot, armed.need);
    return this.#sendToAll(path, frame, armed?.slot);
  }

  #sendToAll(path: FramePath, frame: Buffer, slot: QuorumSlot | undefined): boolean {
    if (this.#peers.every((peer) => !this.#up.has(peer) || this.#isHeard(peer))) {
      return path.sendGroup(frame, slot);
    }
    sealFrame(frame, path.key());
    let all = true;
    for (const peer of this.#peers) {
      if (this.#isHeard(peer)) all = path.send(frame, this.#members.indexOf(peer)) && all;
    }
    return all;
  }

  // ---- requests of peers --------------------------------------------------------------------

  #received(frame: Uint8Array, from: number): void {
    const { deliver } = this.#options;
    const peer = this.#members[from];
    const content = peer === undefined ? undefined : readFrame(frame);
    if (peer === undefined || content === undefined) {
      this.#counters.unreadable += 1;
      return;
    }
    switch (content.type) {
      case 'probe':
        this.#path?.send(encodeBareOk(frame, this.#sender, this.#path.key()), from);
        return;
      case 'probeOk':
        this.#heardMs.set(peer, this.#clock.monotonicMs());
        return;
      case 'request':
        if (!deliver(peer, content.group, content.message)) return;
        if (content.replyKey !== '') this.#remember(`${peer} ${content.replyKey}`, frame);
        return;
      case 'reply':
        deliver(peer, content.group, content.message);
        return;
    }
  }

  #remember(key: string, frame: Uint8Array): void {
    if (this.#requests.size >= REQUESTS_MAX) {
      for (const oldest of this.#requests.keys()) {
        this.#requests.delete(oldest);
        break;
      }
    }
    // Copied, so that the header does not keep the whole frame alive.
    this.#requests.set(key, Uint8Array.from(frame.subarray(0, FRAME_HEADER_BYTES)));
  }

  /** A reply goes back as its request came: as a frame, or over the link. */
  #reply(group: GroupId, to: number, message: BareOkFrame): void {
    const key = `${to} ${requestKeyOf(message)}`;
    const asked = this.#requests.get(key);
    this.#requests.delete(key);
    const path = this.#path;
    if (asked !== undefined && path !== undefined) {
      const frame = encodeBareOk(asked, this.#sender, path.key());
      if (path.send(frame, this.#members.indexOf(to))) {
        this.#counters.replies += 1;
        return;
      }
    }
    this.#options.toLink(to, group, message);
  }

  // ---- reachability -------------------------------------------------------------------------

  #isHeard(peer: number): boolean {
    return this.#heardMs.has(peer);
  }

  #someHeard(): boolean {
    for (const peer of this.#heardMs.keys()) if (this.#up.has(peer)) return true;
    return false;
  }

  /** Probes are as large as the largest request, so that a link with a smaller MTU shows. */
  #probe(): void {
    const path = this.#path;
    if (path === undefined) return;
    this.#probes += 1;
    const bytes = Math.min(path.frameBytesMax, REQUEST_BYTES_MAX);
    const frame = probeFrame(this.#sender, PEER_GROUP, this.#probes, bytes, path.key());
    for (const peer of this.#peers) {
      if (this.#up.has(peer)) path.send(frame, this.#members.indexOf(peer));
    }
  }

  #tick(): void {
    this.#ticks += 1;
    const nowMs = this.#clock.monotonicMs();
    for (const framed of this.#groups.values()) {
      this.#tell(framed, framed.slots.sweep(nowMs - COUNT_MS_MAX, nowMs - FORGET_MS));
    }
    for (const [key, sinceMs] of this.#large) {
      if (nowMs - sinceMs > COUNT_MS_MAX) this.#large.delete(key);
    }
    for (const [peer, atMs] of this.#heardMs) {
      if (nowMs - atMs > SILENT_MS_MAX) this.#heardMs.delete(peer);
    }
    if (this.#path === undefined && !this.#opening && this.#ticks % REOPEN_TICKS === 0) {
      this.#open();
    }
    if (this.#ticks % PROBE_TICKS === 0) this.#probe();
    this.#path?.refresh();
  }
}

function isSameRequest(a: FramedRequest, b: FramedRequest): boolean {
  if (a.type !== b.type || !isSame(a.id, b.id)) return false;
  const ballots = 'ballot' in a && 'ballot' in b;
  return !ballots || isSame(a.ballot, b.ballot);
}

function isSame(a: TxnId, b: TxnId): boolean {
  return a === b || equal(a, b);
}
