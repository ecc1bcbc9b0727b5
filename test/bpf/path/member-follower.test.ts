/** When names are looked up again, and what comes of it. */
import { setImmediate as turn } from 'node:timers/promises';
import { beforeEach, expect, test } from 'vitest';
import type { GroupMember } from '../../../bpf/frame/layout.ts';
import { LOOK_UP_EVERY_MS, MemberFollower } from '../../../bpf/path/member-follower.ts';

const at = (address: string): GroupMember[] => [
  { sender: 1, address: '10.0.0.1', port: 9 },
  { sender: 2, address, port: 9 },
];

let nowMs = 0;
let asked = 0;
let answer: () => Promise<GroupMember[]>;
let moved: Array<readonly GroupMember[]> = [];
let follower: MemberFollower;

beforeEach(() => {
  nowMs = 1_000;
  asked = 0;
  answer = async () => at('10.0.0.2');
  moved = [];
  follower = new MemberFollower({
    members: at('10.0.0.2'),
    lookUp: () => {
      asked += 1;
      return answer();
    },
    onMoved: (members) => moved.push(members),
    monotonicMs: () => nowMs,
  });
});

async function refreshAfter(ms: number): Promise<void> {
  nowMs += ms;
  follower.refresh();
  await turn();
}

test('asks once per interval, and says nothing while all stay where they are', async () => {
  for (let i = 0; i < 40; i += 1) await refreshAfter(250);
  expect([asked, moved]).toEqual([2, []]);
});

test('tells once of a member that has moved, and again when it moves back', async () => {
  answer = async () => at('10.0.0.7');
  for (let i = 0; i < 3; i += 1) await refreshAfter(LOOK_UP_EVERY_MS);
  expect(moved).toEqual([at('10.0.0.7')]);
  answer = async () => at('10.0.0.2');
  await refreshAfter(LOOK_UP_EVERY_MS);
  expect(moved).toEqual([at('10.0.0.7'), at('10.0.0.2')]);
});

test('a name that cannot be found changes nothing, and is asked for again', async () => {
  answer = () => Promise.reject(new Error('ENOTFOUND'));
  await refreshAfter(LOOK_UP_EVERY_MS);
  answer = async () => at('10.0.0.7');
  await refreshAfter(LOOK_UP_EVERY_MS);
  expect(moved).toHaveLength(1);
});

test('never asks while an answer is still to come', async () => {
  let found: (members: GroupMember[]) => void = () => undefined;
  answer = () =>
    new Promise((resolve) => {
      found = resolve;
    });
  for (let i = 0; i < 5; i += 1) await refreshAfter(LOOK_UP_EVERY_MS);
  expect(asked).toBe(1);
  found(at('10.0.0.7'));
  await turn();
  expect(moved).toHaveLength(1);
  await refreshAfter(0);
  expect(asked).toBe(2);
});
