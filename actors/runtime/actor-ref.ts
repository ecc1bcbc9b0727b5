/**
 * The address of an actor: all that other rooms may know of the actor runtime.
 *
 * Contravariant in `M`, so that a ref for a narrow protocol is never accepted where a wider one
 * is sent.
 */
export interface ActorRef<in M> {
  /** Names from the root, for instance `node-1/store-0/replica`. */
  readonly path: string;
  /**
   * Puts a message into the mailbox. `false` says that it was not taken (the actor has stopped or
   * its mailbox is full); the runtime has then counted it as a dead letter. Never throws.
   */
  tell(message: M): boolean;
}
