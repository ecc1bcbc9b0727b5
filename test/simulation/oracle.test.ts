/** The oracle against one machine that runs the same bodies, in order and not. */
import { expect, test } from 'vitest';
import type { Execution } from '../../actors/accord/local/effects.ts';
import { WHOLE_STORE } from '../../actors/accord/primitives/participants.ts';
import { firstGroup } from '../actors/accord/first-group.ts';
import { digestsOf, Oracle } from './oracle.ts';

function execution(hlc: number, ...words: string[]): Execution {
  const id = { hlc, flags: 2, node: 1, store: 0 };
  const text = words.map((word) => `$${word.length}\r\n${word}\r\n`).join('');
  const body = Buffer.from(`*${words.length}\r\n${text}`, 'latin1');
  return { id, executeAt: id, participants: WHOLE_STORE, body, sequence: hlc, isRepeated: false };
}

const first = execution(1_000, 'SET', 'k', 'a');
const second = execution(2_000, 'APPEND', 'k', 'b');

function digestOf(...executions: readonly Execution[]): string {
  const descriptor = firstGroup([1], [1]);
  const oracle = new Oracle(descriptor, (what) => {
    throw new Error(what);
  });
  executions.forEach((each, index) => {
    oracle.executed(index, each);
  });
  return digestsOf([{ descriptor, oracle }])[0] ?? '';
}

test('neither the order in which replicas execute nor repetitions matter', () => {
  expect(digestOf(second, first, second)).toBe(digestOf(first, second));
});

test('a transaction that is missing, or another value, shows', () => {
  expect(digestOf(first)).not.toBe(digestOf(first, second));
  expect(digestOf(first, execution(2_000, 'APPEND', 'k', 'c'))).not.toBe(digestOf(first, second));
});

test('two replicas that execute different commands under one id are found', () => {
  expect(() => digestOf(second, execution(2_000, 'APPEND', 'k', 'c'))).toThrow('I13');
});
