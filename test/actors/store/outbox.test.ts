/** The messages that may leave a node while no reservation on disk covers its timestamps. */
import { expect, test } from 'vitest';
import type { AccordMessage } from '../../../actors/accord/messages/messages.ts';
import { encodeDeps } from '../../../actors/accord/primitives/deps.ts';
import { HybridClock } from '../../../actors/accord/primitives/hybrid-clock.ts';
import type { GroupId } from '../../../actors/accord/topology/group-id.ts';
import { Outlet } from '../../../actors/runtime/cells/outlet.ts';
import type {
  CoordinatorActorMessage,
  ReplicaActorMessage,
} from '../../../actors/store/messages.ts';
import { Outbox } from '../../../actors/store/outbox.ts';
import { preAccept } from '../accord/fixture.ts';

const GROUP: GroupId = { range: 1, generation: 1 };

function bench(heldMax?: number): { clock: HybridClock; outbox: Outbox; left: AccordMessage[] } {
  const time = { us: 1_000 };
  const nowUs = (): number => time.us;
  const clock = new HybridClock({ node: 1, store: 0, nowUs, reserveUs: 1 });
  const left: AccordMessage[] = [];
  const nobody = { path: 'nobody', tell: () => false };
  const replica = new Outlet<ReplicaActorMessage>(nobody);
  const coordinator = new Outlet<CoordinatorActorMessage>(nobody);
  const toPeer = (_group: GroupId, _to: number, message: AccordMessage): number =>
    left.push(message);
  const here = { toStore: () => undefined, isHere: () => true };
  const targets = { replica, coordinator, toPeer, ...here };
  return { clock, outbox: new Outbox(1, clock, targets, heldMax), left };
}

// All of them waited for the reservation of whatever was given out last: with short reservations
// and a steady load nothing ever left.
test('a message waits for what was given out before it, and for nothing later', () => {
  const { clock, outbox, left } = bench();
  const first = preAccept(clock.uniqueNow());
  outbox.send(GROUP, 2, first);
  const limitUs = clock.nextReservation() ?? 0;
  const later = preAccept(clock.uniqueNow());
  outbox.send(GROUP, 2, later);
  expect(left).toEqual([]);
  clock.reservationDurable(limitUs);
  outbox.released();
  expect(left).toEqual([first]);
  clock.reservationDurable(clock.nextReservation() ?? 0);
  outbox.released();
  expect(left).toEqual([first, later]);
});

test('a message without a timestamp of this node leaves at once', () => {
  const { clock, outbox, left } = bench();
  clock.uniqueNow();
  const fetch: AccordMessage = { type: 'Fetch', ids: encodeDeps([]) };
  outbox.send(GROUP, 2, fetch);
  expect(left).toEqual([fetch]);
});

test('a waiting message without room is lost, as on the way to the peer', () => {
  const { clock, outbox, left } = bench(1);
  const first = preAccept(clock.uniqueNow());
  outbox.send(GROUP, 2, first);
  outbox.send(GROUP, 2, preAccept(clock.uniqueNow()));
  clock.reservationDurable((clock.nextReservation() ?? 0) + 10);
  outbox.released();
  expect(left).toEqual([first]);
});
