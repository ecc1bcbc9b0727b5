/** The largest values that a whole node takes: whatever is stored can be read whole. */
import { describe, expect, test } from 'vitest';
import { VALUE_BYTES_MAX } from '../../storage/limits.ts';
import { Scenario } from './scenario.ts';

const LAST_OFFSET = String(VALUE_BYTES_MAX - 1);
const TOO_LONG = { error: 'ERR string exceeds maximum allowed size (proto-max-bulk-len)' };

/** Not with `toEqual`, which would print 64 MiB. */
function isWhole(reply: unknown): boolean {
  return typeof reply === 'string' && reply.length === VALUE_BYTES_MAX && reply.endsWith('x');
}

describe('a value of the largest size', () => {
  test('made by SETRANGE is read by GET and inside of a MULTI block', () => {
    const scenario = new Scenario(1);
    expect(scenario.answerTo(1, 'SETRANGE', 'big', LAST_OFFSET, 'x')).toBe(VALUE_BYTES_MAX);
    expect(isWhole(scenario.answerTo(1, 'GET', 'big'))).toBe(true);
    const block = [
      ['SET', 'other', '1'],
      ['GET', 'big'],
      ['GET', 'other'],
    ] as const;
    const [replies] = scenario.repliesTo(1, block, true) as [unknown[]];
    expect([replies[0], isWhole(replies[1]), replies[2]]).toEqual(['OK', true, '1']);
  });

  test('cannot be made longer, by whatever command', () => {
    const scenario = new Scenario(1);
    scenario.answerTo(1, 'SETRANGE', 'big', LAST_OFFSET, 'x');
    expect(scenario.answerTo(1, 'APPEND', 'big', 'y')).toEqual(TOO_LONG);
    expect(scenario.answerTo(1, 'SETRANGE', 'big', String(VALUE_BYTES_MAX), 'y')).toEqual(TOO_LONG);
    expect(isWhole(scenario.answerTo(1, 'GET', 'big'))).toBe(true);
  });
});
