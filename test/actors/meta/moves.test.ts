/** Changes of the members of a range, as the state machine decides on them. */
import { expect, test } from 'vitest';
import { FORM } from './form-sample.ts';
import { at, JudgedMeta, NODES } from './judged-meta.ts';

class Meta extends JudgedMeta {
  constructor() {
    super();
    this.run({ ...FORM, nodes: NODES, electorate: [1, 2, 3, 4, 5], replicationFactor: 3 });
  }

  move(from: number, to: number): string | undefined {
    return this.run({ type: 'Move', range: this.range.id, from, to, by: 'somebody' });
  }

  close(): string | undefined {
    const { id: range, change } = this.range;
    const name = { range, change: change?.number ?? 0 };
    return (
      this.run({ type: 'BeginClosing', ...name }) ??
      this.run({ type: 'Done', ...name, closedAt: at(this.hlc) })
    );
  }

  hasData(node: number): string | undefined {
    return this.run({ type: 'HasData', range: this.range.id, node });
  }
}

test('a move gives the range one successor with other members, and names who lacks its data', () => {
  const meta = new Meta();
  expect(meta.range.members).toEqual([1, 2, 3]);
  expect(meta.move(2, 5)).toBeUndefined();
  const { change } = meta.range;
  expect(change?.kind).toBe('move');
  expect(change?.successors).toMatchObject([
    {
      id: { range: 1, generation: 2 },
      fromSlot: 0,
      toSlot: 16_384,
      members: [1, 3, 5],
      electorate: [1, 3, 5],
    },
  ]);
  expect(meta.move(1, 4)).toBe('the range is being changed');
  expect(meta.close()).toBeUndefined();
  expect(meta.range).toMatchObject({
    ...{ id: { range: 1, generation: 2 }, members: [1, 3, 5], owed: [5] },
    origin: [{ range: 1, generation: 1 }],
  });
  expect(meta.hasData(1)).toContain('not known to lack');
  expect(meta.hasData(5)).toBeUndefined();
  expect(meta.hasData(5)).toContain('not known to lack');
  expect(meta.range.owed).toEqual([]);
});

test('who has the data is never too few', () => {
  const meta = new Meta();
  expect(meta.move(4, 5)).toBe('node 4 is no member of the range');
  expect(meta.move(1, 2)).toBe('node 2 is a member of the range');
  expect(meta.move(1, 9)).toBe('there is no node 9');
  expect(meta.move(1, 4)).toBeUndefined();
  expect(meta.close()).toBeUndefined();
  expect(meta.move(2, 5)).toBe('node 4 does not have its data yet');
  const split = { type: 'Split', range: meta.range.id, atSlot: 9, by: 'x' } as const;
  expect(meta.run(split)).toBe('node 4 does not have its data yet');
  expect(meta.hasData(4)).toBeUndefined();
  expect(meta.move(2, 1)).toBeUndefined();
});

test('a move that was cancelled gives its names to nothing else', () => {
  const meta = new Meta();
  expect(meta.move(1, 4)).toBeUndefined();
  const { id: range, change } = meta.range;
  expect(meta.run({ type: 'Cancel', range, change: change?.number ?? 0 })).toBeUndefined();
  expect(meta.range).toMatchObject({ members: [1, 2, 3], owed: [] });
  expect(meta.move(1, 4)).toBeUndefined();
  expect(meta.range.change?.successors).toMatchObject([{ id: { range: 1, generation: 3 } }]);
  expect(meta.state?.jobs).toMatchObject([{ kind: 'move', outcome: 'cancelled' }]);
});
