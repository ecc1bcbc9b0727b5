/**
 * Forwarding: hands parts of this node's clients to members of their groups where this node is
 * none, and runs what nodes that are no members hand to this one. Beside the gateway and the
 * stores, which know nothing of it; where all nodes are members of all groups there is none.
 */
import type { Part, ReplyFlow, StoreNews } from '../../../transport/resp/connection/part.ts';
import type { GroupId } from '../../accord/topology/group-id.ts';
import { type ActorRef, tellOrDrop } from '../../runtime/actor-ref.ts';
import type { ActorContext, Behavior } from '../../runtime/behavior.ts';
import { INDETERMINATE, REFUSED } from '../../store/client-errors.ts';
import type { ForwardingCounts } from './forwarding-counts.ts';
import { type ForwardingMessage, isForMember } from './forwarding-message.ts';
import { SentParts } from './sent-parts.ts';
import { isTaken, TakenParts } from './taken-parts.ts';

export type ForwardingActorMessage =
  /** Of a client of this node, whose groups are elsewhere. */
  | { readonly type: 'Part'; readonly part: Part }
  | ReplyFlow
  /** Of the stores: to parts of other nodes, or for their clients. */
  | StoreNews
  | { readonly type: 'FromPeer'; readonly peer: number; readonly message: ForwardingMessage }
  /** The link had no room, or was down. */
  | {
      readonly type: 'NotSent';
      readonly peer: number;
      readonly messages: readonly ForwardingMessage[];
    }
  | { readonly type: 'PeerUp' | 'PeerDown'; readonly peer: number }
  /** The node stops: answers when no client waits for another node. */
  | { readonly type: 'Drain'; readonly replyTo: ActorRef<{ readonly type: 'Drained' }> }
  | { readonly type: 'Tick' };

export interface ForwardingLimits {
  /** Parts of this node's clients at other nodes, and of theirs here: each so many at a time, */
  readonly partsMax: number;
  /** and so many bytes of commands. */
  readonly bytesMax: number;
}

export const FORWARDING_LIMITS: ForwardingLimits = Object.freeze({
  partsMax: 16_384,
  bytesMax: 64 * 1024 * 1024,
});

interface ForwardingOptions {
  /** As this actor begins. */
  readonly connected: () => ReadonlySet<number>;
  readonly limits: ForwardingLimits;
  readonly timeoutMs: number;
  readonly elsewhere: () => readonly GroupId[];
  readonly isElsewhere: (group: GroupId) => boolean;
  readonly membersOf: (group: GroupId) => readonly number[];
  readonly areIn: (groups: readonly GroupId[], slots: readonly number[]) => boolean;
  readonly roundTripMs: (peer: number) => number;
  readonly submit: (part: Part) => boolean;
  readonly flow: (message: ReplyFlow) => void;
  readonly tracks: (isOn: boolean) => void;
  readonly toClients: (news: StoreNews) => void;
  readonly toPeer: (peer: number, message: ForwardingMessage) => boolean;
  readonly counts: ForwardingCounts;
}

const TICK_MS = 50;

export function forwardingActor(
  context: ActorContext<ForwardingActorMessage>,
  options: ForwardingOptions,
): Behavior<ForwardingActorMessage> {
  return new Forwarding(context, options);
}

class Forwarding implements Behavior<ForwardingActorMessage> {
  readonly #sent: SentParts;
  readonly #taken: TakenParts;
  #drained: ActorRef<{ readonly type: 'Drained' }> | undefined;

  constructor(context: ActorContext<ForwardingActorMessage>, options: ForwardingOptions) {
    const { limits, counts, toPeer: send, membersOf } = options;
    const { partsMax, bytesMax } = limits;
    this.#sent = new SentParts({
      ...{ partsMax, bytesMax, counts, send, membersOf },
      ...{ elsewhere: options.elsewhere, isElsewhere: options.isElsewhere },
      ...{ roundTripMs: options.roundTripMs, submitHere: options.submit },
      ...{ timeoutMs: options.timeoutMs, toClients: options.toClients },
      nowMs: () => context.clock.monotonicMs(),
      lastId: 1 + Math.floor(context.rng.next() * 2 ** 52),
    });
    this.#taken = new TakenParts({
      ...{ partsMax, bytesMax, counts, send, areIn: options.areIn },
      ...{ submit: options.submit, flow: options.flow, tracks: options.tracks },
      isMember: (group, node) => membersOf(group).includes(node),
    });
    for (const peer of options.connected()) this.#peerUp(peer);
    context.timers.startPeriodic('tick', TICK_MS, { type: 'Tick' });
  }

  receive(message: ForwardingActorMessage): void {
    switch (message.type) {
      case 'Part':
        return this.#sent.submit(message.part);
      case 'ReplyCredit':
      case 'RepliesAbandoned':
      case 'StopWaiting':
      case 'PassWait':
      case 'TrackWrites':
        return this.#sent.flow(message);
      case 'PartReplies':
      case 'PartFailed':
      case 'RepliesLost':
        return this.#taken.answered(message);
      case 'KeysReady':
      case 'KeysWritten':
      case 'KeysChanged':
      case 'WaitsLost':
      case 'ScriptsLogged':
      case 'ScriptsDenied':
        return this.#taken.relay(message);
      case 'FromPeer':
        return this.#receive(message.peer, message.message);
      case 'NotSent':
        this.#sent.notSent(message.peer, message.messages.filter(isForMember));
        return this.#taken.notSent(
          message.peer,
          message.messages.filter((each) => !isForMember(each)),
        );
      case 'PeerUp':
        return this.#peerUp(message.peer);
      case 'PeerDown':
        this.#sent.peerDown(message.peer);
        return this.#taken.peerDown(message.peer);
      case 'Drain':
        this.#drained = message.replyTo;
        return;
      case 'Tick':
        this.#sent.onTick();
        return this.#taken.onTick();
    }
  }

  turnEnd(): void {
    if (this.#drained === undefined || this.#sent.size > 0) return;
    // The asker has given up if this is refused.
    tellOrDrop(this.#drained, { type: 'Drained' });
    this.#drained = undefined;
  }

  stopped(): void {
    if (this.#drained === undefined) {
      this.#sent.failAll(REFUSED.restarted, INDETERMINATE.restarted);
    } else this.#sent.failAll(REFUSED.stopping, INDETERMINATE.stopping);
    this.#taken.dropAll();
  }

  describe(): unknown {
    return { underWay: this.#sent.size, taken: this.#taken.size };
  }

  #receive(peer: number, message: ForwardingMessage): void {
    if (isForMember(message)) this.#taken.received(peer, message);
    else this.#sent.received(peer, message);
  }

  #peerUp(peer: number): void {
    this.#taken.peerUp(peer);
    this.#sent.peerUp(peer);
  }
}

/** Whether an answer is to a part of another node. */
export function isForPeer(news: StoreNews): boolean {
  return 'unit' in news && isTaken(news.unit);
}
