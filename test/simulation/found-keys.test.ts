/** Commands whose keys only show while they run, on a whole cluster. */
import { expect, test } from 'vitest';
import { Scenario } from './scenario.ts';

const SORT = ['SORT', 'l', 'BY', 'w*', 'GET', 'g*', 'STORE', 'd'];

test('SORT BY GET STORE finds its keys at any node, and all nodes store the same', () => {
  const scenario = new Scenario(3);
  scenario.answerTo(1, 'RPUSH', 'l', '1', '2', '3');
  scenario.answerTo(2, 'MSET', 'w1', '7', 'w2', '5', 'w3', '6', 'g1', 'a', 'g2', 'b', 'g3', 'c');
  expect(scenario.answerTo(3, ...SORT)).toBe(3);
  for (const node of [1, 2, 3]) {
    expect(scenario.answerTo(node, 'LRANGE', 'd', '0', '-1')).toEqual(['b', 'c', 'a']);
  }
  expect(scenario.answerTo(2, 'SORT_RO', 'l', 'BY', 'w*', 'DESC')).toEqual(['1', '3', '2']);
  expect(scenario.cluster.violations).toEqual([]);
});

test('it is asked once, however often its keys change meanwhile', () => {
  const scenario = new Scenario(3);
  scenario.answerTo(1, 'RPUSH', 'l', '1');
  scenario.answerTo(1, 'MSET', 'w1', '1', 'w2', '2', 'w3', '3', 'g1', 'a', 'g2', 'b', 'g3', 'c');
  const asked = scenario.ask(2, ...SORT);
  const pushed = [2, 3].map((element) => scenario.ask(1, 'RPUSH', 'l', String(element)));
  scenario.run(2_000);
  expect(pushed.map(({ reply }) => reply)).toEqual([2, 3]);
  expect([1, 2, 3]).toContain(asked.reply);
  expect(scenario.answerTo(3, 'LLEN', 'd')).toBe(asked.reply);
  expect(scenario.cluster.violations).toEqual([]);
});
