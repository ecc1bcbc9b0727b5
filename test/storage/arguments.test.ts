import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arguments } from '../../storage/arguments.ts';
import { slotOfText } from '../../storage/keyspace/slots.ts';
import { ARGUMENTS_MAX } from '../../storage/limits.ts';
import { body } from './harness.ts';

const words = fc.array(fc.string({ unit: 'binary-ascii', maxLength: 40 }), {
  minLength: 1,
  maxLength: 40,
});

describe('Arguments', () => {
  test('reads command after command of a body', () => {
    fc.assert(
      fc.property(fc.array(words, { minLength: 1, maxLength: 5 }), (commands) => {
        const bytes = body(...commands);
        const args = new Arguments();
        let at = 0;
        for (const command of commands) {
          at = args.next(bytes, at);
          expect(args.count).toBe(command.length);
          expect(args.longest).toBe(Math.max(...command.map((word) => word.length)));
          command.forEach((word, i) => {
            expect(args.text(i)).toBe(word);
            expect(args.bytes(i)).toBe(word.length);
            expect(args.slot(i)).toBe(slotOfText(word));
            expect(args.equals(i, word)).toBe(true);
            expect(args.equals(i, `${word}x`)).toBe(false);
            expect(args.equals(i, `x${word.slice(1)}`)).toBe(word.startsWith('x'));
          });
        }
        expect(at).toBe(bytes.length);
      }),
    );
  });

  test('gives every length and byte as it is', () => {
    const args = new Arguments();
    for (let length = 0; length < 40; length += 1) {
      const word = Array.from({ length }, (_, i) => String.fromCharCode(255 - i)).join('');
      args.next(body(['SET', word]), 0);
      expect(args.text(1)).toBe(word);
    }
  });

  test('is filled by a parser', () => {
    const args = new Arguments();
    const buffer = Buffer.from('..get..key', 'latin1');
    args.reset(buffer);
    args.push(2, 5);
    args.push(7, 10);
    expect([args.count, args.name, args.text(1), args.start(1)]).toEqual([2, 'GET', 'key', 7]);
    args.reset(buffer);
    expect([args.count, args.longest]).toEqual([0, 0]);
  });

  test('reads a plain Uint8Array, and one after another', () => {
    const args = new Arguments();
    const view = new Uint8Array(body(['PAD'], ['GET', 'a']));
    const start = body(['PAD']).length;
    args.next(view, start);
    expect(args.text(1)).toBe('a');
    args.next(body(['GET', 'other']), 0);
    expect(args.text(1)).toBe('other');
  });

  test('knows names in any case, and only letters have one', () => {
    const args = new Arguments();
    const nameOf = (word: string) => {
      args.next(body([word]), 0);
      return args.name;
    };
    for (const word of ['get', 'GET', 'gEt']) expect(nameOf(word)).toBe('GET');
    expect(nameOf('holo.expire')).toBe('HOLO.EXPIRE');
    expect(nameOf('a\xe9\xdf')).toBe('A\xe9\xdf');
    // Bytes that differ from a known name in the bit that letters' cases differ in.
    expect(nameOf('\x07\x05\x14')).toBe('\x07\x05\x14');
    expect(nameOf('SET{')).toBe('SET{');
    expect(nameOf('SET[')).toBe('SET[');
    const long = 'x'.repeat(100);
    expect(nameOf(long)).toBe(long.toUpperCase());
  });

  test('compares a word in any case', () => {
    const args = new Arguments();
    args.next(body(['SET', 'kEEpttl']), 0);
    expect(args.is(1, 'KEEPTTL')).toBe(true);
    expect(args.is(1, 'KEEPTT')).toBe(false);
    expect(args.is(0, 'GET')).toBe(false);
  });

  test('refuses bytes that are cut off or no command', () => {
    const args = new Arguments();
    const bytes = body(['SET', 'key', 'value']);
    for (let cut = 0; cut < bytes.length; cut += 1) {
      expect(() => args.next(bytes.subarray(0, cut), 0), `cut at ${cut}`).toThrow();
    }
    expect(() => args.next(bytes, 1)).toThrow();
    expect(() => args.next(Buffer.from('*0\r\n'), 0)).toThrow();
  });

  test('takes as many arguments as Redis and no more', () => {
    const args = new Arguments();
    args.reset(Buffer.alloc(1));
    for (let i = 0; i < ARGUMENTS_MAX; i += 1) args.push(0, 1);
    expect(args.count).toBe(ARGUMENTS_MAX);
    expect(() => args.push(0, 1)).toThrow(RangeError);
  });
});
