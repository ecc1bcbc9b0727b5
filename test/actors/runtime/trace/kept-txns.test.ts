import { expect, test } from 'vitest';
import { participantsOf } from '../../../../actors/accord/primitives/participants.ts';
import { KeptTxns } from '../../../../actors/runtime/trace/kept-txns.ts';
import { TxnRing } from '../../../../actors/runtime/trace/txn-ring.ts';
import { MESSAGE_CODES, STEP_CODES } from '../../../../actors/runtime/trace/txn-steps.ts';
import { at } from '../../accord/fixture.ts';

const GROUP = { range: 3, generation: 7 };
const FRAME = { node: 9, path: (actor: number) => `a${actor}`, timeUs: (ms: number) => ms * 1_000 };

test('what is kept outlives the ring, with its second halves and the log turns behind it', () => {
  const ring = new TxnRing(16);
  const kept = new KeptTxns(ring);
  ring.atMs = 10;
  ring.in(1, MESSAGE_CODES.PreAccept, GROUP, at(5), 2, 0);
  ring.in(1, MESSAGE_CODES.PreAccept, GROUP, at(6), 2, 0);
  ring.stepOn(1, STEP_CODES.waits, GROUP, at(5), at(4));
  ring.ofNode(1, 'out', MESSAGE_CODES.Append, 77);
  expect(kept.want({ id: at(5), tookMs: 3 })).toBe(true);
  kept.collect(20);
  for (let value = 0; value < 16; value += 1) ring.ofNode(1, 'step', STEP_CODES.synced, value);
  const dumped = [...kept.dump(FRAME, ring.oldest)];
  const events = dumped.filter((event) => event !== undefined);
  expect(events.map((event) => ('seq' in event ? event.seq : -1))).toEqual([0, 2, 4]);
  expect(events[0]).toMatchObject({ kind: 'in', txn: '3.7/5.2.1.0' });
  expect(events[1]).toMatchObject({ step: 'waits', on: '3.7/4.2.1.0' });
  expect(events[2]).toMatchObject({ msg: 'Append', value: 77 });
});

test('of a flood the first are kept, the others counted, and each peer is told once', () => {
  const kept = new KeptTxns(new TxnRing(16));
  kept.takeFor(2);
  for (let hlc = 1; hlc <= 100; hlc += 1) {
    const slow = { txn: `${hlc}`, atUs: hlc, tookMs: 20, commands: 1, why: 'slow' } as const;
    kept.ended({ id: at(hlc), tookMs: 20 }, participantsOf([hlc, 7]), slow);
  }
  expect(kept.passedOver).toBe(36);
  expect(kept.takeFor(2).length).toBe(64);
  expect(kept.takeFor(2)).toEqual([]);
  expect(kept.slowOn(99).map(({ txn }) => txn)).toEqual(['99']);
  expect(kept.slowOn(7)).toHaveLength(100);
  expect(kept.slowAfter(98).map(({ txn }) => txn)).toEqual(['99', '100']);
  kept.collect(1);
  expect(kept.want({ id: at(101), tookMs: 1 })).toBe(true);
});
