/** Bytes on the page of the console: shown, edited and set again without loss. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
// @ts-expect-error: a module of the page, which is JavaScript
import { bytesOf, shown, shownLines } from '../../../transport/console/page/text.js';

const latin1 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

test.each([
  [latin1('Größe 数据 😀'), 'Größe 数据 😀'],
  ['\xff\x00k', '\\xff\\x00k'],
  [`${latin1('ä')}\xc3`, 'ä\\xc3'],
  ['\xed\xa0\x80 \xc0\xaf \xf5', '\\xed\\xa0\\x80 \\xc0\\xaf \\xf5'],
  [latin1('\ufeffx\u202ey\u009b'), '\\xef\\xbb\\xbfx\\xe2\\x80\\xaey\\xc2\\x9b'],
  ['\\xylo \\n \\', '\\xylo \\n \\'],
  ['\\x41 \\xFf', '\\x5cx41 \\x5cxFf'],
  ['a\r\n\tb', 'a\\x0d\\x0a\\x09b'],
])('%j is shown as %s', (bytes, text) => {
  expect(shown(bytes)).toBe(text);
  expect(bytesOf(text)).toBe(bytes);
});

test('a text area keeps lines, and nothing that it would change', () => {
  expect(shownLines('a\r\n\tb')).toBe('a\\x0d\n\tb');
});

test('any bytes come back', () => {
  const piece = fc.oneof(
    fc.string().map(latin1),
    fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.constantFrom('\\x', '\\', 'x41', '5c', '\n', '\xe2\x80', '\xf0\x9f\x98'),
  );
  const bytes = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  fc.assert(
    fc.property(bytes, (before) => {
      expect(bytesOf(shown(before))).toBe(before);
      expect(bytesOf(shownLines(before))).toBe(before);
    }),
    { numRuns: 2_000 },
  );
});
