import { expect, test } from 'vitest';
import { SpanningWaits } from '../../../actors/store/spanning-waits.ts';

const unit = (connection: number, sequence = 1) => ({ connection, sequence });

test('a client is noted once by each further group of its transaction', () => {
  const waits = new SpanningWaits();
  waits.begin('t', unit(7), 2);
  expect(waits.has('t')).toBe(true);
  expect([waits.next('t'), waits.next('t'), waits.next('t')]).toEqual([
    unit(7),
    unit(7),
    undefined,
  ]);
  waits.begin('u', unit(7), 0);
  expect(waits.has('u')).toBe(false);
  expect(waits.size).toBe(0);
});

test('only the last attempt of a client counts', () => {
  const waits = new SpanningWaits();
  waits.begin('t', unit(7, 1), 1);
  waits.begin('u', unit(7, 2), 1);
  expect(waits.has('t')).toBe(false);
  waits.stop(unit(7, 1));
  expect(waits.next('u')).toEqual(unit(7, 2));
});

test('a client that is gone is not noted, and another one may be in its place', () => {
  const waits = new SpanningWaits();
  waits.begin('t', unit(7), 1);
  waits.begin('u', unit(8), 2);
  waits.stop(unit(7));
  waits.pass(unit(8), unit(9, 4));
  waits.stop(unit(8));
  expect([waits.next('t'), waits.next('u'), waits.next('u')]).toEqual([
    undefined,
    unit(9, 4),
    unit(9, 4),
  ]);
  waits.begin('v', unit(5), 1);
  waits.clear();
  expect(waits.has('v')).toBe(false);
});
