/** EVAL, SCRIPT and the commands on functions. */
import type { Reply } from '../harness.ts';

type Case = readonly [line: string | readonly string[], reply: Reply];

const HASH = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db';
const MISSING = '-NOSCRIPT No matching script. Please use EVAL.';
const LIBRARY =
  "#!lua name=lib\nredis.register_function('f', function(k, a) return {k[1], a[1]} end)\n" +
  "redis.register_function{function_name='g', callback=function() return 1 end, flags={'no-writes'}}";
/** As FUNCTION DUMP of Redis 7.0 gives it. */
const NO_LIBRARIES = Buffer.from('0a005d9b5c400f7fa2da', 'hex').toString('latin1');
const MAY_WRITE = '-ERR Can not execute a script with write flag using *_ro command.';

export const SCRIPT_CASES: Record<string, readonly Case[]> = {
  EVAL: [
    [
      ['EVAL', 'return {KEYS[1], ARGV[1]}', '1', 'a', 'x'],
      ['a', 'x'],
    ],
    [['EVAL', "return redis.call('set', KEYS[1], ARGV[1])", '1', 'a', 'x'], '+OK'],
    [['EVAL', 'return 1', '2', 'a'], "-ERR Number of keys can't be greater than number of args"],
    [['EVAL', 'return 1', '-1'], "-ERR Number of keys can't be negative"],
    [['EVAL', 'return 1', 'x'], '-ERR value is not an integer or out of range'],
    [['EVAL_RO', "return redis.call('get', KEYS[1])", '1', 'a'], 'x'],
    [
      ['EVAL_RO', "return redis.pcall('set', KEYS[1], '1')", '1', 'a'],
      '-ERR Write commands are not allowed from read-only scripts.',
    ],
    [['EVAL_RO', '#!lua\nreturn 1', '0'], MAY_WRITE],
    [['EVAL_RO', '#!lua flags=no-writes\nreturn 1', '0'], 1],
    // Those that are known travel as EVAL.
    [['EVALSHA', HASH, '0'], MISSING],
    [['EVALSHA_RO', HASH, '0'], MISSING],
    [['EVALSHA', HASH, 'x'], '-ERR value is not an integer or out of range'],
  ],
  FCALL: [
    [['FCALL', 'f', '0'], '-ERR Function not found'],
    [['FCALL_RO', 'f', '0'], '-ERR Function not found'],
    // As they travel.
    [
      ['HOLO.FCALL', 'F', '1', 'a', 'x', LIBRARY, ''],
      ['a', 'x'],
    ],
    [
      ['HOLO.FCALL', 'f', '2', 'a', LIBRARY, ''],
      "-ERR Number of keys can't be greater than number of args",
    ],
    [['HOLO.FCALL', 'f', '-1', LIBRARY, ''], "-ERR Number of keys can't be negative"],
    [['HOLO.FCALL', 'f', 'x', LIBRARY, ''], '-ERR Bad number of keys provided'],
    [['HOLO.FCALL_RO', 'f', '0', LIBRARY, ''], MAY_WRITE],
    [['HOLO.FCALL_RO', 'g', '0', LIBRARY, ''], 1],
    [['HOLO.FCALL', 'h', '0', LIBRARY, ''], '-ERR Function not found'],
    [['HOLO.FCALL', 'f', '0', '#!lua name=lib\nreturn 1', ''], '-ERR No functions registered'],
  ],
};

/** In the group of the cluster's table: its version is in front of the answer to a change. */
export const TABLE_CASES: readonly Case[] = [
  [
    ['SCRIPT', 'LOAD', 'return 1'],
    [1, HASH],
  ],
  [
    ['SCRIPT', 'LOAD', 'return 1'],
    [1, HASH],
  ],
  [
    ['script', 'exists', HASH, 'other', HASH.toUpperCase()],
    [1, 0, 1],
  ],
  [
    ['SCRIPT', 'LOAD', 'x x'],
    "-ERR Error compiling script (new function): user_script:1: '=' expected near 'x'",
  ],
  [['SCRIPT', 'FLUSH', 'LATER'], '-ERR SCRIPT FLUSH only support SYNC|ASYNC option'],
  [
    ['SCRIPT', 'FLUSH', 'async'],
    [2, '+OK'],
  ],
  [['SCRIPT', 'EXISTS', HASH], [0]],
  [
    ['FUNCTION', 'LOAD', LIBRARY],
    [3, 'lib'],
  ],
  [['FUNCTION', 'LOAD', LIBRARY], "-ERR Library 'lib' already exists"],
  [
    ['FUNCTION', 'LOAD', 'REPLACE', LIBRARY],
    [3, 'lib'],
  ],
  [['FUNCTION', 'DELETE', 'other'], '-ERR Library not found'],
  [
    ['FUNCTION', 'DELETE', 'lib'],
    [4, '+OK'],
  ],
  [
    ['FUNCTION', 'FLUSH'],
    [4, '+OK'],
  ],
  [['FUNCTION', 'LIST'], []],
  [
    ['FUNCTION', 'STATS'],
    ['running_script', null, 'engines', ['LUA', ['libraries_count', 0, 'functions_count', 0]]],
  ],
  [['FUNCTION', 'DUMP'], NO_LIBRARIES],
  [
    ['FUNCTION', 'RESTORE', NO_LIBRARIES, 'FLUSH'],
    [4, '+OK'],
  ],
  [['FUNCTION', 'RESTORE', 'x'], '-ERR DUMP payload version or checksum are wrong'],
];
