import { expect, test } from 'vitest';
import { tracedName } from '../../../actors/store/traced-name.ts';
import { at } from '../accord/fixture.ts';

test('a traced transaction is named with its group', () => {
  const group = { range: 3, generation: 7 };
  expect(tracedName(group, at(5, 2))).toBe('3.7/5.2.2.0');
  expect(tracedName(group, undefined)).toBe('3.7');
});
