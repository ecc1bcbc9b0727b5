/**
 * Between the stores and those whom they tell: an answer to a part of another node goes back to it,
 * and what has changed is told on both sides, for clients of nodes that are no members.
 */
import type { StoreNews } from '../../../transport/resp/connection/part.ts';
import type { ActorRef, Offered, RoomWaiter } from '../../runtime/actor-ref.ts';
import type { Outlet } from '../../runtime/cells/outlet.ts';
import { type ForwardingActorMessage, isForPeer } from './forwarding-actor.ts';

export class NewsFork implements ActorRef<StoreNews> {
  readonly #clients: ActorRef<StoreNews>;
  readonly #forwarding: Outlet<ForwardingActorMessage>;

  constructor(clients: ActorRef<StoreNews>, forwarding: Outlet<ForwardingActorMessage>) {
    this.#clients = clients;
    this.#forwarding = forwarding;
  }

  get path(): string {
    return this.#clients.path;
  }

  tell(news: StoreNews): boolean {
    if (isForPeer(news)) {
      this.#forwarding.send(news);
      return true;
    }
    const isTaken = this.#clients.tell(news);
    if (isTaken) this.#relay(news);
    return isTaken;
  }

  /** Refused by a full mailbox it comes again, and is relayed then. */
  offer(news: StoreNews, waiter: RoomWaiter): Offered {
    if (isForPeer(news)) {
      this.#forwarding.send(news);
      return 'taken';
    }
    const offered = this.#clients.offer?.(news, waiter) ?? this.#told(news);
    if (offered !== 'full') this.#relay(news);
    return offered;
  }

  #told(news: StoreNews): Offered {
    return this.#clients.tell(news) ? 'taken' : 'gone';
  }

  #relay(news: StoreNews): void {
    if (!('unit' in news)) this.#forwarding.send(news);
  }
}
