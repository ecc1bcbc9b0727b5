/**
 * One kind of message that one actor has no room for: the mailbox says so, as a full one does, and
 * has room a little later. Or it takes the message and loses it, which is what happens to a sender
 * that does not look at the answer.
 */
import { vi } from 'vitest';
import type { ActorRef, Offered, RoomWaiter } from '../../actors/runtime/actor-ref.ts';
import { Cell } from '../../actors/runtime/cells/cell.ts';
import type { Scenario } from './scenario.ts';

export interface Refusal {
  /** Below the node, for instance `store-0/replica`. */
  readonly actor: string;
  /** Of the message; of the protocol's message where it holds one. */
  readonly type: string;
  /** Of these messages, the one that is meant. */
  readonly where?: (message: Readonly<Record<string, unknown>>) => boolean;
}

const ROOM_AFTER_MS = 2;

/** The type of a message, or of the one inside that a node sends to itself. */
function typeOf(message: unknown, self: number): string {
  const { type, from, message: inner } = message as Record<string, unknown>;
  if (type !== 'Protocol' || from !== self) return String(type);
  return String((inner as { readonly type?: unknown }).type);
}

/** From now on the first one at node 1 is refused, or lost. Returns how many have been. */
export function refuseFirst(
  scenario: Scenario,
  { actor, type, where = () => true }: Refusal,
  as: 'refused' | 'lost',
): () => number {
  const path = `node-1/${actor}`;
  let hits = 0;
  const isIt = (cell: Cell<unknown>, message: unknown): boolean => {
    if (hits > 0 || cell.path !== path || typeOf(message, 1) !== type) return false;
    if (!where(message as Record<string, unknown>)) return false;
    hits += 1;
    return true;
  };
  const { offer, tell } = Cell.prototype;
  vi.spyOn(Cell.prototype, 'offer').mockImplementation(function (
    this: Cell<unknown>,
    message: unknown,
    waiter: RoomWaiter,
  ): Offered {
    if (!isIt(this, message)) return offer.call(this, message, waiter);
    if (as === 'lost') return 'taken';
    scenario.cluster.scheduler.after(ROOM_AFTER_MS, () => waiter.room());
    return 'full';
  });
  vi.spyOn(Cell.prototype, 'tell').mockImplementation(function (
    this: Cell<unknown>,
    message: Parameters<ActorRef<unknown>['tell']>[0],
  ): boolean {
    return isIt(this, message) ? false : tell.call(this, message);
  });
  return () => hits;
}
