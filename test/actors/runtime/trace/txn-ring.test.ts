import { expect, test } from 'vitest';
import { TxnRing } from '../../../../actors/runtime/trace/txn-ring.ts';
import { MESSAGE_CODES, STEP_CODES } from '../../../../actors/runtime/trace/txn-steps.ts';
import { at } from '../../accord/fixture.ts';

const GROUP = { range: 3, generation: 7 };
const FRAME = { node: 9, path: (actor: number) => `a${actor}`, timeUs: (ms: number) => ms * 1_000 };

test('every field of an event comes back, with the name of its transaction and its group', () => {
  const ring = new TxnRing(8);
  const id = { hlc: 2 ** 50 + 1, flags: 2, node: 2 ** 32 - 1, store: 65_535 };
  ring.atMs = 5.5;
  ring.out(65_535, MESSAGE_CODES.PreAccept, GROUP, id, 4, 0);
  ring.in(1, MESSAGE_CODES.PreAcceptOk, GROUP, at(5, 2), 4, 6);
  ring.step(2, STEP_CODES.begin, { range: 1, generation: 1 }, at(5, 2), 0.25, 12);
  ring.stepOn(2, STEP_CODES.waits, GROUP, at(5, 2), at(4, 1));
  ring.ofNode(3, 'out', MESSAGE_CODES.Append, 77);
  const events = [0, 1, 2, 3, 4, 5].map((serial) => ring.eventAt(serial, FRAME));
  const same = { t: 5_500, node: 9 };
  const big = `3.7/${2 ** 50 + 1}.2.${2 ** 32 - 1}.65535`;
  expect(events).toEqual([
    {
      kind: 'out',
      ...same,
      seq: 0,
      actor: 'a65535',
      txn: big,
      msg: 'PreAccept',
      peer: 4,
      value: 0,
    },
    {
      ...{ kind: 'in', ...same, seq: 1, actor: 'a1', txn: '3.7/5.2.2.0' },
      ...{ msg: 'PreAcceptOk', peer: 4, value: 6 },
    },
    {
      ...{ kind: 'step', ...same, seq: 2, actor: 'a2', txn: '1.1/5.2.2.0', step: 'begin' },
      ...{ value: 0.25, count: 12 },
    },
    {
      ...{ kind: 'step', ...same, seq: 3, actor: 'a2', txn: '3.7/5.2.2.0', step: 'waits' },
      ...{ value: 0, on: '3.7/4.2.1.0' },
    },
    undefined,
    { kind: 'out', ...same, seq: 5, actor: 'a3', msg: 'Append', peer: 9, value: 77 },
  ]);
});

test('the ring keeps the last events, and none where it is off', () => {
  const ring = new TxnRing(3);
  for (let value = 0; value < 5; value += 1) ring.ofNode(1, 'step', STEP_CODES.synced, value);
  expect([ring.written, ring.oldest]).toEqual([5, 2]);
  const values = [1, 2, 3, 4, 5].map((serial) => ring.eventAt(serial, FRAME));
  expect(values.map((event) => event?.kind === 'step' && event.value)).toEqual([
    ...[false, 2, 3, 4, false],
  ]);
  const off = new TxnRing(0);
  off.ofNode(1, 'step', STEP_CODES.synced, 1);
  expect(off.written).toBe(0);
  expect(() => new TxnRing(-1)).toThrow(RangeError);
});
