/**
 * Quorum: owns the node's path for single frames and the notifier that counts plain replies below
 * the actors. Sends requests that fit a frame to all members at once, answers requests that came
 * as frames, and tells the coordinator of quorums in batches. Whatever cannot go this way goes
 * over the peer's TCP link. Nothing is decided here, and nothing is lost when it fails but speed.
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
import type { MessageJudge } from '../accord/messages/message-judge.ts';
import type { AccordMessage } from '../accord/messages/messages.ts';
import { equal, keyOf, type TxnId, ZERO } from '../accord/primitives/timestamp.ts';
import type { Group } from '../accord/topology/group.ts';
import { type ActorRef, tellOrDrop } from '../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../runtime/behavior.ts';
import { Outlet } from '../runtime/cells/outlet.ts';
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
  | { readonly type: 'Send'; readonly to: number; readonly message: AccordMessage }
  | { readonly type: 'Frame'; readonly frame: Uint8Array; readonly sender: number }
  | { readonly type: 'Opened'; readonly path: FramePath | undefined }
  | { readonly type: 'PeerUp' | 'PeerDown'; readonly peer: number }
  | { readonly type: 'Tick' };

interface QuorumActorOptions {
  readonly self: number;
  readonly group: Group;
  readonly source: FramePathSource;
  readonly slots: VoteSlots;
  /** Peers whose TCP links are up as this actor begins. */
  readonly connected: () => ReadonlySet<number>;
  readonly toLink: (peer: number, message: AccordMessage) => void;
  readonly judge: MessageJudge;
  readonly deliver: (from: number, message: FramedRequest | BareOkFrame) => void;
  readonly coordinator: ActorRef<CoordinatorActorMessage>;
  readonly observe: QuorumObserver;
}

export interface QuorumObserver {
  /** A quorum was counted below the actors, so long after its round began. */
  quorum?(elapsedMs: number): void;
  /** A fresh incarnation; what it counts can be read so. */
  frameCounters?(read: () => Readonly<Record<string, number>>): void;
}

/**
 * A tag is computed in TypeScript at both ends, at two nanoseconds per byte: beyond this size TCP
 * is cheaper, also where the link would carry more.
 */
export const REQUEST_BYTES_MAX = 16_384;
/** Requests of peers that wait for this node's replies; the oldest is answered over TCP. */
export const REQUESTS_MAX = 8_192;
/** PreAccepts under way over TCP; beyond them order is not looked after. */
const LARGE_MAX = 1_024;
const TICK_MS = 250;
/** A round that has no quorum by then is repeated over TCP: its slot is given up. */
const COUNT_MS_MAX = 250;
const FORGET_MS = 10_000;
const PROBE_TICKS = 2;
/** A member that has answered no probe for so long gets no frames. */
const SILENT_MS_MAX = 1_600;
const REOPEN_TICKS = 4;

type Batch = { readonly first: FramedRequest; readonly messages: Map<number, FramedRequest> };

export function mayTravelAsFrame(message: AccordMessage): boolean {
  return isFramedRequest(message) || isBareOk(message);
}

export function quorumActor(
  context: ActorContext<QuorumActorMessage>,
  options: QuorumActorOptions,
): Behavior<QuorumActorMessage> {
  const { clock: time, thisIncarnation } = context;
  const { self, group, slots, source, toLink, observe } = options;
  /** Not this incarnation's alone: what was counted is told when it ends, too. */
  const coordinator = new Outlet(options.coordinator);
  const peers = group.members.filter((member) => member !== self);
  const sender = group.members.indexOf(self);
  const up = new Set(options.connected());
  /** When each member last showed that whole frames reach it and its answers us. */
  const heardMs = new Map<number, number>();
  /** Headers of requests that came as frames and have not been answered. */
  const requests = new Map<string, Uint8Array>();
  /** PreAccepts that went over TCP, by transaction: those behind them must not overtake. */
  const large = new Map<string, number>();
  const counters = { rounds: 0, over_tcp: 0, replies: 0, unreadable: 0 };
  let path: FramePath | undefined;
  /** Open, and on its way to this incarnation. */
  let offered: FramePath | undefined;
  let batch: Batch | undefined;
  let probes = 0;
  let ticks = 0;
  let opening = false;

  function open(): void {
    opening = true;
    source.open(
      // A frame that is dropped was lost on the way: what matters is repeated over TCP.
      (frame, from) => tellOrDrop(thisIncarnation, { type: 'Frame', frame, sender: from }),
      (opened) => {
        // An incarnation that has ended, or ends before it hears of it, must not keep a socket.
        if (thisIncarnation.tell({ type: 'Opened', path: opened })) offered = opened;
        else opened?.close();
      },
    );
  }

  function opened(fresh: FramePath | undefined): void {
    opening = false;
    offered = undefined;
    path = fresh;
    if (fresh === undefined) return;
    slots.attach(fresh.notifier);
    fresh.notifier.onQuorum = (batch) => {
      tell(slots.quorums(batch, time.monotonicMs(), (elapsedMs) => observe.quorum?.(elapsedMs)));
    };
    probe();
  }

  function tell(answers: readonly BareOk[]): void {
    if (answers.length > 0) coordinator.send({ type: 'Quorum', answers });
  }

  // ---- requests of this node ----------------------------------------------------------------

  /** The same request to several members comes as messages in a row: they are one frame. */
  function request(to: number, message: FramedRequest): void {
    if (batch !== undefined && !isSameRequest(batch.first, message)) flush();
    batch ??= { first: message, messages: new Map() };
    batch.messages.set(to, message);
  }

  function flush(): void {
    if (batch === undefined) return;
    const { first, messages } = batch;
    batch = undefined;
    const reached = sendAsFrame(first, messages);
    if (reached) counters.rounds += 1;
    for (const [to, message] of messages) {
      if (reached && (!up.has(to) || isHeard(to))) continue;
      counters.over_tcp += 1;
      toLink(to, message);
    }
    // Only now: until here the slot tells whether it is a repetition.
    if (first.type === 'Stable') slots.end(first.id);
    if (first.type !== 'PreAccept') large.delete(keyOf(first.id));
  }

  /** True when all members that can get frames have been sent one. */
  function sendAsFrame(first: FramedRequest, messages: Batch['messages']): boolean {
    if (path === undefined || messages.size < peers.length || !someHeard()) return false;
    if (requestFrameBytes(first) > Math.min(path.frameBytesMax, REQUEST_BYTES_MAX)) {
      if (first.type === 'PreAccept' && large.size < LARGE_MAX) {
        large.set(keyOf(first.id), time.monotonicMs());
      }
      return false;
    }
    if (first.type === 'PreAccept') {
      if (large.size > 0) return false;
    } else if (!slots.knows(first.id)) {
      // A frame has no room for the definition. And what began over TCP is cheaper there: it joins
      // what is being written anyway.
      return false;
    }
    if (first.type !== 'Stable') return sendRound(path, first);
    return sendToAll(path, requestFrame(first, sender, PEER_GROUP, group.id), undefined);
  }

  function sendRound(way: FramePath, first: Exclude<FramedRequest, { type: 'Stable' }>): boolean {
    const { type: round, id } = first;
    const ballot = first.type === 'PreAccept' ? ZERO : first.ballot;
    if (slots.isRepeated(round, id, ballot)) return false;
    const frame = requestFrame(first, sender, PEER_GROUP, group.id);
    const counted = {
      round,
      id,
      ballot,
      replyKind: replyKindOf(round),
      frameRound: frameRound(frame),
    };
    const armed = slots.begin(counted, time.monotonicMs());
    if (armed !== undefined) writeSlot(frame, armed.slot, armed.need);
    return sendToAll(way, frame, armed?.slot);
  }

  function sendToAll(way: FramePath, frame: Buffer, slot: QuorumSlot | undefined): boolean {
    if (peers.every((peer) => !up.has(peer) || isHeard(peer))) return way.sendGroup(frame, slot);
    sealFrame(frame, way.key);
    let all = true;
    for (const peer of peers) {
      if (isHeard(peer)) all = way.send(frame, group.members.indexOf(peer)) && all;
    }
    return all;
  }

  // ---- requests of peers --------------------------------------------------------------------

  function received(frame: Uint8Array, from: number): void {
    const peer = group.members[from];
    const content = peer === undefined ? undefined : readFrame(frame, group.id);
    if (peer === undefined || content === undefined) {
      counters.unreadable += 1;
      return;
    }
    switch (content.type) {
      case 'probe':
        path?.send(encodeBareOk(frame, sender, path.key), from);
        return;
      case 'probeOk':
        heardMs.set(peer, time.monotonicMs());
        return;
      case 'request':
        if (!options.judge.accepts(peer, content.message)) return;
        if (content.replyKey !== '') remember(`${peer} ${content.replyKey}`, frame);
        return options.deliver(peer, content.message);
      case 'reply':
        if (options.judge.accepts(peer, content.message)) options.deliver(peer, content.message);
        return;
    }
  }

  function remember(key: string, frame: Uint8Array): void {
    if (requests.size >= REQUESTS_MAX) {
      for (const oldest of requests.keys()) {
        requests.delete(oldest);
        break;
      }
    }
    // A copy: the header must not keep the whole frame.
    requests.set(key, Uint8Array.from(frame.subarray(0, FRAME_HEADER_BYTES)));
  }

  /** A reply whose records are on disk. It takes the way that its request came. */
  function reply(to: number, message: BareOkFrame): void {
    const key = `${to} ${requestKeyOf(message)}`;
    const asked = requests.get(key);
    requests.delete(key);
    if (asked !== undefined && path !== undefined) {
      const frame = encodeBareOk(asked, sender, path.key);
      if (path.send(frame, group.members.indexOf(to))) {
        counters.replies += 1;
        return;
      }
    }
    toLink(to, message);
  }

  // ---- who can be reached -------------------------------------------------------------------

  function isHeard(peer: number): boolean {
    return heardMs.has(peer);
  }

  function someHeard(): boolean {
    for (const peer of heardMs.keys()) if (up.has(peer)) return true;
    return false;
  }

  /** With the largest frame that will be sent: what stops those shows here. */
  function probe(): void {
    if (path === undefined) return;
    probes += 1;
    const bytes = Math.min(path.frameBytesMax, REQUEST_BYTES_MAX);
    const frame = probeFrame(sender, PEER_GROUP, probes, bytes, path.key);
    for (const peer of up) path.send(frame, group.members.indexOf(peer));
  }

  function tick(): void {
    ticks += 1;
    const nowMs = time.monotonicMs();
    tell(slots.sweep(nowMs - COUNT_MS_MAX, nowMs - FORGET_MS));
    for (const [key, sinceMs] of large) if (nowMs - sinceMs > COUNT_MS_MAX) large.delete(key);
    for (const [peer, atMs] of heardMs) if (nowMs - atMs > SILENT_MS_MAX) heardMs.delete(peer);
    if (path === undefined && !opening && ticks % REOPEN_TICKS === 0) open();
    if (ticks % PROBE_TICKS === 0) probe();
    path?.refresh();
  }

  function close(): void {
    tell(slots.detach());
    path?.close();
    offered?.close();
    path = undefined;
    offered = undefined;
  }

  observe.frameCounters?.(() => ({ ...counters, reachable: heardMs.size }));
  context.timers.startPeriodic('tick', TICK_MS, { type: 'Tick' });
  open();

  return {
    receive(message) {
      switch (message.type) {
        case 'Send': {
          const { to, message: content } = message;
          if (isFramedRequest(content)) return request(to, content);
          return isBareOk(content) ? reply(to, content) : toLink(to, content);
        }
        case 'Frame':
          return received(message.frame, message.sender);
        case 'Opened':
          return opened(message.path);
        case 'PeerUp':
          up.add(message.peer);
          return probe();
        case 'PeerDown':
          up.delete(message.peer);
          heardMs.delete(message.peer);
          return;
        case 'Tick':
          return tick();
      }
    },
    turnEnd: flush,
    stopped: close,
    describe: () => ({
      open: path !== undefined,
      heard: [...heardMs.keys()],
      armed: slots.armed,
      unanswered: requests.size,
      ...counters,
    }),
  };
}

function isSameRequest(a: FramedRequest, b: FramedRequest): boolean {
  if (a.type !== b.type || !isSame(a.id, b.id)) return false;
  const ballots = 'ballot' in a && 'ballot' in b;
  return !ballots || isSame(a.ballot, b.ballot);
}

function isSame(a: TxnId, b: TxnId): boolean {
  return a === b || equal(a, b);
}
