/** The entries of a stream against a sorted array, with rows that are taken out and put back. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Stream } from '../../../storage/types/stream/stream.ts';
import {
  formatId,
  ID_MAX,
  ID_MIN,
  msOf,
  nextId,
  parseId,
  previousId,
  sequenceOf,
  streamId,
} from '../../../storage/types/stream/stream-id.ts';

const half = fc.oneof(
  fc.nat(5).map(BigInt),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(2n ** 52n, 2n ** 53n + 1n, 2n ** 64n - 1n, 255n, 256n, 2n ** 32n - 1n),
);

describe('ids', () => {
  test('are in the order of their numbers, and told as they were given', () => {
    fc.assert(
      fc.property(half, half, half, half, (ms, sequence, otherMs, otherSequence) => {
        const id = streamId(ms, sequence);
        const other = streamId(otherMs, otherSequence);
        expect([BigInt(msOf(id)), BigInt(sequenceOf(id))]).toEqual([ms, sequence]);
        expect(formatId(id)).toBe(`${ms}-${sequence}`);
        expect(parseId(formatId(id), 'last')).toBe(id);
        const isBefore = ms < otherMs || (ms === otherMs && sequence < otherSequence);
        expect(id < other).toBe(isBefore);
      }),
    );
  });

  test('have neighbours, but for the first and the last one', () => {
    fc.assert(
      fc.property(half, half, (ms, sequence) => {
        const id = streamId(ms, sequence);
        const next = nextId(id);
        if (next === undefined) {
          expect(id).toBe(ID_MAX);
          return;
        }
        const wraps = sequence === 2n ** 64n - 1n;
        expect(next).toBe(wraps ? streamId(ms + 1n, 0n) : streamId(ms, sequence + 1n));
        expect(previousId(next)).toBe(id);
      }),
    );
    expect(previousId(ID_MIN)).toBeUndefined();
    expect(nextId(ID_MAX)).toBeUndefined();
  });
});

type Entry = readonly [id: string, fields: readonly string[]];

/** How far the next id is from the last one. */
const distance = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.nat(2), fc.nat(3)) },
  fc.tuple(fc.constantFrom(2 ** 31, 2 ** 47, 2 ** 48, 2 ** 50), fc.constantFrom(0, 2 ** 49)),
);
const fields = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(['a', '1'], ['a', '22'], ['b', ''], ['a', '1', 'b', '2']),
  },
  fc.nat(3_000).map((length) => ['long', 'x'.repeat(length)]),
);
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ type: fc.constant('add' as const), distance, fields }) },
  fc.record({ type: fc.constant('delete' as const), at: fc.nat() }),
  fc.record({ type: fc.constant('drop' as const), count: fc.nat(40) }),
  fc.record({ type: fc.constant('reload' as const) }),
);

function all(stream: Stream, isDown = false): Entry[] {
  const { entries } = stream;
  const found: Entry[] = [];
  const visit = (id: string, of: readonly string[]): boolean => {
    found.push([id, of]);
    return true;
  };
  const { length } = entries;
  const visited = isDown
    ? entries.descend(length - 1, length, visit)
    : entries.ascend(0, length, visit);
  expect(visited).toBe(length);
  return found;
}

/** Another one of the same rows. */
function reloaded(stream: Stream): Stream {
  const copy = stream.emptyCopy();
  for (const key of stream.rowKeys()) copy.putRow(key, stream.rowOf(key));
  expect(copy.contentBytes).toBe(stream.contentBytes);
  expect(copy.rowCount).toBe(stream.rowCount);
  return copy;
}

test('entries are found, walked, removed and loaded like those of an array', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 250, size: 'max' }), (steps) => {
      let stream = new Stream(0);
      let model: Entry[] = [];
      let [ms, sequence] = [1n, 0n];
      for (const next of steps) {
        if (next.type === 'add') {
          ms += BigInt(next.distance[0]);
          sequence = (next.distance[0] === 0 ? sequence + 1n : 0n) + BigInt(next.distance[1]);
          const id = streamId(ms, sequence);
          stream.append(id, next.fields);
          model.push([id, next.fields]);
        } else if (next.type === 'delete' && model.length > 0) {
          const [id] = model.splice(next.at % model.length, 1)[0] ?? [''];
          expect(stream.entries.has(id)).toBe(true);
          expect([stream.delete(id), stream.delete(id)]).toEqual([true, false]);
          expect(stream.entries.has(id)).toBe(false);
        } else if (next.type === 'drop') {
          const count = Math.min(next.count, stream.firstBlock?.size ?? 0);
          stream.dropFirst(count);
          model = model.slice(count);
        } else if (next.type === 'reload') {
          stream = reloaded(stream);
        }
      }
      expect(all(stream)).toEqual(model);
      expect(all(stream, true)).toEqual(model.toReversed());
      expect(stream.entries.last).toBe(model.at(-1)?.[0]);
      for (const [i, [id]] of model.entries()) {
        expect(stream.entries.countBefore(id)).toBe(i);
        expect(stream.entries.countBefore(nextId(id) ?? '')).toBe(i + 1);
      }
      reloaded(stream);
    }),
    { numRuns: 60 },
  );
});

test('a block knows its last entry, also one that was removed, and also when it is loaded', () => {
  let stream = new Stream(0);
  const id = (ms: number): string => streamId(ms, 7);
  for (let ms = 1; ms <= 3; ms += 1) stream.append(id(ms), ['f', 'v']);
  for (const gone of [3, 2]) {
    stream.delete(id(gone));
    expect(stream.firstBlock?.last).toBe(id(3));
    stream = reloaded(stream);
    expect(stream.firstBlock?.last).toBe(id(3));
  }
  stream.append(id(4), ['f', 'v']);
  expect(stream.firstBlock).toEqual({ size: 2, last: id(4) });
  expect(all(reloaded(stream)).map(([each]) => each)).toEqual([id(1), id(4)]);
});
