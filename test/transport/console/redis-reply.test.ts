/** Replies as the console reads them, whole and in pieces. */
import { expect, test } from 'vitest';
import { replyAt, requestOf } from '../../../transport/console/redis-reply.ts';

test.each([
  ['+OK\r\n', 'OK'],
  ['-ERR no\r\n', { error: 'ERR no' }],
  [':42\r\n', 42],
  ['$3\r\na\r\n\r\n', 'a\r\n'],
  ['$-1\r\n', null],
  ['*-1\r\n', null],
  ['*0\r\n', []],
  ['*2\r\n*1\r\n$1\r\na\r\n:1\r\n', [['a'], 1]],
])('%j', (text, reply) => {
  expect(replyAt(text, 0)).toEqual({ reply, end: text.length });
  for (let end = 0; end < text.length; end += 1) {
    expect(replyAt(text.slice(0, end), 0)).toBeUndefined();
  }
});

test('a request holds any bytes', () => {
  expect(requestOf(['SET', '\r\n', '\xff']).toString('latin1')).toBe(
    '*3\r\n$3\r\nSET\r\n$2\r\n\r\n\r\n$1\r\n\xff\r\n',
  );
});
