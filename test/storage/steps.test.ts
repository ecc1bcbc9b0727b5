/** Long commands in steps: the result is the same, and reads of other keys run between the steps. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arguments } from '../../storage/arguments.ts';
import { NO_REPLY } from '../../storage/commands/reply.ts';
import { ApplyOrderError } from '../../storage/errors.ts';
import { allSteps, sortedInSteps } from '../../storage/steps.ts';
import { body, Machine, versionAt } from './harness.ts';

const SIZE = 300;
const TIMEOUT = { timeout: 120_000 };

/** Long enough that the collections are large ones. */
const TAIL = '.'.repeat(20);

function numbered(make: (at: number) => string[], size = SIZE): string[] {
  return Array.from({ length: size }, (_, at) => make(at)).flat();
}

const FILLED = [
  ['ZADD', 'z', ...numbered((at) => [String(at % 7), `m${at}${TAIL}`])],
  ['ZADD', 'z2', ...numbered((at) => [String(at), `m${2 * at}${TAIL}`])],
  ['SADD', 's', ...numbered((at) => [`m${at}${TAIL}`])],
  ['SADD', 's2', ...numbered((at) => [`m${3 * at}${TAIL}`])],
  ['HSET', 'h', ...numbered((at) => [`f${at}${TAIL}`, `${at}`])],
  ['RPUSH', 'l', ...numbered((at) => [at % 3 === 0 ? 'x' : `item ${at}${TAIL}`])],
  ['RPUSH', 'numbers', ...numbered((at) => [`${(at * 77) % SIZE}.00000000000000000001`])],
  ['MSET', ...numbered((at) => [`key${at}`, `v${at}`])],
  ['SET', 'text', 'some text'],
  ...Array.from({ length: SIZE }, (_, at) => [
    'XADD',
    'stream',
    `${at + 1}-0`,
    'f',
    `${at}${TAIL}`,
  ]),
  ['XGROUP', 'CREATE', 'stream', 'g', '0'],
  ...['c1', 'c2'].map((consumer) =>
    `XREADGROUP GROUP g ${consumer} COUNT 90 STREAMS stream >`.split(' '),
  ),
  ['SADD', 'other', ...numbered((at) => [`o${at}${TAIL}`], 200)],
];

const LONG = `ZREMRANGEBYRANK z 3 -5|ZREMRANGEBYSCORE z 1 5|ZREMRANGEBYLEX z2 [m1 [m5|ZRANGE z 0 -1|
ZREVRANGE z 2 -2 WITHSCORES|ZRANGESTORE dst z 0 -1 REV|ZUNIONSTORE dst 3 z z2 s WEIGHTS 1 2 3|
ZINTERSTORE dst 2 z z2 AGGREGATE MIN|ZDIFFSTORE dst 2 z z2|ZUNION 2 z z2 WITHSCORES|ZINTERCARD 2 z z2|
ZINTERCARD 2 z z2 LIMIT 7|ZPOPMIN z 100|ZPOPMAX z 100|ZMPOP 2 none z MIN COUNT 50|ZRANDMEMBER z 50|
ZRANDMEMBER z -50 WITHSCORES|ZMSCORE z m1 m2 none m3 m4|SMEMBERS s|SPOP s 90|SPOP s 300|SPOP s|
SRANDMEMBER s 40|SRANDMEMBER s -40|SINTERSTORE dst s s2|SUNIONSTORE dst s s2|SDIFFSTORE dst s s2|
SINTER s s2|SINTERCARD 2 s s2 LIMIT 5|SUNION s s2|SDIFF s s2|SMISMEMBER s m1 x m2 m3 m4|HGETALL h|
HKEYS h|HVALS h|HRANDFIELD h 50|HRANDFIELD h -50 WITHVALUES|HMGET h f1 f2 none f4 f5|LRANGE l 5 -5|
LTRIM l 20 -20|LREM l 0 x|LREM l -40 x|LPOS l x RANK -2 COUNT 0|LPOS l nowhere|LINSERT l BEFORE x y|
LINSERT l AFTER nowhere y|LPOP l 100|RPOP l 100|LMPOP 1 l LEFT COUNT 40|SORT numbers|
SORT numbers DESC LIMIT 3 100 STORE dst|SORT l ALPHA|SORT numbers BY key* GET # GET *1 ALPHA|
COPY h dst|COPY z dst REPLACE|COPY l dst DB 1|RENAME h dst|RENAMENX z dst|MOVE s 2|DEL z s h l none|
UNLINK z s h l none|EXISTS z s h none text|TOUCH z s text none|SADD s a b c m1 d e|SREM s m1 m2 m3 x m4|
ZADD z CH 1 a 2 b 3 m1 4 c|ZADD z 1 a x b 2 c 3 d|ZREM z m1 m2 x m3 m4|HSET h a 1 b 2 f1 3 c 4|
HMSET h a 1 b 2 f1 3|HDEL h f1 f2 x f3 f4|RPUSH l a b c d e|LPUSH none a b c d e|MSET a 1 b 2 c 3 d 4|
MSETNX a 1 b 2 c 3 d 4|MGET key1 key2 none z key4|SORT l|ZADD l 1 a 2 b 3 c 4 d|XRANGE stream - +|
XREVRANGE stream + (7 COUNT 90|XREAD COUNT 40 STREAMS stream none 100 0|XDEL stream 3-0 4-0 200-0|
XTRIM stream MAXLEN 20|XTRIM stream MINID ~ 250|XADD stream MAXLEN 0 * a b|COPY stream dst|
RENAME stream dst|XREADGROUP GROUP g c3 STREAMS stream >|XREADGROUP GROUP g c1 STREAMS stream 0|
XACK stream g 1-0 2-0 3-0 100-0 999-0|XPENDING stream g - + 100|XPENDING stream g|
XPENDING stream g - + 20 c2|XCLAIM stream g c2 0 1-0 2-0 3-0 290-0 FORCE|
XAUTOCLAIM stream g c3 0 - COUNT 50|XGROUP DELCONSUMER stream g c1|XGROUP DESTROY stream g|
XINFO STREAM stream FULL COUNT 40`
  .replaceAll('\n', '')
  .replaceAll(/\b([mf]\d)\b/g, `$1${TAIL}`)
  .split('|');

/** Holds what the words name. */
function filled(words: readonly string[], stepElementsMax: number): Machine {
  const machine = new Machine({ stepElementsMax });
  const hasKeys = words.some((word) => word.startsWith('key'));
  const named = new Set([...words, 'text', 'other', ...(hasKeys ? ['key1'] : [])]);
  for (const [name = '', key = '', ...rest] of FILLED) {
    const isOfGroup = name.startsWith('XGROUP') || name.startsWith('XREADGROUP');
    const isNamed = isOfGroup ? named.has('stream') : named.has(name === 'MSET' ? 'key1' : key);
    if (isNamed) machine.run(name, key, ...rest);
  }
  return machine;
}

/** The same with nothing in memory: it loads and evicts whenever it may. */
function cold(words: readonly string[], stepElementsMax: number): Machine {
  const machine = filled(words, 1e9);
  machine.flush();
  return machine.restarted({ cacheBytesMax: 0, stepElementsMax });
}

describe('a command in steps', () => {
  test.each([1, 7])('of %d elements answers and leaves what it would in one', TIMEOUT, (step) => {
    for (const command of LONG) {
      const words = command.split(' ');
      const machine = cold(words, step);
      const whole = filled(words, 1e9);
      // Random numbers come from the version.
      whole.nowUs = machine.nowUs;
      let reads = 0;
      const wrong: unknown[] = [];
      machine.between = () => {
        reads += 1;
        const text = machine.readBetween('GET', 'text');
        const size = machine.readBetween('SCARD', 'other');
        const drawn = machine.readBetween('SRANDMEMBER', 'other', '2');
        if (text !== 'some text' || size !== 200) wrong.push(text, size);
        if (Array.isArray(drawn) && drawn.length !== 2) wrong.push(drawn);
      };
      expect(machine.run(...words), command).toEqual(whole.run(...words));
      expect(wrong, command).toEqual([]);
      if (step === 1) expect(reads, command).toBeGreaterThan(0);
      machine.between = () => undefined;
      expect(machine.machine.digest(), command).toBe(whole.machine.digest());
      machine.flush();
      expect(machine.restarted().machine.digest(), command).toBe(whole.machine.digest());
    }
  });

  test('loads what it needs in steps, and a read counts it once', () => {
    const machine = cold(['h', 'z', 'z2'], 10);
    expect(machine.read('HMGET', 'h', `f1${TAIL}`, `f2${TAIL}`)).toEqual(['1', '2']);
    expect(machine.machine.hits).toBe(1);
    expect(machine.read('ZINTERCARD', '2', 'z', 'z2')).toBe(150);
    expect(machine.machine.hits).toBe(3);
  });

  test('ends before anything else begins', () => {
    const machine = cold(['z'], 1);
    const args = new Arguments();
    machine.machine.begin(versionAt(1.8e15));
    args.next(body(['ZREMRANGEBYRANK', 'z', '0', '-1']), 0);
    expect(machine.machine.start(args, NO_REPLY)).toBe(false);
    expect(() => machine.machine.start(args, NO_REPLY)).toThrow(ApplyOrderError);
    expect(() => machine.machine.commit(1)).toThrow(ApplyOrderError);
    while (!machine.machine.more());
    expect(() => machine.machine.more()).toThrow(ApplyOrderError);
    machine.machine.commit(machine.machine.appliedSequence + 1);
    expect(machine.read('EXISTS', 'z')).toBe(0);
  });

  test('that fills its unit is undone as a whole', () => {
    const machine = new Machine({ unitWriteBytesMax: 40, stepElementsMax: 1 });
    machine.run('SET', 'b', 'before');
    const refused = machine.run('MSET', 'a', '1', 'b', '2', 'c', 'v'.repeat(40), 'd', '4');
    expect(refused).toMatch(/^-OOM/);
    expect(machine.read('MGET', 'a', 'b', 'c', 'd')).toEqual([null, 'before', null, null]);
  });
});

test('sorting in steps is sorting', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(50), { maxLength: 1_000, size: 'max' }),
      fc.nat(300),
      (keys, each) => {
        const items = keys.map((key, at) => ({ key, at }));
        const order = (a: { key: number }, b: { key: number }): number => a.key - b.key;
        expect(allSteps(sortedInSteps(items, each + 1, order))).toEqual(items.toSorted(order));
      },
    ),
    { numRuns: 50 },
  );
});
