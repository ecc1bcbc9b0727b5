import { expect, test } from 'vitest';
import { DEAD_LETTERS_MAX, DeadLetters } from '../../../../actors/runtime/cells/dead-letters.ts';
import { messageName } from '../../../../actors/runtime/message-name.ts';

test('the last letters are kept, all are counted by reason', () => {
  const letters = new DeadLetters();
  expect(letters.since(0)).toEqual([]);
  for (let at = 1; at <= DEAD_LETTERS_MAX + 5; at += 1) {
    letters.add('node/a', { type: `t${at}` }, at % 2 === 0 ? 'full' : 'stopped', at);
  }
  expect(letters.total).toBe(DEAD_LETTERS_MAX + 5);
  expect(letters.count('full') + letters.count('stopped')).toBe(letters.total);
  expect(letters.count('crashed')).toBe(0);
  const kept = letters.since(0);
  expect(kept.length).toBe(DEAD_LETTERS_MAX);
  expect(kept[0]).toMatchObject({ serial: 6, message: 't6', atMs: 6 });
  expect(letters.since(letters.total - 2).map(({ serial }) => serial)).toEqual([
    DEAD_LETTERS_MAX + 4,
    DEAD_LETTERS_MAX + 5,
  ]);
});

test('a letter names its message but does not hold it', () => {
  class Batch {}
  const names = [{ type: 'Put' }, { kind: 'turn' }, new Batch(), {}, null, undefined, 7, 'text'];
  expect(names.map(messageName)).toEqual([
    ...['Put', 'turn', 'Batch', 'Object', 'null', 'undefined', '7', 'text'],
  ]);
  expect(messageName('x'.repeat(1_000)).length).toBe(64);
  expect(messageName(Object.create(null))).toBe('object');
});
