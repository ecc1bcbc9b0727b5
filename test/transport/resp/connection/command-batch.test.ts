import { describe, expect, test } from 'vitest';
import { slotOfText } from '../../../../storage/keyspace/slots.ts';
import { array, Harness, request } from '../harness.ts';

/** The units that a piece of input becomes. */
function unitsOf(...chunks: readonly string[]) {
  const harness = new Harness();
  const client = harness.client();
  for (const chunk of chunks) client.ask(chunk);
  return harness.coordinator.parts;
}

const slots = (...keys: readonly string[]): number[] => keys.map(slotOfText);

describe('the parts of a unit for the coordinator', () => {
  test.each<[string, string, { readOnly: boolean; wholeStore: boolean; keys: string[] }]>([
    ['GET', request('GET a'), { readOnly: true, wholeStore: false, keys: ['a'] }],
    [
      'several GET',
      request('GET a', 'GET b'),
      { readOnly: true, wholeStore: false, keys: ['a', 'b'] },
    ],
    ['SET', request('SET a 1'), { readOnly: false, wholeStore: false, keys: ['a'] }],
    [
      'a read and a write',
      request('GET a', 'SET a 1'),
      {
        readOnly: false,
        wholeStore: false,
        keys: ['a', 'a'],
      },
    ],
    ['MGET of one key', request('MGET a'), { readOnly: true, wholeStore: false, keys: ['a'] }],
    ['MGET of two', request('MGET a b'), { readOnly: false, wholeStore: false, keys: ['a', 'b'] }],
    [
      'EXISTS of two',
      request('EXISTS a b'),
      { readOnly: false, wholeStore: false, keys: ['a', 'b'] },
    ],
    ['MSET', request('MSET a 1 b 2'), { readOnly: false, wholeStore: false, keys: ['a', 'b'] }],
    ['RENAME', request('RENAME a b'), { readOnly: false, wholeStore: false, keys: ['a', 'b'] }],
    ['DEL', request('DEL a b c'), { readOnly: false, wholeStore: false, keys: ['a', 'b', 'c'] }],
    ['SCAN', request('SCAN 0'), { readOnly: true, wholeStore: true, keys: [] }],
    ['KEYS', request('KEYS *'), { readOnly: false, wholeStore: true, keys: [] }],
    ['DBSIZE', request('DBSIZE'), { readOnly: false, wholeStore: true, keys: [] }],
    ['FLUSHALL', request('FLUSHALL'), { readOnly: false, wholeStore: true, keys: [] }],
    [
      'a block of reads',
      request('MULTI', 'GET a', 'EXEC'),
      {
        readOnly: false,
        wholeStore: false,
        keys: ['a'],
      },
    ],
  ])('%s', (_name, input, { readOnly, wholeStore, keys }) => {
    const [unit] = unitsOf(input);
    expect(unit).toMatchObject({ readOnly, wholeStore, participants: slots(...keys) });
  });

  test('begins anew for each unit', () => {
    const units = unitsOf(request('SET a 1'), request('FLUSHALL'), request('GET b'));
    expect(units.map(({ readOnly, wholeStore }) => ({ readOnly, wholeStore }))).toEqual([
      { readOnly: false, wholeStore: false },
      { readOnly: false, wholeStore: true },
      { readOnly: true, wholeStore: false },
    ]);
    expect(units[2]?.participants).toEqual(slots('b'));
  });

  test('hashes keys byte for byte', () => {
    const key = '\0\r\n\xff';
    expect(unitsOf(array('GET', key))[0]?.participants).toEqual(slots(key));
  });
});

describe('the bytes of a unit', () => {
  test('are a slice of the chunk when the commands lie side by side', () => {
    const harness = new Harness();
    const { connection } = harness.client();
    const text = request('PING', 'SET a 1', 'GET a', 'INCR b');
    const chunk = Buffer.from(text, 'latin1');
    connection.onData(chunk);
    const [unit] = harness.coordinator.parts;
    expect(unit?.bytes.buffer).toBe(chunk.buffer);
    expect(Buffer.from(unit?.bytes ?? []).toString('latin1')).toBe(
      request('SET a 1', 'GET a', 'INCR b'),
    );
  });

  test('leave out what is answered locally', () => {
    const [unit] = unitsOf(request('SET a 1', 'PING', 'GET a'));
    expect(Buffer.from(unit?.bytes ?? []).toString('latin1')).toBe(request('SET a 1', 'GET a'));
    expect(unit?.count).toBe(2);
    expect(unit?.layout).toEqual([1, 1]);
  });

  test('are request arrays also where the client sent lines', () => {
    const [unit] = unitsOf('SET a "x y"\r\nGET a\r\n');
    expect(Buffer.from(unit?.bytes ?? []).toString('latin1')).toBe(
      array('SET', 'a', 'x y') + array('GET', 'a'),
    );
  });
});
