/** Scripts, on the keys of other units; several in a pipeline, with commands between them. */
import type { RandomUnit, RandomUnitOptions, Words } from './random-units.ts';

const LIMIT_RATE = 0.02;
const COMMANDS_MAX = 4;

const SCRIPTS = {
  swap: "local v = redis.pcall('get', KEYS[1]) redis.call('set', KEYS[1], ARGV[1]) return v",
  /** Keys that it does not declare are read, and one of them is written. */
  collect:
    "local t = {} for i = 0, 4 do t[#t + 1] = redis.call('type', 'x' .. i).ok end " +
    "redis.call('set', 'x' .. ARGV[1], table.concat(t)) return t",
  /** A key is written whose name is a value of another one. */
  follow:
    "local v = redis.pcall('strlen', KEYS[1]) if type(v) == 'table' then return v end " +
    "return redis.pcall('append', 'x' .. v % 8, 'f')",
  /** Everything that must be the same on every replica. */
  draw:
    "redis.call('del', KEYS[1]) for i = 1, 9 do redis.call('sadd', KEYS[1], 'm' .. i) end " +
    "local t = redis.call('spop', KEYS[1], 3) table.sort(t) t[#t + 1] = math.random(1000) " +
    "t[#t + 1] = redis.call('time')[2] return t",
  fail: "redis.call('set', KEYS[1], ARGV[1]) error('told')",
  endless: "redis.call('set', KEYS[1], ARGV[1]) while true do end",
  count: "return redis.call('dbsize')",
  /** All keys, behind a write of the script itself. */
  list:
    "redis.pcall('append', KEYS[1], ARGV[1]) local page = redis.call('scan', 0, 'COUNT', 9999) " +
    "return {redis.call('keys', 'x*'), page, redis.call('randomkey')}",
} as const;

/** A library, as a call of its function travels. */
const LIBRARY =
  '#!lua name=lib\n' +
  "redis.register_function('swap', function(keys, args) " +
  "local v = redis.pcall('get', keys[1]) redis.call('set', keys[1], args[1]) return v end)";

/** Of a user, as its scripts travel. */
const MAY_NOT_WRITE = JSON.stringify(['reader', '~* &* +@all -@write']);

export function scriptUnit(options: RandomUnitOptions): RandomUnit {
  const { rng } = options;
  const count = rng.next() < 0.5 ? 1 : 1 + Math.floor(rng.next() * COMMANDS_MAX);
  const commands = Array.from({ length: count }, () => command(options));
  return { commands, plan: [count], flushes: false };
}

function command({ rng, keys, value }: RandomUnitOptions): Words {
  const key = `x${Math.floor(rng.next() * keys)}`;
  const other = String(Math.floor(rng.next() * keys));
  const choices: readonly Words[] = [
    ['EVAL', SCRIPTS.swap, '1', key, value()],
    ['EVAL', SCRIPTS.collect, '1', key, other],
    ['EVAL', SCRIPTS.follow, '1', key],
    ['EVAL', SCRIPTS.draw, '1', key],
    ['EVAL', SCRIPTS.fail, '1', key, value()],
    ['EVAL', SCRIPTS.count, '1', key],
    ['EVAL', SCRIPTS.list, '1', key, value()],
    ['EVAL_RO', "return redis.pcall('get', KEYS[1])", '1', key],
    ['EVALSHA', '0'.repeat(40), '1', key],
    ['HOLO.FCALL', 'swap', '1', key, value(), LIBRARY, ''],
    ['HOLO.EVAL', SCRIPTS.swap, '1', key, value(), MAY_NOT_WRITE],
    ['APPEND', key, 'a'],
    ['GET', key],
  ];
  const chosen = choices[Math.floor(rng.next() * choices.length)] ?? [];
  const endless = ['EVAL', SCRIPTS.endless, '1', key, value()];
  return rng.next() < LIMIT_RATE ? endless : chosen;
}
