/** Changes that a node outside the meta group hands to a member: one of two, both up. */
import { expect, test } from 'vitest';
import type { MetaCommand } from '../../../actors/meta/meta-command.ts';
import { HandedChanges } from '../../../actors/node/handed-changes.ts';
import { type NodeMessage, nodeMessageOf } from '../../../actors/node/node-messages.ts';
import type { TopologyAnswer } from '../../../actors/node/topology-actor.ts';

const DRAIN = { type: 'Drain', id: 4 } as const;
const DONE = { type: 'done', change: 7 } as const;

class Bench {
  nowMs = 0;
  readonly connected = new Set([1, 2, 5]);
  readonly sent: [peer: number, message: NodeMessage][] = [];
  readonly answers: TopologyAnswer[] = [];
  /** Commands that this node is to have decided, with the way of their answers. */
  readonly asked: [command: MetaCommand, done: (answer: TopologyAnswer) => void][] = [];
  readonly handed = new HandedChanges({
    members: () => [1, 2],
    connected: this.connected,
    send: (peer, message) => this.sent.push([peer, message]),
    decide: (command, done) => this.asked.push([command, done]),
    firstToken: 10,
    answerMsMax: 1_000,
    nowMs: () => this.nowMs,
  });

  ask(): void {
    this.handed.ask(DRAIN, (answer) => this.answers.push(answer));
  }

  answered(peer: number, token: number): void {
    this.handed.received(peer, { type: 'ChangeAnswered', token, answer: DONE });
  }
}

test('a change goes to one member that is up, once, and its answer comes back', () => {
  const bench = new Bench();
  bench.connected.delete(1);
  bench.ask();
  expect(bench.sent).toEqual([[2, { type: 'ChangeAsked', token: 11, command: DRAIN }]]);
  bench.answered(5, 11);
  bench.answered(2, 10);
  expect(bench.answers).toEqual([]);
  bench.answered(2, 11);
  bench.answered(2, 11);
  expect(bench.answers).toEqual([DONE]);
});

test('without a member it is refused; with one that is lost, nobody knows', () => {
  const bench = new Bench();
  bench.ask();
  bench.handed.peerDown(2);
  expect(bench.answers).toEqual([]);
  bench.handed.peerDown(1);
  bench.ask();
  bench.nowMs = 999;
  bench.handed.onTick();
  expect(bench.answers.map(({ type }) => type)).toEqual(['unknown']);
  bench.nowMs = 1_000;
  bench.handed.onTick();
  bench.answered(1, 12);
  bench.connected.clear();
  bench.connected.add(5);
  bench.ask();
  expect(bench.answers.map(({ type }) => type)).toEqual(['unknown', 'unknown', 'refused']);
});

test('a member has it decided, and answers the node that has asked', () => {
  const bench = new Bench();
  bench.handed.received(4, { type: 'ChangeAsked', token: 3, command: DRAIN });
  const [[command, done] = []] = bench.asked;
  expect(command).toEqual(DRAIN);
  expect(bench.sent).toEqual([]);
  done?.(DONE);
  expect(bench.sent).toEqual([[4, { type: 'ChangeAnswered', token: 3, answer: DONE }]]);
});

test('limits: changes under way, of this node and of a peer', () => {
  const bench = new Bench();
  for (let each = 0; each <= 64; each += 1) {
    bench.ask();
    bench.handed.received(4, { type: 'ChangeAsked', token: each, command: DRAIN });
  }
  expect(bench.sent).toHaveLength(64);
  expect(bench.answers).toMatchObject([{ type: 'refused' }]);
  expect(bench.asked).toHaveLength(64);
  bench.asked[0]?.[1](DONE);
  bench.handed.received(5, { type: 'ChangeAsked', token: 1, command: DRAIN });
  bench.handed.received(4, { type: 'ChangeAsked', token: 1, command: DRAIN });
  expect(bench.asked).toHaveLength(66);
});

test.each([
  ['a command of controllers', { type: 'ChangeAsked', token: 1, command: { type: 'TakeLeases' } }],
  ['a lease', { type: 'ChangeAsked', token: 1, command: { ...DRAIN, lease: {} } }],
  ['no command', { type: 'ChangeAsked', token: 1, command: null }],
  ['no token', { type: 'ChangeAsked', token: -1, command: DRAIN }],
  ['no answer', { type: 'ChangeAnswered', token: 1, answer: null }],
  ['an answer without a change', { type: 'ChangeAnswered', token: 1, answer: { type: 'done' } }],
  [
    'an answer of another type',
    { type: 'ChangeAnswered', token: 1, answer: { type: 'x', why: '' } },
  ],
  ['no reason', { type: 'ChangeAnswered', token: 1, answer: { type: 'refused' } }],
])('a message with %s is not sound', (_what, message) => {
  expect(nodeMessageOf(message)).toBeUndefined();
});

test('sound ones are taken', () => {
  const asked = { type: 'ChangeAsked', token: 1, command: DRAIN };
  expect(nodeMessageOf(asked)).toEqual(asked);
  for (const answer of [DONE, { type: 'unknown', why: '' }]) {
    expect(nodeMessageOf({ type: 'ChangeAnswered', token: 1, answer })).toBeDefined();
  }
});
