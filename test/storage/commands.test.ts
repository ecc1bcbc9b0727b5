/**
 * Every command by tables of cases: a line is a command and its reply, run in order on one machine.
 * Replies are those of Redis 7.0.15 (`redis-differential.test.ts` asks it); what Redis 7.0 does not
 * have (IFEQ, IFNE, HOLO.EXPIRE, one database) is by the documentation of what has it.
 */
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../storage/commands/command-table.ts';
import { CELL_BYTES } from '../../storage/keyspace/cell-cache.ts';
import { redisSlotOf, slotOfText } from '../../storage/keyspace/slots.ts';
import { HASH_CASES } from './commands/hash-cases.ts';
import { LIST_CASES } from './commands/list-cases.ts';
import { SCRIPT_CASES, TABLE_CASES } from './commands/script-cases.ts';
import { SET_CASES } from './commands/set-cases.ts';
import { STREAM_CASES } from './commands/stream-cases.ts';
import { ZSET_CASES } from './commands/zset-cases.ts';
import { body, Machine, META, type Reply, START_MS } from './harness.ts';

const NOW_SECONDS = START_MS / 1000;
const SYNTAX = '-ERR syntax error';
const NO_INT = '-ERR value is out of range, value must between -2147483648 and 2147483647';
const INTEGER = '-ERR value is not an integer or out of range';
const FLOAT = '-ERR value is not a valid float';
const OVERFLOW = '-ERR increment or decrement would overflow';
const TOO_LONG = '-ERR string exceeds maximum allowed size (proto-max-bulk-len)';
const arity = (name: string) => `-ERR wrong number of arguments for '${name}' command`;
const expire = (name: string) => `-ERR invalid expire time in '${name}' command`;

type Case = readonly [line: string | readonly string[], reply: Reply];

/** Words of a line: blanks part them, `''` is the empty one. */
function words(line: string | readonly string[]): string[] {
  return typeof line === 'string'
    ? line.split(' ').map((word) => (word === "''" ? '' : word))
    : [...line];
}

const OF_TABLE = 'SCRIPT and FUNCTION, of the meta group';

const TABLES: Record<string, readonly Case[]> = {
  ...HASH_CASES,
  ...SET_CASES,
  ...LIST_CASES,
  ...ZSET_CASES,
  ...STREAM_CASES,
  ...SCRIPT_CASES,
  [OF_TABLE]: TABLE_CASES,
  'GET and SET': [
    ['GET a', null],
    ['SET a 1', '+OK'],
    ['get a', '1'],
    ['SET a 2 NX', null],
    ['SET a 2 XX', '+OK'],
    ['SET b 2 XX', null],
    ['SET a 3 GET', '2'],
    ['SET a 4 NX GET', '3'],
    ['GET a', '3'],
    ['SET new 1 nx get', null],
    ['GET new', '1'],
    ['SET a 5 XX XX GET GET', '3'],
    ['SET a 1 NX XX', SYNTAX],
    ['SET a 1 FOO', SYNTAX],
    ['SET a 1 EX', SYNTAX],
    ['SET a 1 EX 10 PX 5', SYNTAX],
    ['SET a 1 EX 10 KEEPTTL', SYNTAX],
    ['SET a 1 KEEPTTL PXAT 10', SYNTAX],
    ['SET a 1 EX x', INTEGER],
    ['SET a 1 EX 9223372036854775808', INTEGER],
    ['SET a 1 EX 0', expire('set')],
    ['SET a 1 PX -5', expire('set')],
    ['SET a 1 EX 9223372036854775807', expire('set')],
    ['GET a', '5'],
    ['SET a', arity('set')],
    ['GET', arity('get')],
    ['GET a b', arity('get')],
  ],
  'SET and deadlines': [
    ['SET a 1 EX 10', '+OK'],
    ['TTL a', 10],
    ['SET a 2 KEEPTTL', '+OK'],
    ['TTL a', 10],
    ['SET a 3', '+OK'],
    ['TTL a', -1],
    ['SET a 3 PX 1500', '+OK'],
    ['PTTL a', 1500],
    ['TTL a', 2],
    [`SET a 3 EXAT ${NOW_SECONDS + 60}`, '+OK'],
    ['EXPIRETIME a', NOW_SECONDS + 60],
    [`SET a 3 PXAT ${START_MS + 70_400}`, '+OK'],
    ['PEXPIRETIME a', START_MS + 70_400],
    ['EXPIRETIME a', NOW_SECONDS + 70],
    ['SET a 4 PX 10 NX', null],
    ['PEXPIRETIME a', START_MS + 70_400],
    ['SET a 4 PXAT 1', '+OK'],
    ['EXISTS a', 0],
    ['SET a 4 KEEPTTL', '+OK'],
    ['TTL a', -1],
    ['SET a 4 PXAT 9223372036854775807', '+OK'],
    ['PEXPIRETIME a', 9223372036854775807n],
    ['SET a 4 PXAT 9007199254740991', '+OK'],
    ['PEXPIRETIME a', Number.MAX_SAFE_INTEGER],
  ],
  'Deadlines past what a double holds exactly': [
    ['SET foo bar', '+OK'],
    ['PEXPIREAT foo 9223372036854770000', 1],
    ['PEXPIRETIME foo', 9223372036854770000n],
    ['EXPIRETIME foo', 9223372036854770n],
    ['PTTL foo', 9223372036854770000n - BigInt(START_MS)],
    ['TTL foo', 9223372036854770n - BigInt(NOW_SECONDS)],
    ['PEXPIREAT foo 9223372036854770001 GT', 1],
    ['PEXPIREAT foo 9223372036854770000 GT', 0],
    ['PEXPIREAT foo 9223372036854770000 LT', 1],
    ['COPY foo copy', 1],
    ['PEXPIRETIME copy', 9223372036854770000n],
    ['GETEX foo EXAT 9223372036854775', 'bar'],
    ['PEXPIRETIME foo', 9223372036854775000n],
    ['SET foo 1 KEEPTTL', '+OK'],
    ['INCR foo', 2],
    ['PEXPIRETIME foo', 9223372036854775000n],
    ['PEXPIREAT foo 9007199254740992', 1],
    ['PEXPIRETIME foo', 9007199254740992n],
    ['PTTL foo', Number(9007199254740992n - BigInt(START_MS))],
    [`PEXPIRE foo ${2n ** 63n - 1n - BigInt(START_MS)}`, 1],
    ['PEXPIRETIME foo', 9223372036854775807n],
    [`PEXPIRE foo ${2n ** 63n - BigInt(START_MS)}`, expire('pexpire')],
    [`PSETEX foo ${2n ** 63n - BigInt(START_MS)} x`, expire('psetex')],
    [`PSETEX foo ${2n ** 63n - 1n - BigInt(START_MS)} x`, '+OK'],
    [`SETEX foo ${9223372036854775n - BigInt(NOW_SECONDS)} x`, '+OK'],
    ['PEXPIRETIME foo', 9223372036854775000n],
    [`SETEX foo ${9223372036854776n - BigInt(NOW_SECONDS)} x`, expire('setex')],
    [`SET foo x EX ${9223372036854776n - BigInt(NOW_SECONDS)}`, expire('set')],
    ['SET foo x EXAT 9223372036854776', expire('set')],
    ['EXPIREAT foo 9223372036854776', expire('expireat')],
    ['EXPIREAT foo 9223372036854775', 1],
    [`GETEX foo PX ${2n ** 63n - BigInt(START_MS)}`, expire('getex')],
    ['PERSIST foo', 1],
    ['PEXPIRETIME foo', -1],
  ],
  'SET IFEQ and IFNE': [
    ['SET a new IFEQ old', null],
    ['EXISTS a', 0],
    ['SET a new IFNE old', '+OK'],
    ['SET a newer IFEQ old', null],
    ['SET a newer IFEQ new', '+OK'],
    ['SET a newest IFNE newer', null],
    ['SET a newest IFEQ newer GET', 'newer'],
    ['SET a other IFEQ nothing GET', 'newest'],
    ['GET a', 'newest'],
    ["SET a '' IFEQ newest EX 10", '+OK'],
    ["SET a 1 KEEPTTL IFEQ ''", '+OK'],
    ['TTL a', 10],
    ['SET a 1 IFEQ', SYNTAX],
    ['SET a 1 NX IFEQ 1', SYNTAX],
    ['SET a 1 IFEQ 1 XX', SYNTAX],
    ['SET a 1 IFEQ 1 IFEQ 2', SYNTAX],
    ['SET a 1 IFEQ 1 IFNE 1', SYNTAX],
  ],
  'SETNX SETEX PSETEX GETSET GETDEL': [
    ['SETNX a 1', 1],
    ['SETNX a 2', 0],
    ['GETSET a 3', '1'],
    ['GETSET b 3', null],
    ['SETEX a 10 x', '+OK'],
    ['TTL a', 10],
    ['GETSET a y', 'x'],
    ['TTL a', -1],
    ['PSETEX a 1500 z', '+OK'],
    ['PTTL a', 1500],
    ['SETEX a 0 x', expire('setex')],
    ['SETEX a x x', INTEGER],
    ['PSETEX a -1 x', expire('psetex')],
    ['GETDEL a', 'z'],
    ['GETDEL a', null],
    ['SETEX a 1', arity('setex')],
  ],
  GETEX: [
    ['GETEX a', null],
    ['GETEX a EX 0', null],
    ['GETEX a FOO', SYNTAX],
    ['SET a 1', '+OK'],
    ['GETEX a EX 10', '1'],
    ['TTL a', 10],
    ['GETEX a', '1'],
    ['TTL a', 10],
    ['GETEX a PX 1500 px 2500', '1'],
    ['PTTL a', 2500],
    ['GETEX a persist PERSIST', '1'],
    ['TTL a', -1],
    ['GETEX a EX 10 PX 10', SYNTAX],
    ['GETEX a EX 10 PERSIST', SYNTAX],
    ['GETEX a PERSIST EX 10', SYNTAX],
    ['GETEX a EX', SYNTAX],
    ['GETEX a EX x', INTEGER],
    ['GETEX a EX 0', expire('getex')],
    ['GETEX a EXAT 1', '1'],
    ['EXISTS a', 0],
  ],
  'MGET MSET MSETNX': [
    ['MSET a 1 b 2 a 3', '+OK'],
    ['MGET a b c a', ['3', '2', null, '3']],
    ['MSETNX c 1 a 2', 0],
    ['EXISTS c', 0],
    ['MSETNX c 1 c 2', 1],
    ['GET c', '2'],
    ['MSET a', arity('mset')],
    ['MSET a 1 b', arity('mset')],
    ['MSETNX a', arity('msetnx')],
    ['MSETNX a 1 b', arity('msetnx')],
    ['MGET', arity('mget')],
  ],
  'APPEND STRLEN GETRANGE SUBSTR SETRANGE': [
    ['STRLEN a', 0],
    ['APPEND a hello', 5],
    ['EXPIRE a 10', 1],
    ['APPEND a world', 10],
    ['TTL a', 10],
    ['STRLEN a', 10],
    ['GETRANGE a 0 4', 'hello'],
    ['GETRANGE a -5 -1', 'world'],
    ['GETRANGE a 3 1', ''],
    ['GETRANGE a -1 -3', ''],
    ['GETRANGE a 0 -100', 'h'],
    ['GETRANGE a -100 100', 'helloworld'],
    ['GETRANGE a 100 200', ''],
    ['GETRANGE a 9223372036854775807 9223372036854775807', ''],
    ['GETRANGE a -9223372036854775808 9223372036854775807', 'helloworld'],
    ['SUBSTR a 1 3', 'ell'],
    ['GETRANGE nothing 0 1', ''],
    ['GETRANGE nothing 0 x', INTEGER],
    ['GETRANGE a x 1', INTEGER],
    ['SETRANGE a 5 XYZ', 10],
    ['TTL a', 10],
    ['GET a', 'helloXYZld'],
    ['SETRANGE a 9 12', 11],
    ['SETRANGE b 3 x', 4],
    ['GET b', '\0\0\0x'],
    ["SETRANGE a 5 ''", 11],
    ["SETRANGE a 2147483648 ''", 11],
    ["SETRANGE nothing 5 ''", 0],
    ['EXISTS nothing', 0],
    ['SETRANGE a -1 x', '-ERR offset is out of range'],
    ["SETRANGE a x ''", INTEGER],
    ['SETRANGE a 9223372036854775807 x', TOO_LONG],
    ['SETRANGE a 67108864 x', TOO_LONG],
    ['SETRANGE a 67108863 x', 67_108_864],
    ['APPEND a x', TOO_LONG],
  ],
  'INCR DECR INCRBY DECRBY': [
    ['INCR a', 1],
    ['INCRBY a 41', 42],
    ['DECR a', 41],
    ['DECRBY a 51', -10],
    ['INCRBY a -5', -15],
    ['GET a', '-15'],
    ['SETEX a 10 9223372036854775806', '+OK'],
    ['INCR a', 9223372036854775807n],
    ['TTL a', 10],
    ['INCR a', OVERFLOW],
    ['GET a', '9223372036854775807'],
    ['DECRBY a 9223372036854775807', 0],
    ['SET a -9223372036854775808', '+OK'],
    ['DECR a', OVERFLOW],
    ['DECRBY a -9223372036854775808', '-ERR decrement would overflow'],
    ['INCRBY a 9223372036854775807', -1],
    ['SET a 9007199254740991', '+OK'],
    ['INCR a', 9007199254740992n],
    ['INCR a', 9007199254740993n],
    ['DECRBY a 2', Number.MAX_SAFE_INTEGER],
    ['INCRBY a 1.5', INTEGER],
    ['INCRBY a +1', INTEGER],
    ["INCRBY a ''", INTEGER],
    ['SET a 012', '+OK'],
    ['INCR a', INTEGER],
    [['SET', 'a', ' 1'], '+OK'],
    ['INCR a', INTEGER],
    ["SET a ''", '+OK'],
    ['INCR a', INTEGER],
    ['DECRBY b 5', -5],
    ['INCR', arity('incr')],
  ],
  INCRBYFLOAT: [
    ['INCRBYFLOAT a 1.5', '1.5'],
    ['INCRBYFLOAT a 1.5', '3'],
    ['SETEX a 10 10.50', '+OK'],
    ['INCRBYFLOAT a 0.1', '10.6'],
    ['TTL a', 10],
    ['INCRBYFLOAT a 5.0e3', '5010.60000000000000009'],
    ['SET a 1e17', '+OK'],
    ['INCRBYFLOAT a 1', '100000000000000001'],
    ['INCRBYFLOAT a x', FLOAT],
    ['INCRBYFLOAT a nan', FLOAT],
    ['INCRBYFLOAT a inf', '-ERR increment would produce NaN or Infinity'],
    ['SET a x', '+OK'],
    ['INCRBYFLOAT a 1', FLOAT],
  ],
  'DEL UNLINK EXISTS TOUCH TYPE': [
    ['MSET a 1 b 2 c 3 d 4', '+OK'],
    ['EXISTS a a nothing b', 3],
    ['TOUCH a nothing a', 2],
    ['TYPE a', '+string'],
    ['TYPE nothing', '+none'],
    ['DEL a a nothing', 1],
    ['UNLINK b c nothing', 2],
    ['EXISTS a b c d', 1],
    ['DBSIZE', 1],
    ['DEL', arity('del')],
  ],
  'RENAME RENAMENX COPY': [
    ['RENAME nothing a', '-ERR no such key'],
    ['RENAME nothing nothing', '-ERR no such key'],
    ['SET a 1 EX 10', '+OK'],
    ['SET b 2', '+OK'],
    ['RENAME a a', '+OK'],
    ['TTL a', 10],
    ['RENAMENX a a', 0],
    ['RENAMENX a b', 0],
    ['RENAMENX nothing b', '-ERR no such key'],
    ['RENAME a b', '+OK'],
    ['MGET a b', [null, '1']],
    ['TTL b', 10],
    ['RENAMENX b c', 1],
    ['DBSIZE', 1],
    ['COPY c d', 1],
    ['TTL d', 10],
    ['SET c 2', '+OK'],
    ['COPY c d', 0],
    ['COPY c d REPLACE', 1],
    ['GET d', '2'],
    ['TTL d', -1],
    ['COPY nothing d REPLACE', 0],
    ['COPY c e DB 0 replace', 1],
    ['COPY c c', '-ERR source and destination objects are the same'],
    ['COPY c f DB 16', '-ERR DB index is out of range'],
    ['COPY c f DB -1', '-ERR DB index is out of range'],
    ['COPY c c DB 1', 1],
    ['COPY c c DB 1', 0],
    ['COPY c c DB 1 REPLACE', 1],
    ['COPY c f DB x', INTEGER],
    ['COPY c f DB 2147483648', NO_INT],
    ['COPY c f DB', SYNTAX],
    ['COPY c f FOO', SYNTAX],
  ],
  'EXPIRE and its kin': [
    ['EXPIRE a 10', 0],
    ['SET a 1', '+OK'],
    ['TTL a', -1],
    ['TTL nothing', -2],
    ['PTTL nothing', -2],
    ['EXPIRETIME nothing', -2],
    ['PEXPIRETIME a', -1],
    ['EXPIRE a 100 XX', 0],
    ['EXPIRE a 100 GT', 0],
    ['EXPIRE a 100 LT', 1],
    ['EXPIRE a 200 NX', 0],
    ['EXPIRE a 200 gt', 1],
    ['EXPIRE a 300 LT', 0],
    ['EXPIRE a 100 XX GT', 0],
    ['EXPIRE a 200 GT', 0],
    ['EXPIRE a 300 XX GT GT', 1],
    ['TTL a', 300],
    ['PEXPIRE a 1500', 1],
    ['PTTL a', 1500],
    [`EXPIREAT a ${NOW_SECONDS + 60}`, 1],
    ['TTL a', 60],
    [`PEXPIREAT a ${START_MS + 500}`, 1],
    ['PTTL a', 500],
    ['TTL a', 1],
    ['PERSIST a', 1],
    ['PERSIST a', 0],
    ['PERSIST nothing', 0],
    ['EXPIRE a 10 NX XX', '-ERR NX and XX, GT or LT options at the same time are not compatible'],
    ['EXPIRE a 10 GT LT', '-ERR GT and LT options at the same time are not compatible'],
    ['EXPIRE a x FOO', '-ERR Unsupported option FOO'],
    [['EXPIRE', 'a', '1', 'x\r\n+OK\0y'], '-ERR Unsupported option x  +OK'],
    ['EXPIRE nothing x', INTEGER],
    ['EXPIRE nothing 9223372036854775807', expire('expire')],
    ['EXPIREAT a 9223372036854775807', expire('expireat')],
    ['PEXPIRE a 9223372036854775807', expire('pexpire')],
    // Longer ago than a safe integer of milliseconds can say is past, as Redis has it.
    ['EXPIRE nothing -9008994516573', 0],
    ['EXPIRE nothing -9223372036854775', 0],
    ['EXPIRE nothing -9223372036854776', expire('expire')],
    ['PEXPIRE nothing -9223372036854775808', 0],
    ['SET past 1', '+OK'],
    ['EXPIRE past -9223372036854775', 1],
    ['EXISTS past', 0],
    ['EXPIRE a -1 XX', 0],
    ['EXISTS a', 1],
    ['EXPIRE a -1', 1],
    ['EXISTS a', 0],
    ['SET a 1', '+OK'],
    ['PEXPIREAT a 0', 1],
    ['EXISTS a', 0],
    ['SET a 1', '+OK'],
    ['EXPIRE a 0', 1],
    ['DBSIZE', 0],
  ],
  'KEYS SCAN RANDOMKEY DBSIZE': [
    ['KEYS *', []],
    ['SCAN 0', ['0', []]],
    ['RANDOMKEY', null],
    ['DBSIZE', 0],
    ['SET key:1 1', '+OK'],
    ['RANDOMKEY', 'key:1'],
    ['KEYS k*', ['key:1']],
    ['KEYS x*', []],
    ['SCAN 0 MATCH k* COUNT 100 TYPE STRING', ['0', ['key:1']]],
    ['SCAN 0 MATCH x*', ['0', []]],
    ['SCAN 0 TYPE hash', ['0', []]],
    ['SCAN 00', ['0', ['key:1']]],
    ['SCAN -1', ['0', []]],
    ['SCAN 281474976710656', ['0', []]],
    ['SCAN x', '-ERR invalid cursor'],
    ['SCAN 18446744073709551616', '-ERR invalid cursor'],
    [['SCAN', ' 0'], '-ERR invalid cursor'],
    ['SCAN 0 COUNT 0', SYNTAX],
    ['SCAN 0 COUNT x', INTEGER],
    ['SCAN 0 COUNT', SYNTAX],
    ['SCAN 0 FOO 1', SYNTAX],
    ['DBSIZE', 1],
    ['DBSIZE x', arity('dbsize')],
  ],
  'FLUSHALL FLUSHDB': [
    ['SET a 1', '+OK'],
    ['FLUSHALL FOO', SYNTAX],
    ['FLUSHALL ASYNC SYNC', SYNTAX],
    ['DBSIZE', 1],
    ['FLUSHALL', '+OK'],
    ['DBSIZE', 0],
    ['SET a 1', '+OK'],
    ['FLUSHDB async', '+OK'],
    ['GET a', null],
    ['FLUSHALL SYNC', '+OK'],
  ],
  'HOLO.EXPIRE': [
    ['SET a 1 PX 1000', '+OK'],
    ['SET b 1', '+OK'],
    ['HOLO.EXPIRE a b nothing', 0],
    ['EXISTS a b', 2],
  ],
  OBJECT: [
    ['SET a 12345', '+OK'],
    ['OBJECT ENCODING a', 'int'],
    ['object encoding a', 'int'],
    ['OBJECT REFCOUNT a', 1],
    ['SET b 9999', '+OK'],
    ['OBJECT REFCOUNT b', 2_147_483_647],
    ['SET b -1', '+OK'],
    ['OBJECT REFCOUNT b', 1],
    ['OBJECT ENCODING b', 'int'],
    ['SET b 9223372036854775807', '+OK'],
    ['OBJECT ENCODING b', 'int'],
    ['SET b 9223372036854775808', '+OK'],
    ['OBJECT ENCODING b', 'embstr'],
    ['SET b 007', '+OK'],
    ['OBJECT ENCODING b', 'embstr'],
    [['SET', 'b', 'x'.repeat(44)], '+OK'],
    ['OBJECT ENCODING b', 'embstr'],
    ['OBJECT REFCOUNT b', 1],
    [['SET', 'b', 'x'.repeat(45)], '+OK'],
    ['OBJECT ENCODING b', 'raw'],
    [
      'OBJECT FREQ b',
      '-ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note ' +
        'that when switching between policies at runtime LRU and LFU data will take some time to adjust.',
    ],
    ['OBJECT IDLETIME b', 0],
    ['OBJECT ENCODING none', null],
    ['OBJECT REFCOUNT none', null],
    ['OBJECT FREQ none', null],
    ['OBJECT IDLETIME none', null],
    ['OBJECT ENCODING', arity('object|encoding')],
    ['OBJECT FREQ a b', arity('object|freq')],
  ],
  'MEMORY USAGE': [
    ['SET key 12345', '+OK'],
    ['MEMORY USAGE key', CELL_BYTES + 8],
    ['MEMORY USAGE key SAMPLES 0', CELL_BYTES + 8],
    ['MEMORY USAGE key samples 5', CELL_BYTES + 8],
    ['MEMORY USAGE key SAMPLES -1', SYNTAX],
    ['MEMORY USAGE key SAMPLES x', INTEGER],
    ['MEMORY USAGE key SAMPLES', SYNTAX],
    ['MEMORY USAGE key FOO', SYNTAX],
    ['MEMORY USAGE none', null],
    ['MEMORY USAGE', arity('memory|usage')],
  ],
  'CLUSTER and keys': [
    ['MSET foo 1 {foo}bar 2 other 3', '+OK'],
    ['CLUSTER COUNTKEYSINSLOT 12182', 2],
    ['CLUSTER COUNTKEYSINSLOT 0', 0],
    ['CLUSTER COUNTKEYSINSLOT 16384', '-ERR Invalid slot'],
    ['CLUSTER COUNTKEYSINSLOT -1', '-ERR Invalid slot'],
    ['CLUSTER COUNTKEYSINSLOT x', INTEGER],
    ['CLUSTER GETKEYSINSLOT 12182 0', []],
    ['DEL {foo}bar', 1],
    ['CLUSTER GETKEYSINSLOT 12182 5', ['foo']],
    ['CLUSTER GETKEYSINSLOT 12182 -1', '-ERR Invalid number of keys'],
    ['CLUSTER GETKEYSINSLOT 16384 1', '-ERR Invalid slot'],
    ['CLUSTER GETKEYSINSLOT 1 x', INTEGER],
  ],
  'MOVE SWAPDB': [
    ['SET a 1', '+OK'],
    ['MOVE a 0', '-ERR source and destination objects are the same'],
    ['MOVE a 16', '-ERR DB index is out of range'],
    ['MOVE a -1', '-ERR DB index is out of range'],
    ['MOVE a x', INTEGER],
    ['MOVE a 2147483648', NO_INT],
    ['MOVE nothing 1', 0],
    ['MOVE a 1', 1],
    ['GET a', null],
    ['SWAPDB 0 1', '+OK'],
    ['GET a', '1'],
    ['DBSIZE', 1],
    ['COPY a a DB 1', 1],
    ['MOVE a 1', 0],
    ['SWAPDB 0 0', '+OK'],
    ['SWAPDB x 1', '-ERR invalid first DB index'],
    ['SWAPDB 99999999999 1', '-ERR invalid first DB index'],
    ['SWAPDB 1 x', '-ERR invalid second DB index'],
    ['SWAPDB 0 16', '-ERR DB index is out of range'],
    ['SWAPDB -1 0', '-ERR DB index is out of range'],
    ['FLUSHDB', '+OK'],
    ['DBSIZE', 0],
    ['SWAPDB 1 0', '+OK'],
    ['DBSIZE', 1],
    ['FLUSHALL', '+OK'],
    ['DBSIZE', 0],
  ],
  'unknown commands': [
    ['NOSUCH', "-ERR unknown command 'NOSUCH', with args beginning with: "],
    ['nosuch a b', "-ERR unknown command 'nosuch', with args beginning with: 'a' 'b' "],
    [['a\r\nb', '\n'], "-ERR unknown command 'a  b', with args beginning with: ' ' "],
    [
      ['x'.repeat(200), 'y'.repeat(200), 'z'],
      `-ERR unknown command '${'x'.repeat(128)}', with args beginning with: '${'y'.repeat(128)}' `,
    ],
  ],
};

describe('commands', () => {
  test.each(Object.entries(TABLES))('%s', (name, cases) => {
    const machine = new Machine(name === OF_TABLE ? { groups: [META] } : {});
    for (const [line, reply] of cases) {
      machine.nowUs = START_MS * 1000 + machine.machine.appliedSequence;
      expect(machine.run(...words(line)), String(line).slice(0, 100)).toEqual(reply);
    }
  });

  test('has a case for every command', () => {
    const tried = Object.values(TABLES).flatMap((cases) =>
      cases.flatMap(([line]) => {
        const [name = '', subcommand = ''] = words(line).map((word) => word.toUpperCase());
        return [name, `${name}|${subcommand}`];
      }),
    );
    const missing = COMMANDS.map(({ name }) => name).filter((name) => !tried.includes(name));
    expect(missing).toEqual([]);
  });

  test('HOLO.EXPIRE removes what is past its deadline and nothing else', () => {
    const machine = new Machine();
    machine.run('SET', 'a', '1', 'PX', '10');
    machine.run('SET', 'b', '1', 'PX', '1000');
    machine.advance(10);
    expect(machine.run('HOLO.EXPIRE', 'a', 'a', 'b', 'c')).toBe(1);
    expect(machine.dump()).toEqual({ b: '1' });
  });

  test('OBJECT IDLETIME counts from the last write, of the key or of its deadline', () => {
    const machine = new Machine();
    machine.run('SET', 'a', '1');
    machine.advance(5_500);
    machine.run('GET', 'a');
    expect(machine.run('OBJECT', 'IDLETIME', 'a')).toBe(5);
    expect(machine.read('OBJECT', 'IDLETIME', 'a')).toBe(5);
    machine.run('EXPIRE', 'a', '100');
    expect(machine.run('OBJECT', 'IDLETIME', 'a')).toBe(0);
  });

  test('CLUSTER finds the keys of a slot among many', () => {
    const machine = new Machine();
    for (let i = 0; i < 600; i += 1) machine.run('SET', `key${i}`, 'x');
    const slot = String(redisSlotOf(slotOfText('key7')));
    const found = machine.run('CLUSTER', 'GETKEYSINSLOT', slot, '1000') as string[];
    expect(found).toContain('key7');
    expect(machine.run('CLUSTER', 'COUNTKEYSINSLOT', slot)).toBe(found.length);
    expect(found.every((key) => String(redisSlotOf(slotOfText(key))) === slot)).toBe(true);
  });

  test('RANDOMKEY depends on executeAt alone and reaches every key', () => {
    const machine = new Machine();
    for (let i = 0; i < 20; i += 1) machine.run('SET', `key${i}`, 'x');
    const seen = new Set<Reply | undefined>();
    for (let i = 0; i < 2_000; i += 1) seen.add(machine.run('RANDOMKEY'));
    expect(seen.size).toBe(20);
  });

  test('RANDOMKEY draws a slot by its keys, and anew for each command of a transaction', () => {
    const machine = new Machine();
    for (let i = 0; i < 300; i += 1) machine.run('SET', `{one}${i}`, 'x');
    for (let i = 0; i < 100; i += 1) machine.run('SET', `key${i}`, 'x');
    const draws = machine.execute(body(...Array.from({ length: 400 }, () => ['RANDOMKEY'])));
    const ofOne = draws.filter((key) => String(key).startsWith('{one}')).length;
    // Expected are 300, and 8.7 more or less; by position alone the slot would be one of 101.
    expect(ofOne).toBeGreaterThan(220);
    expect(ofOne).toBeLessThan(380);
    expect(new Set(draws).size).toBeGreaterThan(100);
  });

  test('RANDOMKEY gives up behind so many keys past their deadline, and finds the rest later', () => {
    const machine = new Machine();
    const keys = Array.from({ length: 6_000 }, (_, i) => ['SET', `{one}${i}`, 'x', 'PX', '5']);
    machine.execute(body(...keys, ['SET', 'other', 'x']));
    machine.advance(10);
    const [first, second] = [machine.run('RANDOMKEY'), machine.run('RANDOMKEY')];
    expect(first).toMatch(/^-TRYAGAIN no key was found: nearly all are past their deadline/);
    expect(second).toBe('other');
  });

  test('SCAN returns less where values or keys are long', () => {
    for (const flushed of [false, true]) {
      const machine = new Machine({ cacheBytesMax: 0 });
      for (let i = 0; i < 5; i += 1) machine.run('SET', `v${i}`, 'x'.repeat(3 * 1024 * 1024));
      for (let i = 0; i < 5; i += 1) machine.run('SET', `{k}${i}`.padEnd(60_000), 'x');
      if (flushed) machine.flush();
      const pages: number[] = [];
      let cursor = '0';
      do {
        const [next, page] = machine.run('SCAN', cursor, 'COUNT', '100') as [string, string[]];
        pages.push(page.length);
        cursor = next;
      } while (cursor !== '0');
      expect(pages.reduce((sum, length) => sum + length)).toBe(10);
      expect(pages.length).toBeGreaterThan(1);
      expect(Math.max(...pages)).toBeLessThan(9);
    }
  });
});

describe('the command table', () => {
  test('has each name once', () => {
    expect(new Set(COMMANDS.map(({ name }) => name)).size).toBe(COMMANDS.length);
  });

  test('says of each command what it does to the store', () => {
    for (const { name, kind, flags, keys, group } of COMMANDS) {
      // Scripts do what they call.
      const isFlagged = flags.includes(kind === 'read' ? 'readonly' : 'write');
      if (group !== 'scripting') expect(isFlagged, name).toBe(true);
      const all =
        /^(SCRIPT.*|FUNCTION.*|KEYS|SCAN|RANDOMKEY|DBSIZE|FLUSHALL|FLUSHDB|SWAPDB|CLUSTER.*)$/.test(
          name,
        );
      expect(keys === 'whole-store', name).toBe(all);
    }
  });
});
