/**
 * The one router of a node: hands the messages of peers to the actors of the store that holds their
 * group, once they are judged. Messages for a group or on a channel that this node does not serve
 * are counted and dropped: the sender may know another topology, so its link stays open.
 */

import type { MessageJudge } from '../accord/messages/message-judge.ts';
import { type AccordMessage, isForCoordinator, ownerOf } from '../accord/messages/messages.ts';
import type { MessageValidator } from '../accord/messages/validation.ts';
import { isSpanning } from '../accord/primitives/timestamp.ts';
import { type GroupId, GroupMap } from '../accord/topology/group-id.ts';
import { tellOrDrop } from '../runtime/actor-ref.ts';
import type { Outlet } from '../runtime/cells/outlet.ts';
import type { CoordinatorActorMessage, ReplicaActorMessage } from '../store/messages.ts';

/** Where the messages of one group go. */
interface GroupRoute {
  readonly id: GroupId;
  readonly validator: MessageValidator;
  /** Absent for a group of other nodes, which only answers what is coordinated here. */
  readonly replica: Outlet<ReplicaActorMessage> | undefined;
  readonly coordinator: Outlet<CoordinatorActorMessage> | undefined;
}

/** Of a peer, dropped: frames on unknown channels, messages for groups that are not here. */
export interface Unrouted {
  readonly channel: number;
  readonly group: number;
}

/** The coordinator of a store of this node, by number. */
type CoordinatorOf = (store: number) => Outlet<CoordinatorActorMessage> | undefined;

const NOTHING: Unrouted = { channel: 0, group: 0 };

export class Router {
  readonly #judge: MessageJudge;
  readonly #routes: GroupMap<GroupRoute>;
  readonly #unrouted = new Map<number, Unrouted>();

  readonly #coordinatorOf: CoordinatorOf;

  constructor(judge: MessageJudge, routes: readonly GroupRoute[], coordinatorOf: CoordinatorOf) {
    this.#judge = judge;
    this.#coordinatorOf = coordinatorOf;
    this.#routes = new GroupMap(routes.map((route) => [route.id, route]));
  }

  /** A group that begins. */
  add(route: GroupRoute): void {
    this.#routes.set(route.id, route);
  }

  /** Since the start, by peer; one that has sent nothing of the kind is missing. */
  get unrouted(): ReadonlyMap<number, Unrouted> {
    return this.#unrouted;
  }

  unroutedOf(peer: number): Unrouted {
    return this.#unrouted.get(peer) ?? NOTHING;
  }

  /** `true`: the message is sound and its group is here. */
  receive(from: number, group: GroupId, message: object): message is AccordMessage {
    const route = this.#routes.get(group);
    if (route === undefined) {
      this.#drop(from, 'group');
      return false;
    }
    if (!this.#judge.accepts(route.validator, from, message)) return false;
    const protocol = { type: 'Protocol', from, group: route.id, message } as const;
    const isAnswer = isForCoordinator(message);
    const coordinator = isAnswer ? this.#coordinatorFor(route, message) : undefined;
    const replica = isAnswer ? undefined : route.replica;
    if (coordinator === undefined && replica === undefined) {
      this.#drop(from, 'group');
      return false;
    }
    // Lost on the way from the peer, if anything: the protocol repeats it.
    if (coordinator !== undefined) tellOrDrop(coordinator, protocol);
    if (replica !== undefined) tellOrDrop(replica, protocol);
    return true;
  }

  /** A transaction over several groups has the name of its coordinating store in its timestamps. */
  #coordinatorFor(
    { coordinator }: GroupRoute,
    message: Parameters<typeof ownerOf>[0],
  ): Outlet<CoordinatorActorMessage> | undefined {
    return isSpanning(message.id) ? this.#coordinatorOf(ownerOf(message).store) : coordinator;
  }

  /** A frame on a channel that this version does not speak. */
  unknownChannel(from: number): void {
    this.#drop(from, 'channel');
  }

  #drop(from: number, what: keyof Unrouted): void {
    const before = this.unroutedOf(from);
    this.#unrouted.set(from, { ...before, [what]: before[what] + 1 });
  }
}
