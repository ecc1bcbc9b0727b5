/** The search of transactions by slot looks at the latest of each range, and at no others. */
import { expect, test } from 'vitest';
import { transactionsOn } from '../../../../actors/accord/local/slot-search.ts';
import type { StoreGroup } from '../../../../actors/accord/local/store-groups.ts';
import { participantsOf } from '../../../../actors/accord/primitives/participants.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import { keyOf } from '../../../../actors/accord/primitives/timestamp.ts';
import { at, groupOf } from '../fixture.ts';

const body = new Uint8Array();

/** A range of all slots; only its oldest and its latest transaction are on slot 7. */
function rangeOf(count: number): StoreGroup {
  const commands = new Map(
    Array.from({ length: count }, (_, index) => {
      const id = at(index + 1);
      const participants = participantsOf([index === 0 || index === count - 1 ? 7 : 8]);
      const definition = { participants, body };
      return [keyOf(id), { id, key: keyOf(id), status: Status.Applied, definition }] as const;
    }),
  );
  return { group: groupOf(3), replica: { view: { commands } } } as unknown as StoreGroup;
}

test.each([
  [20_000, [20_000, 1]],
  [20_001, [20_001]],
])('of %i it finds %j', (count, found) => {
  expect(transactionsOn([rangeOf(count)], 7, 50).map(({ atUs }) => atUs)).toEqual(found);
});
