/** Members that are away for long, as the state machine decides on them. */
import { expect, test } from 'vitest';
import { FORM } from './form-sample.ts';
import { at, JudgedMeta, NODES } from './judged-meta.ts';

class Meta extends JudgedMeta {
  constructor(replicationFactor = 3, initialRanges = 1) {
    super();
    const electorate = [1, 2, 3, 4, 5];
    this.run({
      ...FORM,
      nodes: NODES,
      electorate,
      replicationFactor,
      initialRanges,
      closingMax: 2,
    });
  }

  passOver(node: number, ranges = [this.range.id]): string | undefined {
    return this.run({ type: 'PassOver', ranges, node, seenUs: this.hlc });
  }

  bringIn(node: number): string | undefined {
    return this.run({ type: 'BringIn', range: this.range.id, node, seenUs: this.hlc });
  }

  miss(node: number): string | undefined {
    return this.run({ type: 'NodeMissed', node, seenUs: this.hlc });
  }

  done(): string | undefined {
    const { id: range, change } = this.range;
    return this.run({ type: 'Done', range, change: change?.number ?? 0, closedAt: at(this.hlc) });
  }
}

test('a member is passed over with one Close, and brought in with another', () => {
  const meta = new Meta();
  expect(meta.passOver(3)).toBeUndefined();
  expect(meta.range.change).toMatchObject({ kind: 'renewal', phase: 'closing', by: 'absence' });
  expect(meta.passOver(3)).toBe('the range is closing');
  expect(meta.done()).toBeUndefined();
  expect(meta.range).toMatchObject({ members: [1, 2, 3], owed: [3], absent: [3] });
  expect(meta.range.electorate).toEqual([1, 2]);
  expect(meta.range.change).toBeUndefined();
  expect(meta.passOver(3)).toBe('nothing has changed');
  // The data of this generation would not suffice.
  const hasData = (): string | undefined =>
    meta.run({ type: 'HasData', range: meta.range.id, node: 3 });
  expect(hasData()).toContain('later generation');
  expect(meta.bringIn(3)).toBeUndefined();
  expect(meta.done()).toBeUndefined();
  expect(meta.range).toMatchObject({ owed: [3], absent: [], electorate: [1, 2, 3] });
  expect(hasData()).toBeUndefined();
  expect(meta.range.owed).toEqual([]);
});

test('enough that have the data are there, also when a member is brought in', () => {
  const meta = new Meta();
  expect(meta.passOver(4)).toBe('node 4 is no member of the range');
  expect(meta.miss(2)).toBeUndefined();
  expect(meta.done()).toBeUndefined();
  expect(meta.passOver(3)).toBe('too few others are there with the data');
  expect(meta.passOver(2)).toBeUndefined();
  expect(meta.done()).toBeUndefined();
  expect(meta.bringIn(3)).toBe('too few others are there with the data');
  expect(meta.bringIn(2)).toBeUndefined();
});

test('what was intended is given up, what is old is refused, and so much closes at a time', () => {
  const meta = new Meta(3, 5);
  const { id: range, fromSlot, toSlot } = meta.range;
  const half = (fromSlot + toSlot) >> 1;
  expect(meta.run({ type: 'Split', range, atSlot: half, by: 'me' })).toBeUndefined();
  const old = { type: 'PassOver', ranges: [range], node: 3, seenUs: 0 } as const;
  meta.hlc = 6_000_000;
  expect(meta.run(old)).toBe('that was too long ago');
  const all = meta.ranges.filter(({ members }) => members.includes(3)).map(({ id }) => id);
  expect(all).toHaveLength(3);
  expect(meta.passOver(3, all)).toBeUndefined();
  const kinds = meta.ranges.map(({ change }) => change?.kind);
  expect(kinds.filter((kind) => kind === 'renewal')).toHaveLength(2);
  expect(kinds).not.toContain('split');
  expect(meta.state?.jobs).toMatchObject([{ kind: 'split', outcome: 'cancelled' }]);
});

test('a range without an absent member is split, and a member without data is replaced', () => {
  const meta = new Meta();
  meta.passOver(3);
  meta.done();
  const { id: range } = meta.range;
  expect(meta.run({ type: 'Move', range, from: 2, to: 4, by: 'me' })).toContain('node 3');
  expect(meta.run({ type: 'Split', range, atSlot: 100, by: 'me' })).toBeUndefined();
  const change = meta.range.change?.number ?? 0;
  expect(meta.run({ type: 'BeginClosing', range, change })).toBeUndefined();
  expect(meta.done()).toBeUndefined();
  for (const half of meta.ranges) expect(half).toMatchObject({ owed: [3], absent: [3] });
  const low = meta.range.id;
  expect(meta.run({ type: 'Move', range: low, from: 3, to: 5, by: 'me' })).toBeUndefined();
  expect(meta.range.change?.successors).toMatchObject([{ members: [1, 2, 5], owed: [5] }]);
});
