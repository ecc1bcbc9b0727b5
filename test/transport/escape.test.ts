import { describe, expect, test } from 'vitest';
import { escapeBytes, escapeLine, escapeText, escapeUtf8 } from '../../transport/escape.ts';
import { fileErrorText } from '../../transport/file-error.ts';

describe('text from peers and clients', () => {
  test.each([
    ['plain text \\ "quoted" ~', 'plain text \\ "quoted" ~'],
    ['\u001b[31m\u0007\u0000\u007f', '\\x1b[31m\\x07\\x00\\x7f'],
    ['\u0080\u00e9\u00ff\r\n\t', '\\x80\\xe9\\xff\\x0d\\x0a\\x09'],
  ])('as bytes: %j', (text, shown) => {
    expect(escapeBytes(text)).toBe(shown);
  });

  test.each([
    ['/srv/jörg/数据 “x” 😀', '/srv/jörg/数据 “x” 😀'],
    ['a\r\n  b\nc', 'a b c'],
    ['\u001b[2J\u0007\u007f\u009b', '\\u001b[2J\\u0007\\u007f\\u009b'],
    // Would show the rest of the line from right to left.
    ['safe\u202egnp.exe\u2028', 'safe\\u202egnp.exe\\u2028'],
    ['\ud800 \u{e0041}', '\\ud800 \\udb40\\udc41'],
  ])('as a line: %j', (text, shown) => {
    expect(escapeLine(text)).toBe(shown);
  });

  test.each([
    ['k\xc3\xa4\n', 'kä\\x0a'],
    ['k\xc3\n', 'k\\xc3\\x0a'],
    ['\xe2\x80\xae', '\\xe2\\x80\\xae'],
  ])('as the name of a key: %j', (bytes, shown) => {
    expect(escapeUtf8(bytes)).toBe(shown);
  });

  test('as JSON keeps its meaning', () => {
    const value = { a: '\u0085\u200b\u{e0041}', b: 'ü' };
    const text = escapeText(JSON.stringify(value, null, 2));
    expect(text).toMatch(/^[\n\x20-\x7eü]*$/);
    expect(JSON.parse(text)).toEqual(value);
  });
});

test.each([
  [
    Object.assign(new Error('EACCES: x'), { code: 'EACCES' }),
    /^permission denied: .*chown.*EACCES/,
  ],
  [Object.assign(new Error('ENOSPC: x'), { code: 'ENOSPC' }), /^the disk is full: make room/],
  [Object.assign(new Error('EWHAT: x'), { code: 'EWHAT' }), /^EWHAT: x$/],
  [new Error('other'), /^other$/],
  ['text', /^text$/],
])('an error of a file: %s', (error, expected) => {
  expect(fileErrorText(error)).toMatch(expected);
});
