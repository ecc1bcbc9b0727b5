import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Glob, matchesGlob, WILD_ELEMENTS_MAX } from '../../../storage/commands/glob.ts';

describe('matchesGlob', () => {
  test.each([
    ['*', 'anything', true],
    ['*', '', true],
    ['', '', true],
    ['', 'a', false],
    ['a', '', false],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['a*c', 'ac', true],
    ['a*c', 'abbbc', true],
    ['a*c', 'abbbcd', false],
    ['a**', 'a', true],
    ['*a*b*', 'xxaxxbxx', true],
    ['*a*b*', 'xxbxxaxx', false],
    ['h[ae]llo', 'hello', true],
    ['h[ae]llo', 'hillo', false],
    ['h[^e]llo', 'hallo', true],
    ['h[^e]llo', 'hello', false],
    ['h[a-b]llo', 'hbllo', true],
    ['h[b-a]llo', 'hallo', true],
    ['h[a-b]llo', 'hcllo', false],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a\\', 'a\\', true],
    ['[\\]]', ']', true],
    ['[a', 'a', true],
    ['[a', 'b', false],
    ['[^', 'b', true],
    ['[', 'a', false],
    ['[]', 'a', false],
    ['[^]', 'a', true],
    ['\xe9?', '\xe9\x00', true],
    ['A', 'a', false],
  ])('%j against %j is %s', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });

  test('does not go back over more than one star', () => {
    // Plain recursion needs about 10^30 steps for this.
    const pattern = `${'a*'.repeat(40)}b`;
    expect(matchesGlob(pattern, 'a'.repeat(2_000))).toBe(false);
    expect(matchesGlob(pattern, `${'a'.repeat(2_000)}b`)).toBe(true);
  });
});

describe('Glob', () => {
  const ELEMENTS = ['a', 'b', '?', '*', '[ab]', '[^a]', '\\a', '*'];

  /** Tries every length for every star. */
  function simple(elements: readonly string[], text: string): boolean {
    const [first, ...rest] = elements;
    if (first === undefined) return text === '';
    if (first === '*') {
      for (let at = 0; at <= text.length; at += 1) if (simple(rest, text.slice(at))) return true;
      return false;
    }
    return text !== '' && matchesGlob(first, text[0] ?? '') && simple(rest, text.slice(1));
  }

  test('agrees with a matcher that tries everything', () => {
    const element = fc.constantFrom(...ELEMENTS);
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(fc.array(element, { maxLength: 7 }), text, (elements, subject) => {
        expect(new Glob(elements.join('')).matches(subject)).toBe(simple(elements, subject));
      }),
      { numRuns: 2_000 },
    );
  });

  test('finds long parts where they begin first, plain and with wild elements', () => {
    const unit = fc.constantFrom('a', 'b');
    const long = fc.string({ unit, minLength: 17, maxLength: 80 });
    fc.assert(
      fc.property(long, fc.string({ unit, maxLength: 99 }), fc.nat(79), (part, before, at) => {
        const wild = `${part.slice(0, at)}?${part.slice(at + 1)}`.slice(0, part.length);
        for (const tail of ['', 'b', part]) {
          const text = `${before}${part}${tail}`;
          const rest = text.slice(text.indexOf(part) + part.length);
          expect(new Glob(`*${part}*${tail}`).matches(text)).toBe(rest.endsWith(tail));
          expect(new Glob(`*${wild}*`).matches(text)).toBe(true);
        }
        expect(new Glob(`*c${wild}*`).matches(`${before}${part}`)).toBe(false);
      }),
    );
  });

  /** Looks at the bytes of a text, counted. */
  function looksOf(pattern: string, length: number): number {
    const text = 'a'.repeat(length);
    let looks = 0;
    const watched = {
      length,
      charCodeAt(at: number): number {
        looks += 1;
        return text.charCodeAt(at);
      },
    };
    expect(new Glob(pattern).matches(watched as string)).toBe(false);
    return looks;
  }

  test.each([`*${'a'.repeat(1_000)}b*`, `*${'a?'.repeat(500)}b*`, `*${'a'.repeat(10_000)}b`])(
    'looks at each byte a constant number of times (pattern %#)',
    (pattern) => {
      expect(looksOf(pattern, 30_000)).toBeLessThan(4 * 30_000);
    },
  );

  test('refuses more wild elements between two stars than it may hold', () => {
    const elements = '?'.repeat(WILD_ELEMENTS_MAX);
    expect(new Glob(`*${elements}*${elements}*`).problem).toBeUndefined();
    expect(new Glob(`*${'a'.repeat(WILD_ELEMENTS_MAX + 1)}*`).problem).toBeUndefined();
    expect(new Glob(`*${elements}?*`).problem).toMatch(/^ERR the pattern has more than 1024 /);
  });
});
