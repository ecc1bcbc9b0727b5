import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Mailbox } from '../../../../actors/runtime/cells/mailbox.ts';

test('behaves like a bounded list, whatever is done to it', () => {
  const action = fc.oneof(
    { weight: 5, arbitrary: fc.constant('offer' as const) },
    { weight: 2, arbitrary: fc.nat(4).map((count) => ({ take: count })) },
    { weight: 2, arbitrary: fc.constant('offer own' as const) },
    { weight: 1, arbitrary: fc.constant('replace own' as const) },
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.nat(3),
      fc.array(action),
      (max, more, actions) => {
        const mailbox = new Mailbox<number>(max, more);
        const model: number[] = [];
        const ordinals = new Map<number, number>();
        const own = new Set<number>();
        let next = 0;
        for (const step of actions) {
          if (step === 'offer' || step === 'offer own') {
            next += 1;
            const isTaken = step === 'offer' ? mailbox.offer(next) : mailbox.offerOwn(next);
            expect(isTaken).toBe(model.length < (step === 'offer' ? max : max + more));
            if (!isTaken) continue;
            model.push(next);
            ordinals.set(next, mailbox.lastOrdinal);
            if (step === 'offer own') own.add(next);
          } else if (step === 'replace own') {
            expect(mailbox.replaceOwn(0)).toEqual(model.filter((message) => own.has(message)));
            for (const [at, message] of model.entries()) if (own.has(message)) model[at] = 0;
            own.clear();
          } else {
            const count = Math.min(step.take, mailbox.open());
            for (let at = 0; at < count; at += 1) {
              const message = mailbox.take();
              expect(message).toBe(model.shift());
              const ordinal = ordinals.get(message);
              if (ordinal !== undefined) expect(mailbox.taken).toBe(ordinal);
              ordinals.delete(message);
            }
          }
          expect(mailbox.size).toBe(model.length);
        }
      },
    ),
  );
});

test('open does not count what comes later', () => {
  const mailbox = new Mailbox<string>(10);
  mailbox.offer('a');
  expect(mailbox.open()).toBe(1);
  mailbox.offer('b');
  expect(mailbox.open()).toBe(1);
  expect(mailbox.take()).toBe('a');
  expect(mailbox.open()).toBe(1);
  expect(mailbox.take()).toBe('b');
  expect(mailbox.open()).toBe(0);
});

test('a mailbox without a bound is refused', () => {
  expect(() => new Mailbox(0)).toThrow(RangeError);
  expect(() => new Mailbox(Number.POSITIVE_INFINITY)).toThrow(RangeError);
});
