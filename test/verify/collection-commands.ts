/**
 * The replies and effects of Redis' commands on collections, for `collections-model.ts`. A value is a list of
 * words, never an empty one: the elements of a list; the members of a set, sorted; the fields of a
 * hash, sorted, each before its value; the members of a sorted set in its order, each before its
 * score. Replies without an order have that of the value: `orderedReply` brings them there.
 */
import { InvalidHistoryError, type Json } from './history.ts';

type Words = readonly string[];
export type Values = ReadonlyMap<string, Words>;

/** @throws InvalidHistoryError when there is no such command. */
export function runCollection(values: Map<string, Words>, [name = '', ...args]: Words): Json {
  const command = COMMANDS.get(name);
  if (command === undefined) throw new InvalidHistoryError(`the model has no ${name}`);
  return command(values, args);
}

/** A reply of a server in the order and form that the model has; RESP3 has scores in pairs. */
export function orderedReply([name]: Words, reply: Json): Json {
  if (!Array.isArray(reply)) return reply;
  if (name === 'ZRANGE') return (reply as Json[][]).flat();
  if (name === 'SMEMBERS') return reply.toSorted();
  if (name === 'HGETALL') return ordered(reply as string[], compareText);
  return reply;
}

type Command = (values: Map<string, Words>, args: Words) => Json;
type Order = (one: readonly [string, string], other: readonly [string, string]) => number;

const compareText: Order = ([one], [other]) => (one < other ? -1 : one > other ? 1 : 0);
const compareScore: Order = (one, other) =>
  Number(one[1]) - Number(other[1]) || compareText(one, other);

const COMMANDS = new Map<string, Command>([
  ['RPUSH', (values, [key, ...added]) => put(values, key, [...at(values, key), ...added]).length],
  [
    'LPUSH',
    (values, [key, ...added]) => put(values, key, [...added.reverse(), ...at(values, key)]).length,
  ],
  ['LPOP', (values, [key]) => pop(values, key, 'LEFT')],
  ['RPOP', (values, [key]) => pop(values, key, 'RIGHT')],
  ['LMOVE', moveElement],
  ['LREM', removeElement],
  ['LRANGE', (values, [key]) => at(values, key)],
  ['LLEN', (values, [key]) => at(values, key).length],
  ['SADD', (values, [key, member]) => addMember(values, key, member)],
  ['SREM', (values, [key, member]) => removeMember(values, key, member)],
  [
    'SMOVE',
    (values, [from, to, member]) => {
      if (removeMember(values, from, member) === 0) return 0;
      addMember(values, to, member);
      return 1;
    },
  ],
  ['SMEMBERS', (values, [key]) => at(values, key)],
  ['SISMEMBER', (values, [key, member = '']) => (at(values, key).includes(member) ? 1 : 0)],
  ['SCARD', (values, [key]) => at(values, key).length],
  ['HSET', (values, [key, field, value]) => set(values, key, field, value, compareText)],
  [
    'HSETNX',
    (values, [key, field, value]) =>
      find(values, key, field) === null ? set(values, key, field, value, compareText) : 0,
  ],
  ['HDEL', (values, [key, field]) => unset(values, key, field)],
  ['HINCRBY', (values, args) => Number(add(values, args, compareText))],
  ['HGET', (values, [key, field]) => find(values, key, field)],
  ['HGETALL', (values, [key]) => at(values, key)],
  ['HLEN', (values, [key]) => at(values, key).length / 2],
  ['ZADD', (values, [key, score, member]) => set(values, key, member, score, compareScore)],
  [
    'ZINCRBY',
    (values, [key = '', score = '', member = '']) =>
      add(values, [key, member, score], compareScore),
  ],
  ['ZREM', (values, [key, member]) => unset(values, key, member)],
  ['ZSCORE', (values, [key, member]) => find(values, key, member)],
  ['ZPOPMIN', popLowest],
  ['ZRANGE', (values, [key]) => at(values, key)],
  ['ZCARD', (values, [key]) => at(values, key).length / 2],
]);

function at(values: Values, key: string | undefined): Words {
  return values.get(key ?? '') ?? [];
}

function put(values: Map<string, Words>, key: string | undefined, value: Words): Words {
  if (value.length === 0) values.delete(key ?? '');
  else values.set(key ?? '', value);
  return value;
}

// ---- lists --------------------------------------------------------------------------------------

function pop(values: Map<string, Words>, key: string | undefined, end: string): string | null {
  const list = at(values, key);
  put(values, key, end === 'LEFT' ? list.slice(1) : list.slice(0, -1));
  return list.at(end === 'LEFT' ? 0 : -1) ?? null;
}

function moveElement(values: Map<string, Words>, [from, to, where = '', whereTo]: Words): Json {
  const element = pop(values, from, where);
  if (element === null) return null;
  const list = at(values, to);
  put(values, to, whereTo === 'LEFT' ? [element, ...list] : [...list, element]);
  return element;
}

/** With a count of 1. */
function removeElement(values: Map<string, Words>, [key, , element = '']: Words): Json {
  const list = at(values, key);
  const found = list.indexOf(element);
  if (found < 0) return 0;
  put(values, key, list.toSpliced(found, 1));
  return 1;
}

// ---- sets ---------------------------------------------------------------------------------------

function addMember(values: Map<string, Words>, key: string | undefined, member = ''): number {
  const members = at(values, key);
  if (members.includes(member)) return 0;
  put(values, key, [...members, member].sort());
  return 1;
}

function removeMember(values: Map<string, Words>, key: string | undefined, member = ''): number {
  const members = at(values, key);
  put(
    values,
    key,
    members.filter((each) => each !== member),
  );
  return members.includes(member) ? 1 : 0;
}

// ---- hashes and sorted sets: pairs ---------------------------------------------------------------

function pairsOf(words: Words): (readonly [string, string])[] {
  return Array.from({ length: words.length / 2 }, (_, i) => [
    words[2 * i] ?? '',
    words[2 * i + 1] ?? '',
  ]);
}

function ordered(words: Words, order: Order): Words {
  return pairsOf(words).sort(order).flat();
}

function find(values: Values, key: string | undefined, name = ''): string | null {
  return pairsOf(at(values, key)).find(([each]) => each === name)?.[1] ?? null;
}

/** Answers how many are new. */
function set(
  values: Map<string, Words>,
  key: string | undefined,
  name = '',
  value = '',
  order: Order = compareText,
): number {
  const others = pairsOf(at(values, key)).filter(([each]) => each !== name);
  const isNew = others.length === at(values, key).length / 2;
  put(values, key, ordered([...others.flat(), name, value], order));
  return isNew ? 1 : 0;
}

function unset(values: Map<string, Words>, key: string | undefined, name = ''): number {
  const pairs = pairsOf(at(values, key));
  const others = pairs.filter(([each]) => each !== name);
  put(values, key, others.flat());
  return pairs.length - others.length;
}

function add(values: Map<string, Words>, [key, name, delta]: Words, order: Order): string {
  const sum = String(Number(find(values, key, name) ?? 0) + Number(delta));
  set(values, key, name, sum, order);
  return sum;
}

function popLowest(values: Map<string, Words>, [key]: Words): Json {
  const words = at(values, key);
  put(values, key, words.slice(2));
  return words.slice(0, 2);
}
