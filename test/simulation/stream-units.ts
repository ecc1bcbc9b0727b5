/** Commands on streams, on keys of their own: entries, and consumer groups that read them. */
import type { RandomUnitOptions, Words } from './random-units.ts';

/** A few entries of it make a block. */
const LONG_BYTES = 700;
const IDS = 40;

export function streamCommand(options: RandomUnitOptions): Words {
  const { rng, keys, value } = options;
  const below = (end: number): number => Math.floor(rng.next() * end);
  const key = `xs${below(keys)}`;
  const other = `xs${below(keys)}`;
  // The ids of these can be named: none is of the time.
  const counted = `xi${below(keys)}`;
  const id = `${below(IDS)}-${below(3)}`;
  const group = `g${below(2)}`;
  const consumer = `c${below(3)}`;
  const item = rng.next() < 0.3 ? value().padEnd(LONG_BYTES, 'x') : value();
  const choices: readonly Words[] = [
    ['XADD', key, '*', 'name', item],
    ['XADD', key, '*', 'name', item, 'other', value()],
    ['XADD', key, 'MAXLEN', '5', '*', 'name', item],
    ['XADD', key, 'NOMKSTREAM', 'MAXLEN', '~', '3', '*', 'name', item],
    ['XADD', counted, id, 'name', item],
    ['XADD', counted, `${below(IDS)}-*`, 'name', item],
    ['XADD', counted, 'MINID', id, '*', 'name', item],
    ['XDEL', counted, id, `${below(IDS)}-0`],
    ['XTRIM', key, 'MAXLEN', '3'],
    ['XTRIM', counted, 'MINID', id],
    ['XRANGE', key, '-', '+', 'COUNT', '5'],
    ['XREVRANGE', counted, '+', `(${id}`],
    ['XREAD', 'COUNT', '2', 'STREAMS', counted, key, id, '0'],
    ['XGROUP', 'CREATE', key, group, '0', 'MKSTREAM'],
    ['XGROUP', 'CREATE', counted, group, '0', 'MKSTREAM'],
    ['XREADGROUP', 'GROUP', group, consumer, 'COUNT', '3', 'STREAMS', key, '>'],
    ['XREADGROUP', 'GROUP', group, consumer, 'STREAMS', counted, '>'],
    ['XREADGROUP', 'GROUP', group, consumer, 'STREAMS', key, '0'],
    ['XACK', counted, group, id, `${below(IDS)}-0`],
    ['XCLAIM', counted, group, consumer, '0', id, `${below(IDS)}-0`, 'FORCE'],
    ['XAUTOCLAIM', key, group, consumer, '50', '0', 'COUNT', '2'],
    ['XPENDING', key, group, 'IDLE', '50', '-', '+', '5'],
    ['XGROUP', 'DELCONSUMER', counted, group, consumer],
    ['XGROUP', 'DESTROY', key, group],
    ['XINFO', 'STREAM', counted, 'FULL'],
    ['XINFO', 'CONSUMERS', key, group],
    ['XLEN', key],
    ['XSETID', counted, '50-0'],
    ['RENAME', key, other],
    ['COPY', counted, other, 'REPLACE'],
    ['PEXPIRE', key, '2000'],
    ['DEL', counted],
  ];
  return choices[below(choices.length)] ?? ['XLEN', key];
}
