/**
 * The address of an actor: the only part of the actor runtime that other rooms may know.
 *
 * Contravariant in `M`, so that a ref for a narrow protocol is never accepted where a wider one
 * is sent.
 */
export interface ActorRef<in M> {
  /** Names from the root, for instance `node-1/store-0/replica`. */
  readonly path: string;
  /**
   * Puts a message into the mailbox. `false` says that it was not taken (the actor has stopped or
   * its mailbox is full); the runtime has then counted it as a dead letter. Never throws. The
   * result must be looked at; a message whose loss does no harm is told by `tellOrDrop`, one that
   * must not be lost is sent through an `Outlet`.
   */
  tell(message: M): boolean;
  /**
   * Like `tell`, for outlets: `waiter` hears of it when a mailbox that was full has room. Absent
   * where a refusal is final.
   */
  offer?(message: M, waiter: RoomWaiter): Offered;
}

/** `full`: the waiter will hear. `gone`: it will never be taken; it has become a dead letter. */
export type Offered = 'taken' | 'full' | 'gone';

/** A sender whose message was refused by a full mailbox. */
export interface RoomWaiter {
  /** There is room now, at least for one message; or there will never be again. */
  room(): void;
}

/** For a message whose loss does no harm; the comment above the call says why. */
export function tellOrDrop<M>(ref: ActorRef<M>, message: M): void {
  void ref.tell(message);
}
