/** EVAL and SCRIPT. */
import type { Reply } from '../harness.ts';

type Case = readonly [line: string | readonly string[], reply: Reply];

const HASH = 'e0e1f9fabfc9d4800c877a703b823ac0578ff8db';
const MISSING = '-NOSCRIPT No matching script. Please use EVAL.';

export const SCRIPT_CASES: Record<string, readonly Case[]> = {
  'EVAL and SCRIPT': [
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
    [['EVALSHA', HASH, '0'], MISSING],
    [['SCRIPT', 'LOAD', 'return 1'], HASH],
    [['SCRIPT', 'LOAD', 'return 1'], HASH],
    [
      ['script', 'exists', HASH, 'other', HASH.toUpperCase()],
      [1, 0, 1],
    ],
    [['EVALSHA', HASH, '0'], 1],
    [['EVALSHA', HASH.toUpperCase(), '0'], 1],
    [['EVALSHA_RO', HASH, '0'], 1],
    [
      ['SCRIPT', 'LOAD', 'x x'],
      "-ERR Error compiling script (new function): user_script:1: '=' expected near 'x'",
    ],
    [['SCRIPT', 'FLUSH', 'LATER'], '-ERR SCRIPT FLUSH only support SYNC|ASYNC option'],
    [['SCRIPT', 'FLUSH', 'async'], '+OK'],
    [['EVALSHA', HASH, '0'], MISSING],
    [['SCRIPT', 'EXISTS', HASH], [0]],
  ],
};
