/** Deadlines and FLUSHALL as operations of a history: what the bounds admit, and what not. */
import { describe, expect, test } from 'vitest';
import { HistoryRecorder } from '../verify/history.ts';
import { checkLinearizability } from '../verify/linearizability.ts';
import { FLUSHALL, withExpiries, withFlushes } from './expiries.ts';

const LIFE_MS = 100;
const ERROR_MS = 10;

class Story {
  #nowUs = 0;
  readonly #recorder = new HistoryRecorder('redis', () => this.#nowUs);
  readonly #lives = new Map<number, number>();
  readonly #prolongs = new Map<number, number>();

  /** One operation at a point of time; `undefined`: never answered. */
  at(ms: number, kind: string, args: string[], result: string | number | null | undefined): this {
    this.#nowUs = ms * 1_000;
    const key = kind === FLUSHALL ? '*' : 't';
    const id = this.#recorder.invoke(1, kind, [key], args);
    if (kind === 'SET') this.#lives.set(id, LIFE_MS);
    if (kind === 'EXISTS') this.#prolongs.set(id, LIFE_MS);
    if (result !== undefined) this.#recorder.complete(id, result);
    return this;
  }

  get verdict(): string {
    const deadlines = { lives: this.#lives, prolongs: this.#prolongs, clockErrorMs: ERROR_MS };
    const whole = withFlushes(withExpiries(this.#recorder.history(), deadlines));
    return checkLinearizability(whole).verdict;
  }
}

const set = (): Story => new Story().at(0, 'SET', ['v'], 'OK');

describe('a value with a deadline', () => {
  test.each([
    [50, 'v', 'ok'],
    [50, null, 'violation'],
    [95, null, 'ok'],
    [105, 'v', 'ok'],
    [120, null, 'ok'],
    [120, 'v', 'violation'],
  ])('is, after %i ms, %s: %s', (ms, result, verdict) => {
    expect(set().at(ms, 'GET', [], result).verdict).toBe(verdict);
  });

  test('is gone for good once it was seen to be gone', () => {
    expect(set().at(95, 'GET', [], null).at(96, 'GET', [], 'v').verdict).toBe('violation');
  });

  test('lives on when that was asked for, and no longer', () => {
    const prolonged = (): Story => set().at(60, 'EXISTS', [], 1);
    expect(prolonged().at(150, 'GET', [], 'v').verdict).toBe('ok');
    expect(prolonged().at(180, 'GET', [], 'v').verdict).toBe('violation');
  });

  test('may live for ever when it is unknown whether it was prolonged', () => {
    const asked = set().at(60, 'EXISTS', [], undefined);
    expect(asked.at(900, 'GET', [], 'v').verdict).toBe('ok');
  });
});

test('FLUSHALL removes what is there', () => {
  const flushed = (): Story => set().at(10, FLUSHALL, [], 'OK');
  expect(flushed().at(20, 'GET', [], null).verdict).toBe('ok');
  expect(flushed().at(20, 'GET', [], 'v').verdict).toBe('violation');
});
