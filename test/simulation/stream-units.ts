/** Commands on streams, on keys of their own: ids of the time and given ones, long entries. */
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
    ['XLEN', key],
    ['XSETID', counted, '50-0'],
    ['RENAME', key, other],
    ['COPY', counted, other, 'REPLACE'],
    ['PEXPIRE', key, '2000'],
    ['DEL', counted],
  ];
  return choices[below(choices.length)] ?? ['XLEN', key];
}
