/**
 * Keyspace events: the same streams of commands tell the same events as redis-server 7.0, in the
 * same order; and what a store that begins anew, undoes or repeats a command tells.
 */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../storage/commands/command-table.ts';
import { eventFlagsOf } from '../../storage/keyspace/key-events.ts';
import { name, some, type Words, words } from './differential/generators.ts';
import { Judge } from './differential/judge.ts';
import { Oracle } from './differential/oracle.ts';
import { connectTo, HAS_REDIS, type RedisConnection } from './differential/redis-server.ts';
import { STREAMS } from './differential/streams.ts';
import { body, bodyIn, Machine, type MachineOptions, versionAt } from './harness.ts';

const RUNS = Number(process.env['HOLO_DIFFERENTIAL_RUNS'] ?? 25);
const TIMEOUT_MS = 60_000 + 200 * RUNS;

function machineTelling(flags: string, options: MachineOptions = {}): Machine {
  const machine = new Machine(options);
  machine.all.eventFlags = eventFlagsOf(flags) ?? '';
  return machine;
}

/** As `channel payload`. */
function told(machine: Machine): string[] {
  return machine.machine.takeEvents().map(({ channel, payload }) => `${channel} ${payload}`);
}

const key = fc.constantFrom('a', 'b', 'c', 'n', 'key:1');
const number = name('1', '-3', '100', 'x');
const far = name('100000', '-1', '0', 'x');
const time = fc.oneof(
  fc.tuple(name('EX', 'PX'), far).map((pair) => [...pair]),
  fc.tuple(name('EXAT'), name('4000000000')).map((pair) => [...pair]),
);
const option = fc.oneof(
  name('NX', 'XX', 'GET', 'KEEPTTL').map((word) => [word]),
  time,
);
const options = (each: fc.Arbitrary<string[]>, maxLength: number) =>
  fc.array(each, { maxLength }).map((list) => list.flat());

/** Commands that the other streams lack. */
const onStrings: fc.Arbitrary<Words> = fc.oneof(
  words(name('SET'), key, number, options(option, 2)),
  words(name('SETEX', 'PSETEX'), key, far, number),
  words(name('MSET', 'MSETNX'), key, number, key, number),
  words(name('INCR', 'DECR', 'GETDEL', 'PERSIST', 'DEL'), key),
  words(name('INCRBY', 'DECRBY', 'INCRBYFLOAT', 'APPEND', 'GETSET', 'SETNX'), key, number),
  words(name('SETRANGE'), key, name('0', '3', 'x'), name('', 'y')),
  words(
    name('GETEX'),
    key,
    options(
      fc.oneof(
        time,
        fc.constantFrom('PERSIST').map((word) => [word]),
      ),
      1,
    ),
  ),
  words(
    name('EXPIRE', 'PEXPIRE'),
    key,
    far,
    options(
      name('NX', 'XX').map((w) => [w]),
      1,
    ),
  ),
  words(name('EXPIREAT', 'PEXPIREAT'), key, name('1', '4000000000000')),
  words(name('MOVE'), key, name('1', '0', 'x')),
  words(name('COPY'), key, key, name('DB'), name('0', '1'), some(name('REPLACE'), 1)),
  words(name('RENAME', 'RENAMENX'), key, key),
  words(name('LPUSH', 'SADD'), key, some(number)),
  words(name('SORT'), key, name('ALPHA'), name('STORE'), key),
);

const STORED = { name: 'strings and deadlines', command: onStrings, examples: [] };

describe.skipIf(!HAS_REDIS)('against redis-server', () => {
  let oracle: Oracle;
  let judge: Judge;
  let subscriber: RedisConnection;

  beforeAll(async () => {
    oracle = await Oracle.start('redis-server');
    judge = new Judge([oracle]);
    await oracle.run([['CONFIG', 'SET', 'notify-keyspace-events', 'AnKE']]);
    subscriber = await connectTo(oracle.port, 2);
    await subscriber.run([['PSUBSCRIBE', '__key*']]);
  });

  afterAll(() => {
    subscriber.close();
    oracle.close();
  });

  /** The events of the server, command by command. */
  async function theirs(commands: readonly Words[]): Promise<string[][]> {
    const done = ['PUBLISH', '__key_done', ''];
    const request = commands.flatMap((each) => [each, done]);
    const replies = oracle.run([['FLUSHALL'], ...request]);
    const events: string[][] = [];
    for (let now: string[] = []; events.length < commands.length; ) {
      const [, , channel, payload] = (await subscriber.next()) as string[];
      if (channel !== '__key_done') now.push(`${channel} ${payload}`);
      else {
        events.push(now);
        now = [];
      }
    }
    await replies;
    return events;
  }

  test.each([...STREAMS, STORED])(
    'commands on $name tell the same events',
    async ({ command, examples }) => {
      const sequences = fc.array(command, { minLength: 1, maxLength: 120, size: 'max' });
      await fc.assert(
        fc.asyncProperty(sequences, fc.constantFrom(4, 1_000), async (drawn, stepElementsMax) => {
          const machine = machineTelling('AnKE', { startMs: Date.now(), stepElementsMax });
          const commands = judge.comparable(drawn).filter(isComparable);
          const twins: Words[] = [];
          const ours = commands.map((each) => {
            const reply = machine.run(...each);
            twins.push(each[0] === 'SPOP' ? twinOf(each, reply) : each);
            return told(machine);
          });
          const expected = await theirs(twins);
          for (const [i, events] of expected.entries()) {
            const isPop = commands[i]?.[0] === 'SPOP';
            const same = isPop ? events.map((event) => event.replace('srem', 'spop')) : events;
            expect([commands[i], ours[i]]).toEqual([commands[i], same]);
          }
        }),
        { numRuns: RUNS, examples: examples.map((each) => [each, 1_000]) },
      );
    },
    TIMEOUT_MS,
  );
});

const MAKE_CONSUMERS = ['XREADGROUP', 'XCLAIM', 'XAUTOCLAIM'];

/**
 * A deadline that is over: Redis 7.0 sets the key and lets it expire, later ones remove it. A
 * consumer that gets nothing: Redis 7.0 does not make it, later ones do.
 */
function isComparable(each: Words): boolean {
  if (MAKE_CONSUMERS.includes(each[0] ?? '')) return false;
  return !(each[0] === 'SET' && each.some((word) => word === '-1' || word === '0'));
}

/** The server is to remove the same members. */
function twinOf(each: Words, reply: unknown): Words {
  const members = Array.isArray(reply) ? reply : ((reply as { set?: unknown })?.set ?? reply);
  if (members === null || members instanceof Error) return each;
  const all = Array.isArray(members) ? members : [members];
  return all.length === 0 ? each : ['SREM', each[1] ?? '', ...(all as string[])];
}

test('flags are told as Redis does, and unknown ones refused', () => {
  expect(eventFlagsOf('AKE')).toBe('AKE');
  expect(eventFlagsOf('g$lshzxetdKE')).toBe('AKE');
  expect(eventFlagsOf('EmKnlx')).toBe('lxnKEm');
  expect(eventFlagsOf('')).toBe('');
  expect(eventFlagsOf('Kq')).toBeUndefined();
});

test('only the classes and channels that were asked for are told', () => {
  const machine = machineTelling('Kl');
  machine.run('SET', 'k', 'v');
  machine.run('RPUSH', 'l', 'a');
  machine.run('LPOP', 'l');
  expect(told(machine)).toEqual(['__keyspace@0__:l rpush', '__keyspace@0__:l lpop']);
  machine.all.eventFlags = 'K';
  machine.run('RPUSH', 'l', 'a');
  expect(told(machine)).toEqual([]);
});

test('databases are told by the numbers that clients select', () => {
  const machine = machineTelling('E$');
  machine.runIn(3, 'SET', 'k', 'v');
  machine.run('SWAPDB', '3', '5');
  machine.runIn(3, 'SET', 'k', 'v');
  machine.runIn(5, 'SET', 'k', 'v');
  const [third, fifth] = ['__keyevent@3__:set k', '__keyevent@5__:set k'];
  expect(told(machine)).toEqual([third, third, fifth]);
});

test('a key that expires is told once, when a transaction removes it', () => {
  const machine = machineTelling('Ex');
  machine.run('SET', 'a', '1', 'PX', '10');
  machine.run('SET', 'b', '1', 'PX', '10');
  machine.advance(20);
  expect(machine.read('GET', 'a')).toBeUndefined();
  expect(told(machine)).toEqual([]);
  machine.run('GET', 'a');
  machine.run('HOLO.EXPIRE', 'a', 'b');
  expect(told(machine)).toEqual(['__keyevent@0__:expired a', '__keyevent@0__:expired b']);
});

test('a read that finds nothing tells it to all nodes', () => {
  const machine = machineTelling('Em');
  machine.read('GET', 'none');
  machine.read('MGET', 'none', 'nothing');
  const events = machine.machine.takeEvents();
  expect(events.map(({ payload }) => payload)).toEqual(['none', 'none', 'nothing']);
  expect(events.every(({ isEverywhere }) => isEverywhere)).toBe(true);
});

test('a command that is undone tells nothing', () => {
  const machine = machineTelling('KEA', { unitWriteBytesMax: 100 });
  machine.run('MSET', 'a', 'x', 'b', 'y'.repeat(200));
  expect(told(machine)).toEqual([]);
});

test('a command that begins anew tells once what has expired, and what it misses', () => {
  const machine = machineTelling('AmE', { stepElementsMax: 4, cacheBytesMax: 0 });
  machine.run('SADD', 'big', ...Array.from({ length: 2_000 }, (_, i) => `member ${i}`));
  machine.run('SADD', 'gone', 'x');
  machine.run('PEXPIRE', 'gone', '10');
  machine.flush();
  machine.advance(20);
  told(machine);
  machine.run('SUNION', 'none', 'gone', 'big');
  expect(told(machine).toSorted()).toEqual([
    '__keyevent@0__:expired gone',
    '__keyevent@0__:keymiss gone',
    '__keyevent@0__:keymiss none',
  ]);
});

test('what was executed before is not told again', () => {
  const machine = machineTelling('AKE');
  machine.execute(body(['SET', 'k', 'v']), versionAt(++machine.nowUs), true);
  expect(told(machine)).toEqual([]);
  expect(machine.read('GET', 'k')).toBe('v');
});

test('a read between two steps of a command tells its own events only', () => {
  const machine = machineTelling('AmE', { stepElementsMax: 4 });
  const { machine: store } = machine;
  const long = Array.from({ length: 40 }, (_, i) => [`k${i}`, 'v']).flat();
  let between: readonly string[] = [];
  machine.between = () => {
    const before = store.eventCount;
    machine.readBetween('GET', 'none');
    between = store.takeEvents(before).map(({ payload }) => payload);
  };
  machine.execute(bodyIn(0, ['MSET', ...long]));
  expect(between).toEqual(['none']);
  expect(told(machine).length).toBe(40);
});

test('a consumer is told once, whoever makes it', () => {
  const machine = machineTelling('KA');
  machine.run('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM');
  told(machine);
  const made = ['__keyspace@0__:s xgroup-createconsumer'];
  for (const [consumer, ...asked] of [
    ['a', 'XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', 's', '>'],
    ['b', 'XCLAIM', 's', 'g', 'b', '0', '1-1'],
    ['c', 'XAUTOCLAIM', 's', 'g', 'c', '0', '0'],
  ] as const) {
    machine.run(...asked);
    expect([consumer, told(machine)]).toEqual([consumer, made]);
    machine.run(...asked);
    expect([consumer, told(machine)]).toEqual([consumer, []]);
  }
});

test('the streams have every command that writes keys', () => {
  const drawn = [...STREAMS, STORED].flatMap(({ command }) => fc.sample(command, 3_000));
  const met = new Set(drawn.flatMap(([command, word]) => [command, `${command}|${word}`]));
  const writes = COMMANDS.filter(({ kind, keys }) => kind === 'write' && typeof keys !== 'string');
  const missing = writes.map(({ name }) => name).filter((name) => !met.has(name));
  // Scripts tell by their commands.
  expect(missing.filter((name) => !/^(HOLO\.EXPIRE|EVAL|EVALSHA|FCALL)$/.test(name))).toEqual([]);
});
