/**
 * Collections of any size against a plain model: whatever is flushed when, evicted, undone or lost
 * in a crash, the replies and the digest are those of a machine that only keeps everything.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { SWEPT_ROWS_MAX } from '../../storage/engine/dropped-rows.ts';
import { LmdbEngine } from '../../storage/engine/lmdb-engine.ts';
import { Machine, type Reply, unitsBody } from './harness.ts';

/** More than a packed collection takes. */
const MANY = 600;

function fields(count: number, from = 0): string[] {
  return Array.from({ length: count }, (_, i) => [`field:${from + i}`, `value ${from + i}`]).flat();
}

function pairsOf(reply: Reply | undefined): Record<string, string> {
  const flat = reply as string[];
  const pairs: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) pairs[flat[i] as string] = flat[i + 1] as string;
  return pairs;
}

describe('a large hash', () => {
  test('is there after a restart, and after changes on both sides of a flush', () => {
    const machine = new Machine();
    machine.run('HSET', 'h', ...fields(MANY));
    machine.flush();
    machine.run('HSET', 'h', 'field:3', 'new', 'more', 'x');
    machine.run('HDEL', 'h', 'field:4');
    const expected = pairsOf(machine.run('HGETALL', 'h'));
    expect(Object.keys(expected)).toHaveLength(MANY);
    machine.flush();
    const again = machine.restarted();
    expect(again.run('HLEN', 'h')).toBe(MANY);
    expect(again.run('HGET', 'h', 'field:3')).toBe('new');
    expect(again.run('HGET', 'h', 'field:4')).toBeNull();
    expect(pairsOf(again.run('HGETALL', 'h'))).toEqual(expected);
    expect(again.machine.digest()).toBe(machine.machine.digest());
  });

  test('that was loaded again is written again', () => {
    const machine = new Machine({ cacheBytesMax: 0 });
    machine.run('HSET', 'h', ...fields(MANY));
    machine.flush();
    expect(machine.machine.cachedKeys).toBe(0);
    machine.run('HSET', 'h', 'field:3', 'new');
    const digest = machine.machine.digest();
    machine.flush();
    expect(machine.restarted().machine.digest()).toBe(digest);
  });

  test('is written as it was when the flush began', () => {
    const machine = new Machine();
    machine.run('HSET', 'h', ...fields(MANY));
    machine.flush();
    machine.run('HSET', 'h', 'field:1', 'captured', 'field:2', 'captured');
    machine.run('HDEL', 'h', 'field:3');
    const twin = machine.machine.digest();
    machine.all.flush(() => undefined);
    machine.run('HSET', 'h', 'field:1', 'later', 'field:3', 'later', 'field:9', 'later');
    machine.run('HDEL', 'h', 'field:2');
    const other = new Machine();
    other.run('HSET', 'h', ...fields(MANY));
    other.run('HSET', 'h', 'field:1', 'captured', 'field:2', 'captured');
    other.run('HDEL', 'h', 'field:3');
    other.run('HSET', 'h', 'field:1', 'later', 'field:3', 'later', 'field:9', 'later');
    other.nowUs = machine.nowUs - 1;
    other.run('HDEL', 'h', 'field:2');
    expect(machine.machine.digest()).toBe(other.machine.digest());
    machine.turns.run();
    expect(machine.restarted().machine.digest()).toBe(twin);
    machine.flush();
    expect(machine.restarted().machine.digest()).toBe(machine.machine.digest());
  });

  test('writes one row for one field', () => {
    const machine = new Machine();
    machine.run('HSET', 'h', ...fields(MANY));
    machine.flush();
    machine.run('HSET', 'h', 'field:7', 'new');
    const [batch] = machine.machine.capture().batch.databases;
    if (batch === undefined) throw new Error('nothing was captured');
    const keys: string[] = [];
    const rows: string[] = [];
    while (batch.take(8, ({ key }) => keys.push(key)) > 0);
    while (batch.takeRows(8, (_of, _order, name, value) => rows.push(`${name} ${value}`)) > 0);
    expect([keys, rows]).toEqual([['h'], ['field:7 new']]);
  });
});

const members = Array.from({ length: MANY }, (_, i) => `member:${i}`);

// LLEN and ZCARD loaded all rows.
test.each([
  ['HLEN', ['HSET', 'k', ...fields(MANY)]],
  ['SCARD', ['SADD', 'k', ...members]],
  ['LLEN', ['RPUSH', 'k', ...members]],
  ['ZCARD', ['ZADD', 'k', ...members.flatMap((member, i) => [String(i), member])]],
])('%s of a large one that is not in memory reads none of its rows', (command, fill) => {
  const machine = new Machine();
  machine.run(...fill);
  machine.flush();
  const again = machine.restarted();
  const rows = vi.spyOn(again.engine, 'rows');
  expect(again.run(command, 'k')).toBe(MANY);
  expect(rows).not.toHaveBeenCalled();
});

/** Long values: few elements make a collection large. */
const long = (text: string): string => text.padEnd(500, '.');

type Step = readonly string[] | 'flush' | 'begin' | 'end' | 'fail' | 'restart';

const key = fc.constantFrom('a', 'b');
const name = fc.constantFrom(...Array.from({ length: 24 }, (_, i) => `f${i}`));
const pair = fc.tuple(name, fc.constantFrom('1', '', long('x'), long('y'))).map((two) => [...two]);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .tuple(key, fc.array(pair, { minLength: 1, maxLength: 8 }))
      .map(([k, pairs]) => ['HSET', k, ...pairs.flat()]),
  },
  fc
    .tuple(key, fc.array(name, { minLength: 1, maxLength: 9 }))
    .map(([k, names]) => ['HDEL', k, ...names]),
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('c', 'd'), fc.array(name.map(long), { minLength: 1, maxLength: 8 }))
      .map(([k, members]) => ['SADD', k, ...members]),
  },
  fc
    .tuple(fc.constantFrom('c', 'd'), fc.array(name.map(long), { minLength: 1, maxLength: 4 }))
    .map(([k, members]) => ['SREM', k, ...members]),
  name.map((member) => ['SMOVE', 'c', 'd', long(member)]),
  fc.constantFrom(
    ['SPOP', 'c'],
    ['SPOP', 'd', '3'],
    ['SMEMBERS', 'c'],
    ['SINTERSTORE', 'd', 'c', 'd'],
    ['SUNIONSTORE', 'd', 'c', 'd'],
    ['SDIFF', 'c', 'd'],
    ['RENAME', 'c', 'a'],
  ),
  fc.tuple(fc.constantFrom('HGETALL', 'HLEN', 'DEL', 'HRANDFIELD', 'TYPE'), key).map((w) => [...w]),
  fc.tuple(fc.constantFrom('RENAME', 'COPY'), key, key).map((w) => [...w]),
  key.map((k) => ['PEXPIRE', k, '50000000']),
  key.map((k) => ['SET', k, 'text']),
  key.map((k) => ['MOVE', k, '1']),
  key.map((k) => ['COPY', k, k, 'DB', '1', 'REPLACE']),
  fc.constantFrom(['FLUSHALL'], ['FLUSHDB'], ['SWAPDB', '0', '1']),
  {
    weight: 4,
    arbitrary: fc.constantFrom<Step>('flush', 'begin', 'end', 'fail', 'restart'),
  },
);

const streamStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom('e', 'f'), fc.constantFrom('*', '5-*'), pair)
      .map(([k, id, two]) => ['XADD', k, id, ...two]),
  },
  fc.constantFrom(
    ['XADD', 'e', 'MAXLEN', '4', '*', 'name', long('x')],
    ['XTRIM', 'f', 'MAXLEN', '2'],
    ['XDEL', 'f', '5-1', '5-3', '5-4'],
    ['XRANGE', 'e', '-', '+'],
    ['XGROUP', 'CREATE', 'f', 'g', '0', 'MKSTREAM'],
    ['XGROUP', 'CREATE', 'e', 'g', '$', 'MKSTREAM'],
    ['XREADGROUP', 'GROUP', 'g', 'c1', 'COUNT', '3', 'STREAMS', 'f', '>'],
    ['XREADGROUP', 'GROUP', 'g', 'c1', 'STREAMS', 'e', '>'],
    ['XREADGROUP', 'GROUP', 'g', 'c2', 'STREAMS', 'f', 'e', '>', '>'],
    ['XREADGROUP', 'GROUP', 'g', 'c1', 'STREAMS', 'f', '0'],
    ['XACK', 'f', 'g', '5-1', '5-3'],
    ['XAUTOCLAIM', 'f', 'g', 'c2', '0', '0', 'COUNT', '2'],
    ['XGROUP', 'DELCONSUMER', 'f', 'g', 'c1'],
    ['XGROUP', 'DESTROY', 'e', 'g'],
    ['XINFO', 'STREAM', 'f', 'FULL'],
    ['RENAME', 'e', 'f'],
    ['COPY', 'f', 'e', 'REPLACE'],
    ['DEL', 'f'],
  ),
  {
    weight: 2,
    arbitrary: fc.constantFrom<Step>('flush', 'begin', 'end', 'fail', 'restart'),
  },
);

test('the bytes of a value are known while it is in memory', () => {
  const machine = new Machine();
  machine.run('RPUSH', 'a', 'x'.repeat(10_000));
  machine.runIn(1, 'SET', 'a', 'y');
  expect(machine.all.bytesOf(0, 'a')).toBeGreaterThan(10_000);
  expect(machine.all.bytesOf(1, 'a')).toBeLessThan(100);
  machine.flush();
  expect(machine.restarted().all.bytesOf(0, 'a')).toBe(0);
});

describe('beside flushes, evictions and crashes', () => {
  test.each([
    ['collections', step, 400],
    ['streams', streamStep, 100],
  ])(
    '%s are what they are where everything is in memory',
    (_what, each, numRuns) => {
      fc.assert(
        fc.property(fc.array(each, { maxLength: 60 }), fc.nat(), (steps, cache) => {
          let machine = new Machine({ cacheBytesMax: cache % 2 === 0 ? 0 : 1_000_000 });
          const twin = new Machine();
          let sinceFlush: (readonly string[])[] = [];
          let captured: (readonly string[])[] | undefined;
          const end = (): void => {
            machine.turns.run();
            captured = undefined;
          };
          const run = (words: readonly string[]): unknown => {
            const reply = machine.run(...words);
            return reply;
          };
          for (const next of steps) {
            if (typeof next !== 'string') {
              sinceFlush.push(next);
              expect(run(next)).toEqual(twin.run(...next));
            } else if (next === 'restart') {
              // The engine holds some earlier state; the log repeats the rest.
              const nowUs = machine.nowUs;
              const lost = [...(captured ?? []), ...sinceFlush];
              machine = new Machine({ cacheBytesMax: 0 }, machine.store);
              machine.nowUs = nowUs - lost.length;
              captured = undefined;
              sinceFlush = lost;
              for (const words of lost) run(words);
            } else if (next === 'end') {
              end();
            } else if (captured === undefined) {
              captured = sinceFlush;
              sinceFlush = [];
              const lost = captured;
              machine.store.full = next === 'fail';
              machine.all.flush((error) => {
                if (error !== undefined) sinceFlush = [...lost, ...sinceFlush];
              });
              if (next !== 'begin') end();
              machine.store.full = false;
            }
          }
          expect(machine.machine.digest()).toBe(twin.machine.digest());
          end();
          machine.flush();
          expect(machine.restarted().machine.digest()).toBe(twin.machine.digest());
        }),
        { numRuns },
      );
    },
    120_000,
  );
});

describe('a command that exceeds what a unit may write', () => {
  test('changes nothing of a large collection', () => {
    const machine = new Machine({ unitWriteBytesMax: 100_000 });
    machine.run('HSET', 'h', ...fields(MANY));
    const digest = machine.machine.digest();
    const reply = machine.run('HSET', 'h', 'field:1', 'x', 'big', 'y'.repeat(100_000));
    expect(reply).toMatch(/^-OOM /);
    expect(machine.machine.digest()).toBe(digest);
    expect(machine.run('HDEL', 'h', 'field:1')).toBe(1);
  });

  test('puts back what it has taken from one', () => {
    const machine = new Machine({ unitWriteBytesMax: 6_000 });
    const members = Array.from({ length: 12 }, (_, i) => `m${i}`.padEnd(600, '.'));
    for (const member of members) machine.run('SADD', 's', member);
    machine.flush();
    const unit = unitsBody([
      ['SET', 'filler', 'x'.repeat(5_500)],
      ['SMOVE', 's', 'other', members[4] ?? ''],
    ]);
    expect(machine.execute(unit)).toEqual(['+OK', expect.stringMatching(/^-OOM /)]);
    expect(machine.run('SCARD', 's')).toBe(12);
    expect(machine.run('SISMEMBER', 's', members[4] ?? '')).toBe(1);
    machine.flush();
    expect(machine.restarted().machine.digest()).toBe(machine.machine.digest());
  });

  test('takes back what it has delivered of a stream', () => {
    const machine = new Machine({ unitWriteBytesMax: 6_000 });
    for (let i = 0; i < 80; i += 1) {
      for (const key of ['a', 'b']) machine.run('XADD', key, `${i + 1}-0`, 'f', String(i));
    }
    for (const key of ['a', 'b']) machine.run('XGROUP', 'CREATE', key, 'g', '0');
    machine.run('XREADGROUP', 'GROUP', 'g', 'c1', 'COUNT', '1', 'STREAMS', 'a', '>');
    machine.flush();
    const digest = machine.machine.digest();
    // Enough for one of them.
    const read = ['XREADGROUP', 'GROUP', 'g', 'c2', 'STREAMS', 'a', 'b', '>', '>'];
    expect(machine.run(...read)).toMatch(/^-OOM /);
    expect(machine.machine.digest()).toBe(digest);
    expect(machine.run('XINFO', 'CONSUMERS', 'a', 'g')).toHaveLength(1);
    expect(machine.run('XREADGROUP', 'GROUP', 'g', 'c2', 'STREAMS', 'b', '>')).toHaveLength(1);
    machine.flush();
    expect(machine.restarted().machine.digest()).toBe(machine.machine.digest());
  });

  test('may read or copy nothing of one that is too large to be written', () => {
    const machine = new Machine({ unitWriteBytesMax: 40_000 });
    for (let i = 0; i < MANY; i += 100) machine.run('HSET', 'h', ...fields(100, i));
    const digest = machine.machine.digest();
    expect(machine.run('COPY', 'h', 'copy')).toMatch(/^-OOM /);
    expect(machine.run('RENAME', 'h', 'other')).toMatch(/^-OOM /);
    expect(machine.machine.digest()).toBe(digest);
    machine.flush();
    expect(machine.restarted().machine.digest()).toBe(digest);
    expect(machine.run('EXPIRE', 'h', '1000')).toBe(1);
  });
});

describe('rows of dropped collections', () => {
  test('go with later commits, some thousands at a time', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'holo-dropped-'));
    const engine = new LmdbEngine({ directory });
    const machine = new Machine({ engine });
    const flush = async (): Promise<void> => {
      await new Promise<void>((settle, fail) => {
        machine.all.flush((error) => (error === undefined ? settle() : fail(error)));
      });
    };
    try {
      const rows = SWEPT_ROWS_MAX + 1_000;
      for (let i = 0; i < rows; i += 1_000) machine.run('HSET', 'h', ...fields(1_000, i));
      machine.run('HSET', 'kept', ...fields(MANY));
      await flush();
      machine.run('DEL', 'h');
      machine.run('HSET', 'h', ...fields(MANY));
      await flush();
      expect(engine.hasDropped).toBe(true);
      expect(machine.run('HLEN', 'h')).toBe(MANY);
      await flush();
      expect(machine.all.hasUnflushed).toBe(true);
      await flush();
      expect(machine.all.hasUnflushed).toBe(false);
      for (const _ of engine.check());
      const again = new Machine({ engine });
      expect(pairsOf(again.run('HGETALL', 'h'))).toEqual(pairsOf(machine.run('HGETALL', 'h')));
      expect(again.run('HLEN', 'kept')).toBe(MANY);
    } finally {
      await new Promise<void>((settle) => engine.close(settle));
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
