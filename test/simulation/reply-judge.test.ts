/** The judge of replies notices a wrong one, and an order that real time rules out. */
import { expect, test } from 'vitest';
import { WHOLE_STORE } from '../../actors/accord/primitives/participants.ts';
import type { Timestamp } from '../../actors/accord/primitives/timestamp.ts';
import { firstGroup } from '../actors/accord/first-group.ts';
import { unitOf } from './client.ts';
import { digestsOf, Oracle } from './oracle.ts';
import { ReplyJudge } from './reply-judge.ts';

interface Step {
  readonly commands: readonly (readonly string[])[];
  readonly exec?: boolean;
  readonly at: number;
  readonly told: string;
}

/** The judge's findings about units that were begun and answered one after the other. */
function judge(steps: readonly Step[]): string[] {
  const said: string[] = [];
  const say = (what: string): void => void said.push(what);
  const judge = new ReplyJudge(say);
  const descriptor = firstGroup([1], [1]);
  const oracle = new Oracle(descriptor, say);
  steps.forEach(({ commands, exec = false, at, told }, index) => {
    const executeAt: Timestamp = { hlc: at * 1_000, flags: 0, node: 1, store: 0 };
    const unit = unitOf(commands, exec, () => undefined);
    const floor = judge.begin(unit);
    const body = Buffer.from(unit.part.bytes);
    const times = { id: executeAt, executeAt };
    const order = { sequence: index + 1, isRepeated: false };
    oracle.executed(1, { ...times, participants: WHOLE_STORE, body, ...order });
    judge.answered({ node: 1, unit, order: index }, floor, executeAt, Buffer.from(told));
  });
  digestsOf([{ descriptor, oracle, judge }]);
  return said;
}

const SET: Step = { commands: [['SET', 'k', 'v']], at: 10, told: '+OK\r\n' };

test('replies in the order of time are right', () => {
  const block = [['APPEND', 'k', 'w'], ['GET', 'k'], ['DBSIZE']];
  const told = '*3\r\n:2\r\n$2\r\nvw\r\n:1\r\n';
  expect(judge([SET, { commands: block, exec: true, at: 11, told }])).toEqual([]);
});

test.each([
  ['a reply that no order explains', [SET, { commands: [['DBSIZE']], at: 11, told: ':0\r\n' }]],
  ['an order against real time', [SET, { commands: [['GET', 'k']], at: 9, told: '$-1\r\n' }]],
  ['a whole store before a key', [SET, { commands: [['DBSIZE']], at: 9, told: ':0\r\n' }]],
  [
    'a key before a whole store',
    [
      { commands: [['FLUSHALL']], at: 10, told: '+OK\r\n' },
      { commands: [['SET', 'k', 'v']], at: 9, told: '+OK\r\n' },
    ],
  ],
])('%s is a violation', (_, steps) => {
  expect(judge(steps)).toHaveLength(1);
});

test('keys that share no slot may execute in any order', () => {
  expect(judge([SET, { commands: [['GET', 'other']], at: 9, told: '$-1\r\n' }])).toEqual([]);
});
