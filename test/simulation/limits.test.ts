/** Limits met step by step: the client learns it, and no node ends. */
import { expect, test } from 'vitest';
import { Scenario } from './scenario.ts';

const SEGMENT_BYTES = 32 * 1024;
/** More than a transaction may hold by default. */
const HUGE_BYTES = 49 * 1024 * 1024;

test('a unit larger than a transaction is refused, and nothing of it is done', () => {
  const scenario = new Scenario(3);
  const asked = scenario.ask(1, 'SET', 'huge', 'x'.repeat(HUGE_BYTES));
  scenario.run(100);
  expect(asked.answer).toEqual({
    type: 'refused',
    why: 'TOOLARGE',
  });
  expect(scenario.answerTo(2, 'EXISTS', 'huge')).toBe(0);
});

test('a record larger than a segment of the log is written, and read again after a crash', () => {
  const scenario = new Scenario(3, { segmentBytes: SEGMENT_BYTES });
  const value = 'x'.repeat(3 * SEGMENT_BYTES);
  expect(scenario.answerTo(1, 'SET', 'large', value)).toBe('OK');
  for (const node of scenario.cluster.nodes) {
    node.crash('power');
    node.start();
  }
  scenario.run(1_000);
  for (const id of [1, 2, 3]) expect(scenario.answerTo(id, 'GET', 'large')).toBe(value);
  scenario.converge();
});
