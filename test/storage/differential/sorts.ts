/** SORT over lists, sets and sorted sets, with keys and fields to look up. */
import fc from 'fast-check';

const word = (...words: string[]) => fc.constantFrom(...words);

const source = word('sl', 'ss', 'sz', 'sl', 'nosuch', 'w1', 'd');
const element = fc.oneof(fc.integer({ min: -3, max: 12 }).map(String), word('a', 'b', '1.5'));
const number = fc.integer({ min: -5, max: 20 }).map(String);

const fill = fc.oneof(
  fc.tuple(word('RPUSH'), word('sl'), element),
  fc.tuple(word('SADD'), word('ss'), element),
  fc.tuple(word('ZADD'), word('sz'), number, element),
  fc
    .tuple(element, fc.oneof(number, word('x', 'inf', '1e400', ' 2', '')))
    .map(([name, value]) => ['SET', `w${name}`, value]),
  fc.tuple(element, number).map(([name, value]) => ['HSET', `h${name}`, 'f', value]),
  word('sl', 'ss', 'sz').map((key) => ['DEL', key]),
);
const pattern = word('w*', 'w*', 'h*->f', 'h*->none', '#', 'const', 'w*->f', 'h*->', '*');
const option = fc.oneof(
  pattern.map((p) => ['BY', p]),
  pattern.map((p) => ['GET', p]),
  fc.tuple(word('LIMIT'), number, number),
  fc.tuple(word('LIMIT'), number, word('x', '9223372036854775807')),
  word('ASC', 'DESC', 'desc', 'FOO').map((w) => [w]),
  word('ALPHA').map((w) => [w]),
  word('d', 'd2').map((key) => ['STORE', key]),
);

/** Without an order a set has none that servers share, nor have elements of equal weight. */
function isOrdered(words: readonly string[]): boolean {
  const isByText = words.includes('ALPHA') && words.includes('BY');
  if (isByText) return false;
  return words[1] !== 'ss' || !words.some((w, i) => words[i - 1] === 'BY' && !w.includes('*'));
}

export const sortCommands: fc.Arbitrary<string[]> = fc
  .oneof(
    { weight: 4, arbitrary: fill },
    {
      weight: 3,
      arbitrary: fc
        .tuple(word('SORT', 'SORT', 'SORT_RO'), source, fc.array(option, { maxLength: 4 }))
        .map(([name, key, options]) => [name, key, ...options.flat()])
        .filter(isOrdered),
    },
    fc.tuple(word('LRANGE'), word('d', 'd2'), word('0'), word('-1')),
  )
  .map((words) => words.flat() as string[]);
