/**
 * The write limit of one client's unit, and a flush between two units: neither may affect the
 * commands of other units, nor the data after a restart.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Arguments } from '../../storage/arguments.ts';
import { MemoryStore } from '../../storage/engine/memory-engine.ts';
import { UNIT_HEAD } from '../../storage/transaction-body.ts';
import { Machine, Replies, TABLE_HASH_KEY, unitsBody, versionAt } from './harness.ts';

const OOM = "-OOM command not allowed when used memory > 'maxmemory'.";

describe('the bytes that a unit may write', () => {
  const limited = (unitWriteBytesMax = 100) => new Machine({ unitWriteBytesMax });

  test('are what ends an amplifying block, and batch mates do not notice', () => {
    const machine = limited(300);
    const block = Array.from({ length: 9 }, (_, i) => ['SETRANGE', `amp${i}`, '95', 'x']);
    const replies = machine.execute(unitsBody(block, [['SET', 'mate', 'v']], block));
    const crossing = [96, 96, 96, OOM, OOM, OOM, OOM, OOM, OOM];
    expect(replies).toEqual([...crossing, '+OK', ...crossing]);
    expect(Object.keys(machine.dump()).toSorted()).toEqual(['amp0', 'amp1', 'amp2', 'mate']);
  });

  test('may be used up to the last one', () => {
    const machine = limited(100);
    expect(machine.run('SET', 'k', 'x'.repeat(99))).toBe('+OK');
    expect(machine.run('SET', 'k', 'x'.repeat(100))).toBe(OOM);
    expect(machine.dump()).toEqual({ k: 'x'.repeat(99) });
  });

  test('count once what is written to one key again and again', () => {
    const machine = limited(100);
    const appends = Array.from({ length: 90 }, () => ['APPEND', 'k', 'x']);
    expect(machine.execute(unitsBody(appends))).toEqual(appends.map((_, i) => i + 1));
    expect(machine.execute(unitsBody(appends))).toEqual(
      appends.map((_, i) => (i < 9 ? 91 + i : OOM)),
    );
  });

  test('are given back by what removes', () => {
    const machine = limited(100);
    const big = 'x'.repeat(90);
    const commands = [
      ['SET', 'a', big],
      ['SET', 'b', big],
      ['DEL', 'a'],
      ['SET', 'b', big],
      ['SET', 'c', big],
      ['FLUSHALL'],
      ['SET', 'c', big],
    ];
    const replies = ['+OK', OOM, 1, '+OK', OOM, '+OK', '+OK'];
    expect(machine.execute(unitsBody(commands))).toEqual(replies);
    expect(machine.dump()).toEqual({ c: big });
  });

  test.each([
    ['MSET', 'new', 'x'.repeat(40), 'old', 'y', 'a', 'x'.repeat(60)],
    ['MSETNX', 'new', 'x'.repeat(40), 'newer', 'x'.repeat(80)],
    ['RENAME', 'large', 'other'],
    ['RENAMENX', 'large', 'other'],
    ['COPY', 'large', 'other'],
    ['EXPIRE', 'large', '100'],
    ['PERSIST', 'large'],
    ['GETEX', 'large', 'PERSIST'],
    ['APPEND', 'large', 'x'],
    ['GETSET', 'old', 'x'.repeat(98)],
  ])('leave nothing behind of a command that crosses them: %s', (...words) => {
    const [machine, twin] = [new Machine(), new Machine()];
    for (const one of [machine, twin]) {
      one.run('SET', 'old', 'value', 'PX', '1000');
      one.run('SET', 'large', 'x'.repeat(95), 'PX', '1000');
      one.flush();
      one.run('SET', 'a', '1');
      one.flush();
    }
    const small = machine.restarted({ unitWriteBytesMax: 99 });
    const { size, volatileSize } = small.machine;
    expect(small.execute(unitsBody([['SET', 'n', '1'], words, ['GET', 'n']]))).toEqual([
      '+OK',
      OOM,
      '1',
    ]);
    twin.execute(
      unitsBody([
        ['SET', 'n', '1'],
        ['GET', 'n'],
      ]),
    );
    expect(small.machine.digest()).toBe(twin.machine.digest());
    expect(small.machine.size).toBe(size + 1);
    expect(small.machine.volatileSize).toBe(volatileSize);
    small.flush();
    expect(small.restarted().machine.digest()).toBe(twin.machine.digest());
  });
});

/** Executes body by body, flushing and restarting between units where `cuts` says so. */
class Interrupted {
  machine: Machine;
  readonly #args = new Arguments();
  readonly #options: ConstructorParameters<typeof Machine>[0];

  constructor(options: ConstructorParameters<typeof Machine>[0]) {
    this.#options = options;
    this.machine = new Machine(options, new MemoryStore(TABLE_HASH_KEY));
  }

  execute(bytes: Buffer, hlc: number, cut: (unit: number) => 'flush' | 'crash' | undefined): void {
    let unit = 0;
    let open = false;
    for (let at = 0; at < bytes.length; ) {
      const { machine } = this.machine;
      if (!open) machine.begin(versionAt(hlc));
      open = true;
      if (bytes[at] === UNIT_HEAD) {
        const what = unit > 0 ? cut(unit) : undefined;
        unit += 1;
        if (what !== undefined) {
          this.machine.all.flush(() => undefined);
          this.machine.turns.run();
        }
        if (what === 'crash') {
          this.machine = this.machine.restarted(this.#options);
          this.execute(bytes, hlc, () => undefined);
          return;
        }
      }
      at = this.#args.next(bytes, at);
      machine.run(this.#args, new Replies());
    }
    this.machine.machine.commit(this.machine.machine.appliedSequence + 1);
  }
}

describe('a flush between two units', () => {
  test('and a restart after it apply every unit once', () => {
    const machine = new Interrupted({});
    const bytes = unitsBody(
      [['FLUSHALL'], ['INCR', 'b']],
      [['INCR', 'a']],
      [['INCR', 'a']],
      [
        ['INCR', 'a'],
        ['INCR', 'b'],
      ],
    );
    machine.execute(bytes, 5, (unit) => (unit === 3 ? 'crash' : undefined));
    expect(machine.machine.dump()).toEqual({ a: '3', b: '2' });
    expect(machine.machine.machine.appliedSequence).toBe(1);
  });

  const key = fc.integer({ min: 0, max: 6 }).map((n) => `k${n}`);
  const text = fc.integer({ min: 0, max: 60 }).map((n) => 'x'.repeat(n));
  const words = fc.oneof(
    fc.tuple(fc.constantFrom('SET', 'APPEND'), key, text),
    fc.tuple(fc.constantFrom('RENAME', 'COPY'), key, key),
    fc.tuple(fc.constant('MSET'), key, text, key, text),
    fc.tuple(fc.constant('SET'), key, text, fc.constant('PX'), fc.constantFrom('1', '1000')),
    fc.tuple(fc.constantFrom('DEL', 'INCR', 'PERSIST', 'GETDEL'), key),
    fc.constantFrom(['FLUSHALL'], ['KEYS', '*']),
  );
  const transaction = fc.array(fc.array(words, { minLength: 1, maxLength: 4 }), {
    minLength: 1,
    maxLength: 5,
  });
  const cuts = fc.array(fc.constantFrom('flush' as const, 'crash' as const, undefined), {
    minLength: 40,
    maxLength: 40,
  });

  test.each([0, 1_000_000])('never shows in the end, with a cache of %i bytes', (cacheBytesMax) => {
    fc.assert(
      fc.property(fc.array(transaction, { maxLength: 8 }), cuts, (transactions, drawn) => {
        const undisturbed = new Machine({ unitWriteBytesMax: 150 });
        const interrupted = new Interrupted({ cacheBytesMax, unitWriteBytesMax: 150 });
        let next = 0;
        transactions.forEach((units, i) => {
          const hlc = 1_700_000_000_000_000 + i * 700;
          const bytes = unitsBody(...units);
          undisturbed.execute(bytes, versionAt(hlc));
          interrupted.execute(bytes, hlc, () => drawn[next++ % drawn.length]);
        });
        expect(interrupted.machine.machine.digest()).toBe(undisturbed.machine.digest());
        expect(interrupted.machine.machine.size).toBe(undisturbed.machine.size);
        interrupted.machine.all.flush(() => undefined);
        interrupted.machine.turns.run();
        const restarted = interrupted.machine.restarted();
        expect(restarted.machine.digest()).toBe(undisturbed.machine.digest());
        expect(restarted.machine.volatileSize).toBe(undisturbed.machine.volatileSize);
      }),
      { numRuns: 200 },
    );
  });
});
