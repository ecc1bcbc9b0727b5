import { describe, expect, test } from 'vitest';
import { checkQueues, type Pop, type Push } from './queues.ts';

function push(element: string, invokedAt: number, more: Partial<Push> = {}): Push {
  return { key: 'q', element, invokedAt, completedAt: invokedAt + 1, ...more };
}

function pop(element: string | undefined, invokedAt: number, more: Partial<Pop> = {}): Pop {
  const taken = element === undefined ? undefined : { key: 'q', element };
  const times = { invokedAt, completedAt: invokedAt + 1 };
  return { keys: ['q'], taken, destination: undefined, ...times, ...more };
}

const OPEN = { completedAt: undefined };

function check(
  pushes: readonly Push[],
  pops: readonly Pop[],
  left: Readonly<Record<string, readonly string[]>> = {},
): readonly string[] {
  const isInOrder = (key: string): boolean => key === 'q';
  const history = { pushes, pops, left: new Map(Object.entries(left)), isInOrder };
  return checkQueues(history).violations;
}

describe('all is well', () => {
  test.each([
    ['taken', [push('1', 0)], [pop('1', 5)], {}],
    ['left', [push('1', 0)], [], { q: ['1'] }],
    ['moved', [push('1', 0)], [pop('1', 5, { destination: 'd' })], { d: ['1'] }],
    ['taken before its push was answered', [push('1', 0, { completedAt: 9 })], [pop('1', 1)], {}],
    ['gone with a pop of which nobody knows', [push('1', 0)], [pop(undefined, 5, OPEN)], {}],
    [
      'moved by one',
      [push('1', 0)],
      [pop(undefined, 5, { ...OPEN, destination: 'd' })],
      { d: ['1'] },
    ],
    ['never acknowledged', [push('1', 0, OPEN)], [], {}],
    ['nothing to take, then something', [push('1', 5)], [pop(undefined, 1), pop('1', 8)], {}],
    ['taken at the same time', [push('1', 0)], [pop('1', 5), pop(undefined, 4)], {}],
    [
      'in the order of two pushes at once',
      [push('1', 0), push('2', 0)],
      [pop('2', 4), pop('1', 8)],
      {},
    ],
  ] as const)('%s', (_what, pushes, pops, left) => {
    expect(check(pushes, pops, left)).toEqual([]);
  });

  test('each open pop explains one element, whichever does', () => {
    const keys = ['q', 'r'];
    const pushes = [push('1', 0), push('2', 2, { key: 'r' })];
    const open = [pop(undefined, 5, { ...OPEN, keys }), pop(undefined, 5, OPEN)];
    expect(check(pushes, open)).toEqual([]);
    expect(
      checkQueues({ pushes, pops: open, left: new Map(), isInOrder: () => true }),
    ).toMatchObject({ missing: 2, open: 2, taken: 0, ended: 0 });
  });
});

describe('found out', () => {
  test.each([
    ['taken twice', [push('1', 0)], [pop('1', 5), pop('1', 5)], {}, /taken 2 times/],
    ['taken, and still there', [push('1', 0)], [pop('1', 5)], { q: ['1'] }, /taken, and is in q/],
    ['there twice', [push('1', 0)], [], { q: ['1'], d: ['1'] }, /in q and d/],
    ['moved, and gone', [push('1', 0)], [pop('1', 5, { destination: 'd' })], {}, /and is gone/],
    ['of nobody', [], [pop('1', 5)], {}, /nobody had pushed/],
    ['of nobody, and there', [], [], { q: ['1'] }, /nobody pushed/],
    ['taken before it was pushed', [push('1', 9)], [pop('1', 5)], {}, /nobody had pushed/],
    ['gone', [push('1', 0)], [], {}, /gone, and no pop is open/],
    [
      'gone with a pop that moves',
      [push('1', 0)],
      [pop(undefined, 5, { ...OPEN, destination: 'd' })],
      {},
      /gone, and no pop is open/,
    ],
    [
      'two gone with one pop',
      [push('1', 0), push('2', 2)],
      [pop(undefined, 5, OPEN)],
      {},
      /2 of q is gone/,
    ],
    ['moved by nobody', [push('1', 0)], [], { d: ['1'] }, /nobody moved it/],
    ['out of order', [push('1', 0), push('2', 2)], [pop('2', 5), pop('1', 8)], {}, /before 1/],
    ['passed over', [push('1', 0), push('2', 2)], [pop('2', 5)], { q: ['1'] }, /before 1/],
    [
      'there, and not found',
      [push('1', 0)],
      [pop(undefined, 5)],
      { q: ['1'] },
      /is empty beside 1/,
    ],
    [
      'taken later, and not found',
      [push('1', 0)],
      [pop(undefined, 5), pop('1', 8)],
      {},
      /is empty/,
    ],
  ] as const)('%s', (_what, pushes, pops, left, violation) => {
    expect(check(pushes, pops, left)).toEqual([expect.stringMatching(violation)]);
  });
});
