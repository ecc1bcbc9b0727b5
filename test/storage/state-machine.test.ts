/** Transactions, ephemeral reads, expiry and determinism of the state machine as a whole. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arguments } from '../../storage/arguments.ts';
import { NO_REPLY } from '../../storage/commands/reply.ts';
import { ApplyOrderError } from '../../storage/errors.ts';
import { VALUE_BYTES_MAX } from '../../storage/limits.ts';
import { body, Machine, START_MS, versionAt } from './harness.ts';

describe('transactions', () => {
  test('run a body in order and answer each command', () => {
    const machine = new Machine();
    const replies = machine.execute(
      body(['SET', 'a', '1'], ['INCR', 'a'], ['NOSUCH'], ['GET', 'a'], ['MGET', 'a', 'b']),
    );
    const unknown = "-ERR unknown command 'NOSUCH', with args beginning with: ";
    expect(replies).toEqual(['+OK', 2, unknown, '2', ['2', null]]);
  });

  test('have sequences without gaps', () => {
    const { machine } = new Machine();
    machine.begin(versionAt(1));
    expect(() => machine.commit(2)).toThrow(ApplyOrderError);
    machine.commit(1);
    expect(machine.appliedSequence).toBe(1);
  });

  test('do not nest, and nothing else happens inside or outside of them', () => {
    const { machine } = new Machine();
    const args = new Arguments();
    args.next(body(['GET', 'a']), 0);
    expect(() => machine.run(args, NO_REPLY)).toThrow(ApplyOrderError);
    expect(() => machine.commit(1)).toThrow(ApplyOrderError);
    machine.begin(versionAt(1));
    expect(() => machine.begin(versionAt(2))).toThrow(ApplyOrderError);
    expect(() => machine.read(args, START_MS, NO_REPLY)).toThrow(ApplyOrderError);
  });

  test('leave nothing behind when the node dies inside of one', () => {
    const machine = new Machine();
    machine.run('SET', 'a', '1');
    machine.flush();
    const args = new Arguments();
    machine.machine.begin(versionAt(machine.nowUs + 1));
    args.next(body(['SET', 'a', '2']), 0);
    machine.machine.run(args, NO_REPLY);
    expect(machine.restarted().dump()).toEqual({ a: '1' });
  });

  test('refuse keys past the limit and take those at it', () => {
    const machine = new Machine();
    const error = '-ERR key exceeds maximum allowed size (65536 bytes)';
    expect(machine.run('SET', 'k'.repeat(65_536), 'v')).toBe('+OK');
    expect(machine.run('SET', 'k'.repeat(65_537), 'v')).toBe(error);
    expect(machine.run('MSET', 'a', 'v'.repeat(70_000))).toBe('+OK');
    expect(machine.run('DEL', 'a', 'k'.repeat(65_537))).toBe(error);
    expect(machine.read('GET', 'k'.repeat(65_537))).toBe(error);
    expect(machine.machine.size).toBe(2);
  });

  test('refuse values past the limit, whatever command brings them', () => {
    const machine = new Machine();
    const long = 'v'.repeat(VALUE_BYTES_MAX + 1);
    for (const words of [
      ['SET', 'a', long],
      ['SET', 'a', long, 'PX', '1000'],
      ['MSET', 'b', '2', 'a', long],
      ['GETSET', 'a', long],
      ['APPEND', 'a', long],
    ]) {
      const error = '-ERR string exceeds maximum allowed size (proto-max-bulk-len)';
      expect(machine.run(...words), words[0]).toBe(error);
    }
    expect(machine.machine.size).toBe(0);
  });
});

describe('ephemeral reads', () => {
  test('serve what reads and refuse what writes', () => {
    const machine = new Machine();
    machine.run('MSET', 'a', 'value', 'b', '2');
    expect(machine.read('GET', 'a')).toBe('value');
    expect(machine.read('GETRANGE', 'a', '0', '1')).toBe('va');
    expect(machine.read('MGET', 'a', 'b', 'c')).toEqual(['value', '2', null]);
    expect(machine.read('EXISTS', 'a', 'c')).toBe(1);
    expect(machine.read('DBSIZE')).toBe(2);
    expect(machine.read('KEYS', 'a*')).toEqual(['a']);
    expect(machine.read('GET')).toBe("-ERR wrong number of arguments for 'get' command");
    expect(machine.read('GETDEL', 'a')).toBeUndefined();
    expect(machine.read('SET', 'a', 'b')).toBeUndefined();
    expect(machine.dump()).toEqual({ a: 'value', b: '2' });
  });

  test('leave a key past its deadline to a transaction', () => {
    const machine = new Machine();
    machine.run('SET', 'a', '1', 'PX', '10');
    machine.run('SET', 'b', '1');
    machine.flush();
    expect(machine.read('GET', 'a')).toBe('1');
    machine.advance(10);
    for (const words of [
      ['GET', 'a'],
      ['TTL', 'a'],
      ['TYPE', 'a'],
      ['MGET', 'b', 'a'],
      ['EXISTS', 'b', 'a'],
    ]) {
      expect(machine.read(...words), words.join(' ')).toBeUndefined();
    }
    expect(machine.machine.size).toBe(2);
    expect(machine.run('GET', 'a')).toBe(null);
    expect(machine.read('GET', 'a')).toBe(null);
    expect(machine.machine.size).toBe(1);
  });

  test.each([['SCAN', '0'], ['KEYS', '*'], ['KEYS', 'a'], ['RANDOMKEY']])(
    'leave keys past their deadline to a transaction when they look at all keys: %s %s',
    (...words) => {
      for (const cacheBytesMax of [0, 1_000_000]) {
        const machine = new Machine({ cacheBytesMax });
        for (let i = 0; i < 40; i += 1) machine.run('SET', `a${i}`, '1', 'PX', '10');
        machine.run('SET', 'a', '1', 'PX', '10');
        machine.run('SET', 'b', '1');
        machine.flush();
        machine.advance(10);
        expect(machine.read(...words)).toBeUndefined();
        expect(machine.read('DBSIZE')).toBe(42);
        const alive = words[1] === 'a' ? [] : ['b'];
        const expected = { SCAN: ['0', alive], KEYS: alive, RANDOMKEY: 'b' }[words[0] as string];
        if (words[0] === 'SCAN') words.push('COUNT', '100');
        expect(machine.run(...words)).toEqual(expected);
        // RANDOMKEY removes only what it meets.
        machine.run('KEYS', '*');
        expect(machine.read(...words)).toEqual(words[0] === 'RANDOMKEY' ? 'b' : expected);
      }
    },
  );

  test.each([['SCAN', '0'], ['KEYS', '*'], ['RANDOMKEY']])(
    'find nothing that %s has called gone, on a node whose clock lags',
    (...words) => {
      const machine = new Machine();
      machine.run('SET', 'a', '1', 'PX', '10');
      machine.advance(10);
      expect([['0', []], [], null]).toContainEqual(machine.run(...words));
      machine.advance(-5);
      expect(machine.read('GET', 'a')).toBe(null);
      expect(machine.read('KEYS', '*')).toEqual([]);
      expect(machine.read('DBSIZE')).toBe(0);
    },
  );

  test('in a transaction treat the same keys on every replica, whatever it has flushed', () => {
    const flushed = new Machine({ cacheBytesMax: 0 });
    const unflushed = new Machine();
    for (const machine of [flushed, unflushed]) {
      for (let i = 0; i < 40; i += 1) machine.run('SET', `k${i}`, '1', 'PX', '10');
      if (machine === flushed) machine.flush();
      for (let i = 0; i < 40; i += 3) machine.run('DEL', `k${i}`);
      for (let i = 40; i < 60; i += 1) machine.run('SET', `k${i}`, '1', 'PX', '10');
      if (machine === unflushed) machine.flush();
      machine.advance(100);
    }
    for (let cursor = '0', pages = 0; pages < 9; pages += 1) {
      const replies = [flushed, unflushed].map((each) => each.run('SCAN', cursor, 'COUNT', '5'));
      expect(flushed.machine.digest()).toBe(unflushed.machine.digest());
      expect(replies[0]).toEqual(replies[1]);
      [cursor] = replies[0] as [string];
    }
    expect(flushed.machine.size).toBeLessThanOrEqual(1);
  });

  test('are not held up by keys past their deadline that they do not ask for', () => {
    const machine = new Machine();
    machine.run('SET', 'a', '1', 'PX', '10');
    machine.run('SET', 'b', '1');
    machine.advance(10);
    expect(machine.read('KEYS', 'b*')).toEqual(['b']);
    expect(machine.read('SCAN', '0', 'MATCH', 'b*')).toEqual(['0', ['b']]);
  });
});

describe('expiry', () => {
  test('compares deadlines with executeAt', () => {
    const machine = new Machine();
    machine.execute(body(['SET', 'a', '1', 'PXAT', '2000']), versionAt(1_000_000));
    const get = body(['GET', 'a']);
    expect(machine.execute(get, versionAt(1_999_999))).toEqual(['1']);
    expect(machine.execute(get, versionAt(2_000_000))).toEqual([null]);
    expect(machine.machine.size).toBe(0);
  });

  test('counts keys with a deadline', () => {
    const machine = new Machine();
    machine.run('SET', 'a', '1', 'EX', '10');
    machine.run('SET', 'b', '1', 'EX', '10');
    machine.run('SET', 'c', '1');
    expect(machine.machine.volatileSize).toBe(2);
    machine.run('PERSIST', 'a');
    expect(machine.machine.volatileSize).toBe(1);
    machine.flush();
    expect(machine.restarted().machine.volatileSize).toBe(1);
    machine.run('DEL', 'b');
    expect(machine.machine.volatileSize).toBe(0);
  });

  test('finds all keys past their deadline, a constant number at a time', () => {
    const machine = new Machine({ cacheBytesMax: 5_000 });
    for (let i = 0; i < 500; i += 1) machine.run('SET', `dies${i}`, 'x', 'PX', '10');
    machine.flush();
    for (let i = 0; i < 500; i += 1) machine.run('SET', `lives${i}`, 'x', 'PX', '1000000');
    expect(machine.machine.expired(10, machine.nowMs).keys).toEqual([]);
    machine.advance(1_000);
    let rounds = 0;
    while (machine.machine.size > 500) {
      const { keys } = machine.machine.expired(10, machine.nowMs);
      expect(keys.length).toBeLessThanOrEqual(10);
      if (keys.length > 0) expect(machine.run('HOLO.EXPIRE', ...keys)).toBe(keys.length);
      expect(++rounds).toBeLessThan(200);
    }
    // Nothing was passed over: fifty full answers, and the pages that held nothing.
    expect(rounds).toBeLessThan(70);
    expect(Object.keys(machine.dump()).every((key) => key.startsWith('lives'))).toBe(true);
  });

  // One large value among a few keys was read and checked at every look, ten times a second.
  test('reads large values seldom, and finds what is past its deadline all the same', () => {
    const machine = new Machine();
    machine.run('SETRANGE', 'large', String(40 * 2 ** 20), 'x');
    machine.run('SET', 'dies', 'x', 'PX', '10');
    machine.flush();
    machine.advance(1_000);
    const { engine } = machine;
    const page = engine.page.bind(engine);
    let pages = 0;
    engine.page = (...range) => {
      pages += 1;
      return page(...range);
    };
    const found = new Set<string>();
    for (let look = 0; look < 40; look += 1) {
      for (const key of machine.machine.expired(10, machine.nowMs).keys) found.add(key);
    }
    expect(found).toEqual(new Set(['dies']));
    expect(pages).toBeLessThan(10);
  });

  test('looks at nothing where no key has a deadline', () => {
    const machine = new Machine();
    machine.run('SET', 'a', '1');
    machine.engine.page = () => {
      throw new Error('looked');
    };
    expect(machine.machine.expired(10, Number.MAX_SAFE_INTEGER).keys).toEqual([]);
  });
});

const word = fc.constantFrom('a', 'b', 'c', 'd', 'e');
const command = fc.oneof(
  fc.tuple(fc.constantFrom('SET', 'APPEND', 'GETSET', 'SETNX'), word, fc.constantFrom('1', '22')),
  fc.tuple(fc.constantFrom('INCR', 'DEL', 'GET', 'GETDEL', 'TTL', 'PERSIST'), word),
  fc.tuple(fc.constant('PEXPIRE'), word, fc.constantFrom('1', '3', '1000')),
  fc.tuple(fc.constantFrom('RENAME', 'COPY'), word, word),
  fc.constantFrom(['RANDOMKEY'], ['KEYS', '*'], ['DBSIZE'], ['FLUSHALL'], ['NOSUCH']),
);
const bodies = fc.array(fc.array(command, { minLength: 1, maxLength: 5 }), { maxLength: 40 });

describe('determinism', () => {
  test('two machines answer and end alike, whatever they cache and flush', () => {
    fc.assert(
      fc.property(bodies, fc.array(fc.boolean(), { maxLength: 40 }), (all, flushes) => {
        const one = new Machine();
        const two = new Machine({ cacheBytesMax: 0 });
        all.forEach((commands, i) => {
          one.advance(1);
          two.advance(1);
          const bytes = body(...(commands as string[][]));
          expect(two.execute(bytes)).toEqual(one.execute(bytes));
          if (flushes[i] === true) two.flush();
        });
        expect(two.machine.digest()).toBe(one.machine.digest());
        expect(two.machine.size).toBe(one.machine.size);
      }),
      { numRuns: 150 },
    );
  });

  test('a crash at any point and a replay of the rest end where an undisturbed run ends', () => {
    fc.assert(
      fc.property(bodies, fc.nat(39), fc.nat(39), (all, flushAt, crashAt) => {
        const undisturbed = new Machine();
        let disturbed = new Machine({ cacheBytesMax: 1_000 });
        const log = all.map((commands) => body(...(commands as string[][])));
        const versions = log.map((_, i) => versionAt((START_MS + i) * 1000));
        for (let i = 0; i < log.length; i += 1) {
          undisturbed.execute(log[i] as Buffer, versions[i]);
        }
        for (let i = 0; i < log.length; i += 1) {
          disturbed.execute(log[i] as Buffer, versions[i]);
          if (i === flushAt) disturbed.all.flush(() => undefined);
          if (i === flushAt + 2) disturbed.turns.run();
          if (i === crashAt) {
            disturbed = disturbed.restarted();
            for (let j = disturbed.machine.appliedSequence; j <= i; j += 1) {
              disturbed.execute(log[j] as Buffer, versions[j]);
            }
          }
        }
        expect(disturbed.machine.digest()).toBe(undisturbed.machine.digest());
      }),
      { numRuns: 150 },
    );
  });

  test('the digest sees values, deadlines and versions', () => {
    const digestOf = (...commands: string[][]) => {
      const machine = new Machine();
      for (const words of commands) machine.run(...words);
      return machine.machine.digest();
    };
    const base = digestOf(['SET', 'a', '1']);
    expect(digestOf(['SET', 'a', '1'])).toBe(base);
    expect(digestOf(['SET', 'a', '2'])).not.toBe(base);
    expect(digestOf(['SET', 'b', '1'])).not.toBe(base);
    expect(digestOf(['SET', 'a', '1', 'EX', '10'])).not.toBe(base);
    expect(digestOf(['SET', 'b', '1'], ['RENAME', 'b', 'a'])).not.toBe(base);
  });
});

describe('SCAN', () => {
  test('returns what is there throughout, once, whatever is written meanwhile', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.tuple(fc.nat(5), fc.nat(200)), { maxLength: 100 }),
        (count, writes) => {
          const machine = new Machine({ cacheBytesMax: 4_000 });
          const stable = Array.from({ length: 60 }, (_, i) => `stable${i}`);
          stable.forEach((key, i) => {
            machine.run('SET', key, 'x');
            if (i === 30) machine.flush();
          });
          let at = 0;
          const found = machine.scan(['COUNT', String(count)], () => {
            for (const [what, n] of writes.slice(at, at + 3)) {
              if (what < 2) machine.run('SET', `new${n}`, 'x');
              else if (what === 2) machine.run('DEL', `new${n}`);
              else if (what === 3) machine.run('SET', `stable${n % 60}`, 'y');
              else if (what === 4) machine.all.flush(() => undefined);
              else machine.turns.run();
            }
            at += 3;
          });
          const seen = found.filter((key) => key.startsWith('stable'));
          expect(seen.toSorted()).toEqual(stable.toSorted());
          expect(new Set(found).size).toBe(found.length);
        },
      ),
      { numRuns: 150 },
    );
  });

  test('goes on with a cursor on another node that has flushed differently', () => {
    const one = new Machine();
    const two = new Machine({ cacheBytesMax: 0 });
    for (let i = 0; i < 100; i += 1) {
      one.run('SET', `key${i}`, 'x');
      two.run('SET', `key${i}`, 'x');
      if (i === 50) two.flush();
    }
    const found: string[] = [];
    let cursor = '0';
    let node = one;
    do {
      const [next, keys] = node.read('SCAN', cursor, 'COUNT', '7') as [string, string[]];
      found.push(...keys);
      cursor = next;
      node = node === one ? two : one;
    } while (cursor !== '0');
    expect(found.length).toBe(100);
    expect(new Set(found).size).toBe(100);
  });

  test('costs a page, not the store', () => {
    const machine = new Machine();
    for (let i = 0; i < 1_000; i += 1) machine.run('SET', `key${i}`, 'x');
    machine.flush();
    const limits: number[] = [];
    const page = machine.engine.page.bind(machine.engine);
    machine.engine.page = (database, from, to, limit) => {
      limits.push(limit);
      return page(database, from, to, limit);
    };
    const [, keys] = machine.read('SCAN', '0', 'COUNT', '20') as [string, string[]];
    expect(keys.length).toBe(20);
    machine.read('SCAN', '0', 'COUNT', '9223372036854775807');
    expect(limits).toEqual([20, 10_000]);
  });
});

describe('keys that reads have looked up', () => {
  test('are counted for clients of this node, once, whichever way the read goes', () => {
    const machine = new Machine();
    const counts = () => [machine.machine.hits, machine.machine.misses];
    machine.run('SET', 'a', '1', 'PX', '1000');
    machine.run('INCR', 'a');
    machine.run('DEL', 'none');
    expect(counts()).toEqual([0, 0]);
    machine.run('GET', 'a');
    machine.read('GET', 'a');
    machine.run('MGET', 'a', 'b', 'c');
    machine.read('EXISTS', 'a', 'b');
    expect(counts()).toEqual([4, 3]);
    machine.advance(1000);
    // The read leaves it to a transaction that the key is gone.
    expect(machine.read('GET', 'a')).toBeUndefined();
    expect(machine.run('GET', 'a')).toBeNull();
    expect(counts()).toEqual([4, 4]);
  });

  test('are not counted for clients of other nodes', () => {
    const { machine } = new Machine();
    const args = new Arguments();
    args.next(body(['GET', 'a']), 0);
    machine.begin(versionAt(1));
    machine.run(args, NO_REPLY);
    machine.commit(1);
    expect([machine.hits, machine.misses]).toEqual([0, 0]);
  });
});
