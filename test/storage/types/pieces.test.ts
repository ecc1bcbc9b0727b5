/** Long strings in pieces: what they say, what they share, and that clients see plain strings. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PIECED_BYTES_MIN, Pieces } from '../../../storage/types/pieces.ts';
import { PIECED_STRING } from '../../../storage/types/string.ts';
import { Machine } from '../harness.ts';

const LONG = 'abcdefgh'.repeat(PIECED_BYTES_MIN / 4);

function overwritten(text: string, at: number, patch: string): string {
  const head = text.slice(0, at).padEnd(at, '\0');
  return head + patch + text.slice(at + patch.length);
}

describe('Pieces', () => {
  test('say after any changes what a plain string says', () => {
    const change = fc.tuple(
      fc.nat(2 * LONG.length),
      fc.nat(100_000).map((length) => 'x'.repeat(length)),
    );
    fc.assert(
      fc.property(fc.nat(LONG.length), fc.array(change, { maxLength: 4 }), (length, changes) => {
        let text = LONG.slice(0, length);
        let pieces = Pieces.of(text);
        for (const [at, patch] of changes) {
          if (patch === '') continue;
          text = overwritten(text, at, patch);
          pieces = pieces.with(at, patch);
          expect(pieces.length).toBe(text.length);
          expect(String(pieces) === text).toBe(true);
          expect(pieces.slice(at >> 1, at + 9) === text.slice(at >> 1, at + 9)).toBe(true);
        }
        const record = Buffer.alloc(text.length);
        PIECED_STRING.write(record, 0, pieces, true);
        expect(record.toString('latin1') === text).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test('share all pieces but the changed one with the version before', () => {
    const before = Pieces.of(LONG);
    const after = before.with(LONG.length / 2, 'x');
    const changed = after.all.filter((piece, i) => piece !== before.all[i]);
    expect(changed).toHaveLength(1);
    expect(changed[0]?.length).toBeLessThan(LONG.length / 4);
    expect(String(before) === LONG).toBe(true);
  });
});

describe('a long string changed in part', () => {
  function machine(): Machine {
    const all = new Machine();
    all.run('SET', 'k', LONG);
    return all;
  }

  test('is kept in pieces by SETRANGE, APPEND, GETRANGE and STRLEN', () => {
    const all = machine();
    all.run('SETRANGE', 'k', '5', 'xyz');
    all.run('APPEND', 'k', 'end');
    expect(all.run('GETRANGE', 'k', '4', '8')).toBe('exyza');
    expect(all.run('GETRANGE', 'k', '-4', '-1')).toBe('hend');
    expect(all.run('STRLEN', 'k')).toBe(LONG.length + 3);
    const [item] = [...all.machine.entries()];
    expect(item?.entry.value).toBeInstanceOf(Pieces);
  });

  test('is a plain string to all other commands', () => {
    const text = `${overwritten(LONG, 5, 'xyz')}`;
    const looks: readonly (readonly [readonly string[], unknown])[] = [
      [['GET', 'k'], text],
      [
        ['MGET', 'k', 'k'],
        [text, text],
      ],
      [['SET', 'k', 'new', 'GET'], text],
      [['SET', 'k', 'new', 'IFEQ', text], '+OK'],
      [['GETDEL', 'k'], text],
      [['GETSET', 'k', 'new'], text],
      [['GETEX', 'k', 'PERSIST'], text],
      [['INCR', 'k'], '-ERR value is not an integer or out of range'],
      [['INCRBYFLOAT', 'k', '1'], '-ERR value is not a valid float'],
      [['LCS', 'k', 'none', 'LEN'], 0],
      [['TYPE', 'k'], '+string'],
      [['OBJECT', 'ENCODING', 'k'], 'raw'],
      [['OBJECT', 'REFCOUNT', 'k'], 1],
    ];
    for (const [words, reply] of looks) {
      const all = machine();
      all.run('SETRANGE', 'k', '5', 'xyz');
      const same = all.run(...words);
      expect(JSON.stringify(same) === JSON.stringify(reply), words[0]).toBe(true);
    }
  });

  test('is the same after RENAME, COPY, a flush and a restart, in form and digest', () => {
    const all = machine();
    all.run('SETRANGE', 'k', '5', 'xyz');
    all.run('RENAME', 'k', 'm');
    all.run('COPY', 'm', 'k');
    all.flush();
    const again = all.restarted();
    expect(again.machine.digest()).toBe(all.machine.digest());
    expect(again.run('GET', 'k') === overwritten(LONG, 5, 'xyz')).toBe(true);
  });

  test('fills what lies beyond its end without a byte of memory for each', () => {
    const all = new Machine();
    const offset = 40 * 1024 * 1024;
    all.run('SETRANGE', 'k', String(offset), 'x');
    const [value] = [...all.machine.entries()].map(({ entry }) => entry.value as Pieces);
    expect(new Set(value?.all.slice(0, -1)).size).toBe(1);
    expect(all.run('GETRANGE', 'k', String(offset - 1), '-1')).toBe('\0x');
  });
});
