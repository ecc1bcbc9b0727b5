/** Closing transactions and barriers out of what waits, within every limit. */
import { describe, expect, test } from 'vitest';
import { participantsOf, WHOLE_STORE } from '../../../actors/accord/primitives/participants.ts';
import { Batcher, type BatchLimits, type Pending } from '../../../actors/store/batcher.ts';
import type { Part } from '../../../transport/resp/connection/part.ts';
import { body } from '../../storage/harness.ts';
import { partOf } from '../../transport/resp/parts.ts';

function work(participants: number[], more: Partial<Part> = {}): Pending {
  const part = partOf({ participants, ...more });
  return { part, receivedMs: 0, deadlineMs: 0, tries: 0 };
}

function script(participants: number[], code: string): Pending {
  return work(participants, { bytes: body(['EVAL', code, '1', 'key', 'x']) });
}

function batcherOf(limits: Partial<BatchLimits>, ...works: Pending[]): Batcher {
  const batcher = new Batcher(limits);
  for (const each of works) expect(batcher.add(each)).toBe(true);
  return batcher;
}

describe('a transaction', () => {
  test('takes all that waits, in order, with the union of its slots', () => {
    const works = [work([3, 1]), work([2]), work([3])];
    const batch = batcherOf({}, ...works).nextTransaction(0);
    expect(batch?.pendings).toEqual(works);
    expect(batch?.participants).toEqual(participantsOf([1, 2, 3]));
    expect(batch?.commands).toBe(3);
  });

  test('over the whole store touches everything', () => {
    const batch = batcherOf({}, work([1]), work([], { wholeStore: true })).nextTransaction(0);
    expect(batch?.participants).toBe(WHOLE_STORE);
  });

  test('that needs further slots gets them, and all slots after so many runs', () => {
    const batcher = batcherOf({ footprintTriesMax: 2 });
    batcher.addToTransactions(batcher.withSlots(script([5], 'return 1'), [9, 1]));
    const first = batcher.nextTransaction(0);
    expect(first?.participants).toEqual(participantsOf([1, 5, 9]));
    const [pending = work([])] = first?.pendings ?? [];
    expect(pending.tries).toBe(1);
    batcher.addToTransactions(batcher.withSlots(pending, [2]));
    expect(batcher.nextTransaction(0)?.participants).toBe(WHOLE_STORE);
  });

  test('of a script that finds keys has all of them, and every so many runs those it names', () => {
    const batcher = batcherOf({ wideRunsMax: 2, keyFindersMax: 1 });
    const footprintOf = (pending: Pending) => {
      batcher.add(pending);
      return batcher.nextTransaction(0)?.participants;
    };
    const finder = (slot: number) => script([slot], "return redis.call('get', 'a' .. ARGV[1])");
    const named = participantsOf([5]);
    expect(footprintOf(finder(5))).toEqual(named);
    batcher.withSlots(finder(5), [9]);
    expect(footprintOf(script([5], 'return 1'))).toEqual(named);
    expect([5, 6, 5].map((slot) => footprintOf(finder(slot)))).toEqual([
      WHOLE_STORE,
      WHOLE_STORE,
      named,
    ]);
    batcher.withSlots(finder(5), [9]);
    batcher.withSlots(script([5], "return redis.call('get', 'b')"), [9]);
    expect(footprintOf(finder(5))).toEqual(named);
  });

  test('is no wider than its keys again where all keys of the group were not enough', () => {
    const batcher = batcherOf({});
    const finder = script([5], "return redis.call('get', 'a')");
    batcher.withSlots(finder, [9]);
    batcher.add(finder);
    const [wide = finder] = batcher.nextTransaction(0)?.pendings ?? [];
    expect(batcher.withSlots(wide, [9]).isWide).toBeUndefined();
    batcher.add(finder);
    expect(batcher.nextTransaction(0)?.participants).toEqual(participantsOf([5]));
  });

  test('is not begun beyond the pipeline, nor out of nothing', () => {
    const batcher = batcherOf({ pipelineDepth: 2 }, work([1]));
    expect(batcher.nextTransaction(2)).toBeUndefined();
    expect(batcher.nextTransaction(1)).toBeDefined();
    expect(batcher.nextTransaction(0)).toBeUndefined();
  });

  test('ends before a part that does not fit by bytes, commands or keys', () => {
    const keys = batcherOf(
      { batchKeysMax: 3 },
      work([1, 2]),
      work([1]),
      work([2]),
      work([1, 2, 3, 4]),
    );
    expect(keys.nextTransaction(0)?.pendings).toHaveLength(2);
    expect(keys.nextTransaction(0)?.pendings).toHaveLength(1);
    expect(keys.nextTransaction(0)?.pendings).toHaveLength(1);
    const bytes = batcherOf({ batchBytesMax: 20 }, work([1]), work([2]), work([3]));
    expect(bytes.nextTransaction(0)?.pendings).toHaveLength(2);
    expect(bytes.nextTransaction(0)?.pendings).toHaveLength(1);
    const commands = batcherOf(
      { batchCommandsMax: 3 },
      work([1], { count: 2 }),
      work([2], { count: 2 }),
    );
    expect(commands.nextTransaction(0)?.commands).toBe(2);
  });

  test('of one part that is larger than any batch travels alone', () => {
    const batcher = batcherOf({ batchBytesMax: 5 }, work([1]), work([2]));
    expect(batcher.nextTransaction(0)?.pendings).toHaveLength(1);
    expect(batcher.waiting).toBe(1);
  });
});

describe('reads', () => {
  test('wait beside the writes, with a pipeline of their own', () => {
    const batcher = batcherOf({ readPipelineDepth: 1 }, work([1]), work([2], { readOnly: true }));
    expect(batcher.nextRead(1)).toBeUndefined();
    expect(batcher.nextRead(0)?.participants).toEqual(participantsOf([2]));
    expect(batcher.nextTransaction(0)?.participants).toEqual(participantsOf([1]));
  });

  test('that their barrier did not prune go before all others, and in the end transact', () => {
    const read = work([1, 2], { readOnly: true });
    const batcher = batcherOf({ readTriesMax: 2 }, read);
    const next = (): readonly Pending[] | undefined => batcher.nextRead(0)?.pendings;
    expect(next()).toEqual([read]);
    const other = work([3], { readOnly: true });
    batcher.add(other);
    expect(batcher.readAgain([read], true)).toBe(0);
    expect(next()).toEqual([read, other]);
    expect(batcher.readAgain([read], true)).toBe(1);
    expect(next()).toBeUndefined();
    expect(batcher.nextTransaction(0)?.pendings).toEqual([read]);
  });

  test('transact after one barrier when that is the limit', () => {
    const read = work([1, 2], { readOnly: true });
    const batcher = batcherOf({ readTriesMax: 1 });
    expect(batcher.readAgain([read], true)).toBe(1);
    expect(batcher.nextTransaction(0)?.pendings).toEqual([read]);
  });

  test('stay reads while no transaction may begin', () => {
    const read = work([1, 2], { readOnly: true });
    const batcher = batcherOf({ readTriesMax: 1 });
    expect(batcher.readAgain([read], false)).toBe(0);
    expect(batcher.nextRead(0)?.pendings).toEqual([read]);
  });

  test('one that met a deadline becomes a transaction, even past the limit', () => {
    const batcher = batcherOf({ waitingMax: 1 }, work([1]));
    batcher.addToTransactions(work([2], { readOnly: true }));
    expect(batcher.nextTransaction(0)?.pendings).toHaveLength(2);
  });
});

describe('limits', () => {
  test('beyond waitingMax nothing is taken', () => {
    const batcher = batcherOf({ waitingMax: 2 }, work([1]), work([2], { readOnly: true }));
    expect(batcher.add(work([3]))).toBe(false);
    expect(batcher.waiting).toBe(2);
  });

  test('a part larger than a transaction does not fit', () => {
    const batcher = new Batcher({ transactionBytesMax: 10, batchBytesMax: 5 });
    expect(batcher.fits(work([1]).part)).toBe(true);
    expect(batcher.fits(work([1], { bytes: new Uint8Array(11) }).part)).toBe(false);
  });

  test('dropped work is returned, from both queues, and the rest stays in order', () => {
    const late = [work([1]), work([2], { readOnly: true })];
    const kept = work([3]);
    const batcher = batcherOf({}, ...late, kept);
    expect(batcher.drop((each) => !late.includes(each))).toEqual(late);
    expect(batcher.nextTransaction(0)?.pendings).toEqual([kept]);
    expect(batcher.waiting).toBe(0);
  });
});
