/**
 * The one router of a node: hands the messages of peers to the actors of the store that holds their
 * group, once they are judged. Messages for a group or on a channel that this node does not serve
 * are counted and dropped: the sender may know another topology, so its link stays open.
 */

import type { MessageJudge } from '../accord/messages/message-judge.ts';
import { type AccordMessage, isForCoordinator } from '../accord/messages/messages.ts';
import type { MessageValidator } from '../accord/messages/validation.ts';
import { type GroupId, GroupMap } from '../accord/topology/group-id.ts';
import { tellOrDrop } from '../runtime/actor-ref.ts';
import type { Outlet } from '../runtime/cells/outlet.ts';
import type { CoordinatorActorMessage, ReplicaActorMessage } from '../store/messages.ts';

/** Where the messages of one group go. */
interface GroupRoute {
  readonly id: GroupId;
  readonly validator: MessageValidator;
  readonly replica: Outlet<ReplicaActorMessage>;
  readonly coordinator: Outlet<CoordinatorActorMessage>;
}

/** Of a peer, dropped: frames on unknown channels, messages for groups that are not here. */
export interface Unrouted {
  readonly channel: number;
  readonly group: number;
}

const NOTHING: Unrouted = { channel: 0, group: 0 };

export class Router {
  readonly #judge: MessageJudge;
  readonly #routes: GroupMap<GroupRoute>;
  readonly #unrouted = new Map<number, Unrouted>();

  constructor(judge: MessageJudge, routes: readonly GroupRoute[]) {
    this.#judge = judge;
    this.#routes = new GroupMap(routes.map((route) => [route.id, route]));
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
    const { id, replica, coordinator } = route;
    // Lost on the way from the peer, if anything: the protocol repeats it.
    if (isForCoordinator(message)) {
      tellOrDrop(coordinator, { type: 'Protocol', from, group: id, message });
    } else tellOrDrop(replica, { type: 'Protocol', from, group: id, message });
    return true;
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
