import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeHistory, encodeHistory, HistoryRecorder, InvalidHistoryError } from './history.ts';
import { HISTORY_BYTES_MAX, readHistory, writeHistory } from './history-file.ts';

describe('HistoryRecorder', () => {
  test('keeps every operation, with the outcome that its client was told', () => {
    let now = 0;
    const recorder = new HistoryRecorder('redis', () => now);
    const answered = recorder.invoke(1, 'SET', ['k'], ['v']);
    now = 10;
    const refused = recorder.invoke(2, 'GET', ['k'], []);
    const abandoned = recorder.invoke(3, 'DEL', ['k'], []);
    recorder.invoke(4, 'GET', ['k'], []);
    now = 20;
    recorder.complete(answered, 'OK');
    recorder.refuse(refused);
    recorder.unknown(abandoned);
    const { model, operations } = recorder.history();
    expect(model).toBe('redis');
    expect(operations.map(({ outcome }) => outcome)).toEqual([
      'ok',
      'refused',
      'unknown',
      'unknown',
    ]);
    expect(operations.map(({ completedAt }) => completedAt)).toEqual([
      20,
      21,
      undefined,
      undefined,
    ]);
    expect(operations.map(({ result }) => result)).toEqual(['OK', undefined, undefined, undefined]);
  });

  test('orders what happens within one tick of its clock as it was called', () => {
    const recorder = new HistoryRecorder('redis', () => 5);
    recorder.complete(recorder.invoke(1, 'SET', ['k'], ['v']), 'OK');
    recorder.invoke(2, 'GET', ['k'], []);
    const [first, second] = recorder.history().operations;
    expect(first?.completedAt).toBeLessThan(second?.invokedAt ?? 0);
  });

  test('does not settle an operation twice', () => {
    const recorder = new HistoryRecorder('redis', () => 0);
    const id = recorder.invoke(1, 'GET', ['k'], []);
    recorder.unknown(id);
    expect(() => recorder.complete(id, null)).toThrow('settled before');
    expect(() => recorder.complete(7, null)).toThrow(RangeError);
    expect(recorder.history().operations[0]?.outcome).toBe('unknown');
  });

  test('refuses more than operationsMax and keeps what it has', () => {
    const recorder = new HistoryRecorder('redis', () => 0, { operationsMax: 1 });
    recorder.invoke(1, 'GET', ['k'], []);
    expect(() => recorder.invoke(1, 'GET', ['k'], [])).toThrow('at most 1 operations');
    expect(recorder.size).toBe(1);
  });
});

function recordSome(): HistoryRecorder {
  let now = 0;
  const recorder = new HistoryRecorder('redis', () => ++now);
  recorder.complete(recorder.invoke(1, 'SET', ['k\xff\n"'], ['v\x00\xfe']), 'OK');
  recorder.complete(recorder.invoke(1, 'INCR', ['k'], []), { error: 'ERR not an integer' });
  recorder.complete(recorder.invoke(1, 'GET', ['none'], []), null);
  recorder.refuse(recorder.invoke(2, 'GET', ['k'], []));
  recorder.invoke(3, 'GET', ['k'], []);
  return recorder;
}

describe('JSON lines', () => {
  test('bring back the same history, bytes and open operations included', () => {
    const history = recordSome().history();
    const lines = [...encodeHistory(history)];
    expect(lines).toHaveLength(6);
    expect(decodeHistory(lines)).toEqual(history);
  });

  const header = '{"format":"holostore-history","version":1,"model":"redis"}';
  const line = (changes: object): string =>
    JSON.stringify({
      id: 0,
      process: 1,
      invokedAt: 10,
      completedAt: 20,
      kind: 'GET',
      keys: ['k'],
      args: [],
      result: null,
      outcome: 'ok',
      ...changes,
    });

  test.each([
    ['no header', ['', ''], 'no header'],
    ['another file', ['{"a":1}'], 'line 1: not a holostore-history'],
    ['a later version', [header.replace('1', '2')], 'line 1: version 2'],
    ['an unknown model', [header.replace('redis', 'sql')], 'line 1: unknown model "sql"'],
    ['half a line', [header, line({}).slice(0, 30)], 'line 2: '],
    ['a list for an operation', [header, '[]'], 'line 2: not an object'],
    ['a missing operation', [header, line({ id: 1 })], 'line 2: id 1'],
    ['an end before the beginning', [header, line({ completedAt: 9 })], 'line 2: completedAt'],
    ['an answer without a result', [header, line({ result: undefined })], 'line 2: result'],
    ['an end that no client saw', [header, line({ outcome: 'unknown' })], 'line 2: an unknown'],
    ['an unknown outcome', [header, line({ outcome: 'maybe' })], 'line 2: unknown outcome'],
    ['keys that are no strings', [header, line({ keys: [1] })], 'line 2: keys'],
  ])('are refused for %s', (_, lines, message) => {
    expect(() => decodeHistory(lines)).toThrow(InvalidHistoryError);
    expect(() => decodeHistory(lines)).toThrow(message);
  });
});

describe('history files', () => {
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holostore-test-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  test('hold a history', () => {
    const path = join(folder, 'history.jsonl');
    const history = recordSome().history();
    writeHistory(path, history);
    writeHistory(path, history);
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(7);
    expect(readHistory(path)).toEqual(history);
  });

  test('longer than one chunk lose nothing', () => {
    const path = join(folder, 'history.jsonl');
    const recorder = new HistoryRecorder('redis', () => 0);
    for (let at = 0; at < 600; at += 1) recorder.invoke(at, 'SET', ['k'], ['\xe9'.repeat(4000)]);
    writeHistory(path, recorder.history());
    expect(readHistory(path)).toEqual(recorder.history());
  });

  test('that are too large or malformed are refused', () => {
    const path = join(folder, 'history.jsonl');
    writeFileSync(path, 'nonsense\n');
    expect(() => readHistory(path)).toThrow(InvalidHistoryError);
    truncateSync(path, HISTORY_BYTES_MAX + 1);
    expect(() => readHistory(path)).toThrow(`at most ${HISTORY_BYTES_MAX} are read`);
  });
});
