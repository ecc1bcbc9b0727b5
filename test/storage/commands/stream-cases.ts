/** Commands on streams, and their replies, one after the other. */
import type { Reply } from '../harness.ts';

const ID = '-ERR Invalid stream ID specified as stream command argument';
const NOT_BEHIND =
  '-ERR The ID specified in XADD is equal or smaller than the target stream top item';
const INTEGER = '-ERR value is not an integer or out of range';
const manyItems = (count: number): string[] => Array.from({ length: count }, (_, i) => `f${i}`);

export const STREAM_CASES: Record<string, [string | string[], Reply][]> = {
  'entries of streams': [
    ['XADD s 1-1 a 1', '1-1'],
    ['XADD s 1-1 a 1', NOT_BEHIND],
    ['XADD s 0-0 a 1', '-ERR The ID specified in XADD must be greater than 0-0'],
    ['XADD s 1-* a 2 b 3', '1-2'],
    ['XADD s 5 a 4', '5-0'],
    ['XADD s x a 4', ID],
    ['XADD s 6-0 a', "-ERR wrong number of arguments for 'xadd' command"],
    ['XADD none NOMKSTREAM 1-1 a 1', null],
    ['EXISTS none', 0],
    ['XLEN s', 3],
    ['XLEN none', 0],
    [
      'XRANGE s - +',
      [
        ['1-1', ['a', '1']],
        ['1-2', ['a', '2', 'b', '3']],
        ['5-0', ['a', '4']],
      ],
    ],
    ['XRANGE s (1-1 (5-0', [['1-2', ['a', '2', 'b', '3']]]],
    ['XREVRANGE s + 1-2 COUNT 1', [['5-0', ['a', '4']]]],
    ['XRANGE s - + COUNT 0', null],
    ['XRANGE s - + COUNT x', INTEGER],
    ['XRANGE none - +', []],
    ['XREAD STREAMS s none 1-2 0', [['s', [['5-0', ['a', '4']]]]]],
    ['XREAD STREAMS s $', null],
    ['XDEL s 1-2 9-9', 1],
    ['XTRIM s MAXLEN 1', 1],
    ['XRANGE s - +', [['5-0', ['a', '4']]]],
    ['XDEL s 5-0', 1],
    // A stream without entries is there, and remembers its last id.
    ['EXISTS s', 1],
    ['TYPE s', '+stream'],
    ['OBJECT ENCODING s', 'stream'],
    ['XADD s 5-0 a 1', NOT_BEHIND],
    ['XSETID s 9-0', '+OK'],
    ['XADD s 9-* a 1', '9-1'],
    ['XADD s 18446744073709551615-18446744073709551615 a 1', `${2n ** 64n - 1n}-${2n ** 64n - 1n}`],
    [
      'XADD s * a 1',
      '-ERR The stream has exhausted the last possible ID, unable to add more items',
    ],
  ],
  'the size of an entry': [
    [['XADD', 's', '1-0', ...manyItems(16_384)], '1-0'],
    [['XADD', 's', '2-0', ...manyItems(16_386)], '-ERR Elements are too large to be stored'],
    ['XRANGE s - +', [['1-0', manyItems(16_384)]]],
  ],
};
