import { expect, test } from 'vitest';
import { LogRing } from '../../../actors/process/log-ring.ts';

test('holds the last lines, within its lines and bytes', () => {
  const ring = new LogRing(3, 100);
  for (let i = 0; i < 5; i += 1) ring.write(`line ${i}`);
  expect(ring.since(0)).toEqual({ added: 5, lines: ['line 2', 'line 3', 'line 4'] });
  expect(ring.since(4)).toEqual({ added: 5, lines: ['line 4'] });
  expect(ring.since(5)).toEqual({ added: 5, lines: [] });
  ring.write('x'.repeat(99));
  expect(ring.since(0).lines).toHaveLength(1);
  ring.write('y'.repeat(101));
  expect(ring.since(0)).toEqual({ added: 7, lines: [] });
});

test('a reader that has seen more than there is begins anew: the process is another one', () => {
  const ring = new LogRing();
  ring.write('first');
  expect(ring.since(400)).toEqual({ added: 1, lines: ['first'] });
});
