/** Parts for tests, with nothing special about them. */
import type { Part } from '../../../transport/resp/connection/part.ts';

export function partOf(special: Partial<Part> = {}): Part {
  return {
    unit: { connection: 1, sequence: 1 },
    part: 0,
    groups: [{ range: 1, generation: 1 }],
    bytes: new Uint8Array(10),
    count: 1,
    layout: [1],
    protocol: 2,
    readOnly: false,
    readsFrom: special.count ?? 1,
    wholeStore: false,
    waits: false,
    participants: [],
    window: 1024 ** 2,
    ...special,
  };
}
