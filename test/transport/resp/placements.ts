/** Where groups lie in tests of the gateway. */
import { CONFLICT_SLOTS } from '../../../storage/keyspace/slots.ts';
import { Placement } from '../../../transport/resp/connection/placement.ts';

/** Each of so many groups has an equal share of the slots. */
export function placementOf(groups: number): Placement {
  const bounds = Array.from({ length: groups + 1 }, (_, i) =>
    Math.floor((i * CONFLICT_SLOTS) / groups),
  );
  return new Placement(
    Array.from({ length: groups }, (_, i) => ({
      id: { range: i + 1, generation: 1 },
      fromSlot: bounds[i] as number,
      toSlot: bounds[i + 1] as number,
    })),
  );
}

export const SOLE_PLACEMENT = placementOf(1);
