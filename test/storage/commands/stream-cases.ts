/** Commands on streams, and their replies, one after the other. */
import type { Reply } from '../harness.ts';

const ID = '-ERR Invalid stream ID specified as stream command argument';
const NOT_BEHIND =
  '-ERR The ID specified in XADD is equal or smaller than the target stream top item';
const INTEGER = '-ERR value is not an integer or out of range';
const HINT =
  'Note that for CREATE you may want to use the MKSTREAM option to create an empty stream ' +
  'automatically.';
const IN_GROUP = "or consumer group 'g' in XREADGROUP with GROUP option";
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
  'consumer groups': [
    ['XGROUP CREATE q g $', `-ERR The XGROUP subcommand requires the key to exist. ${HINT}`],
    ['XGROUP CREATE q g $ MKSTREAM', '+OK'],
    ['XGROUP CREATE q g $', '-BUSYGROUP Consumer Group name already exists'],
    ['XADD q 1-1 a 1', '1-1'],
    ['XADD q 2-1 a 2', '2-1'],
    ['XREADGROUP GROUP g c STREAMS q none > >', `-NOGROUP No such key 'none' ${IN_GROUP}`],
    ['XREADGROUP GROUP g c COUNT 1 STREAMS q >', [['q', [['1-1', ['a', '1']]]]]],
    ['XREADGROUP GROUP g d NOACK STREAMS q >', [['q', [['2-1', ['a', '2']]]]]],
    ['XREADGROUP GROUP g c STREAMS q >', null],
    ['XREADGROUP GROUP g c STREAMS q 0', [['q', [['1-1', ['a', '1']]]]]],
    ['XPENDING q g', [1, '1-1', '1-1', [['c', '1']]]],
    ['XPENDING q g - + 5 c', [['1-1', 'c', 0, 2]]],
    ['XPENDING q g IDLE 1000 - + 5', []],
    ['XCLAIM q g d 0 1-1 IDLE 5000 JUSTID', ['1-1']],
    ['XPENDING q g IDLE 1000 - + 5', [['1-1', 'd', 5_000, 2]]],
    ['XAUTOCLAIM q g c 1000 0', ['0-0', [['1-1', ['a', '1']]], []]],
    ['XDEL q 1-1', 1],
    ['XAUTOCLAIM q g d 0 0', ['0-0', [], ['1-1']]],
    ['XACK q g 1-1', 0],
    ['XGROUP CREATECONSUMER q g e', 1],
    ['XGROUP DELCONSUMER q g e', 0],
    [
      'XINFO CONSUMERS q g',
      [
        ['name', 'c', 'pending', 0, 'idle', 0, 'inactive', 0],
        ['name', 'd', 'pending', 0, 'idle', 0, 'inactive', 0],
      ],
    ],
    ['XGROUP SETID q g 0 ENTRIESREAD 0', '+OK'],
    [
      'XINFO GROUPS q',
      [
        [
          ...['name', 'g', 'consumers', 2, 'pending', 0],
          ...['last-delivered-id', '0-0', 'entries-read', 0, 'lag', 1],
        ],
      ],
    ],
    [
      'XINFO STREAM q',
      [
        ...['length', 1, 'radix-tree-keys', 1, 'radix-tree-nodes', 2],
        ...['last-generated-id', '2-1', 'max-deleted-entry-id', '1-1', 'entries-added', 2],
        ...['recorded-first-entry-id', '2-1', 'groups', 1],
        ...['first-entry', ['2-1', ['a', '2']], 'last-entry', ['2-1', ['a', '2']]],
      ],
    ],
    ['XGROUP DESTROY q g', 1],
    ['XGROUP DESTROY q g', 0],
    ['XACK q g 2-1', 0],
  ],
  'the size of an entry': [
    [['XADD', 's', '1-0', ...manyItems(16_384)], '1-0'],
    [['XADD', 's', '2-0', ...manyItems(16_386)], '-ERR Elements are too large to be stored'],
    ['XRANGE s - +', [['1-0', manyItems(16_384)]]],
  ],
};
