/**
 * The address of an actor that is started later: siblings that talk to each other in both
 * directions are started one after the other. Before it is bound, nothing is taken.
 */
import type { ActorRef, Offered, RoomWaiter } from '../runtime/actor-ref.ts';

export class LateRef<M> implements ActorRef<M> {
  #target: ActorRef<M> | undefined;
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  get path(): string {
    return this.#target?.path ?? this.#name;
  }

  bind(target: ActorRef<M>): ActorRef<M> {
    this.#target = target;
    return target;
  }

  tell(message: M): boolean {
    return this.#target?.tell(message) ?? false;
  }

  offer(message: M, waiter: RoomWaiter): Offered {
    const target = this.#target;
    if (target?.offer !== undefined) return target.offer(message, waiter);
    return this.tell(message) ? 'taken' : 'gone';
  }
}
