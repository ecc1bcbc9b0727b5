/**
 * The public side of a cell: the ref that senders use, and the check of a handler's return value.
 * Made and used by cells only.
 */
import type { ActorRef, Offered, RoomWaiter } from '../actor-ref.ts';
import type { Host } from '../host.ts';
import type { WatchTarget } from './incarnation.ts';

/** Only what others may do with an actor; the cell behind it stays out of their reach. */
export class CellRef<in M> implements ActorRef<M> {
  readonly path: string;
  readonly #cell: CellDoor<M>;

  constructor(cell: CellDoor<M>) {
    this.path = cell.path;
    this.#cell = cell;
  }

  tell(message: M): boolean {
    return this.#cell.tell(message);
  }

  offer(message: M, waiter: RoomWaiter): Offered {
    return this.#cell.offer(message, waiter);
  }

  door(): WatchTarget & { readonly host: Host } {
    return this.#cell;
  }
}

interface CellDoor<in M> extends ActorRef<M>, WatchTarget {
  readonly host: Host;
  offer(message: M, waiter: RoomWaiter): Offered;
}

class AsyncHandlerError extends Error {
  override readonly name = 'AsyncHandlerError';
}

/** An async handler would run on after its turn, and its failure would go unnoticed. */
export function refusePromise(result: unknown): void {
  if (typeof result !== 'object' || result === null || !('then' in result)) return;
  const ignore = (): void => {};
  if (typeof result.then === 'function') result.then(ignore, ignore);
  throw new AsyncHandlerError('a handler returned a promise; completions must come as messages');
}
