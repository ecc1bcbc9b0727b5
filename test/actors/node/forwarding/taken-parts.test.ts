import { beforeEach, expect, test } from 'vitest';
import { noForwards } from '../../../../actors/node/forwarding/forwarding-counts.ts';
import {
  DROPPED_IDS_MAX,
  type Forward,
  type ToEntry,
} from '../../../../actors/node/forwarding/forwarding-message.ts';
import { TakenParts } from '../../../../actors/node/forwarding/taken-parts.ts';
import type { Part, PartReplies, ReplyFlow } from '../../../../transport/resp/connection/part.ts';

const OURS = { range: 1, generation: 1 };
const THEIRS = { range: 2, generation: 1 };

let sent: [peer: number, message: ToEntry][];
let submitted: Part[];
let flows: ReplyFlow[];
let tracks: boolean[];
let hasRoom: boolean;
let isTaken: boolean;
let parts: TakenParts;

beforeEach(() => {
  sent = [];
  submitted = [];
  flows = [];
  tracks = [];
  hasRoom = true;
  isTaken = true;
  parts = new TakenParts({
    // Node 2 is a member of the other group alone, node 3 of none.
    isMember: (group, node) => node === 2 && group.range === THEIRS.range,
    areIn: (_groups, slots) => slots.every((slot) => slot < 100),
    ...{ partsMax: 2, bytesMax: 100, counts: noForwards() },
    submit: (part) => {
      submitted.push(part);
      return isTaken;
    },
    flow: (message) => flows.push(message),
    tracks: (isOn) => tracks.push(isOn),
    send: (peer, message) => {
      if (hasRoom) sent.push([peer, message]);
      return hasRoom;
    },
  });
  for (const peer of [2, 3]) parts.peerUp(peer);
  taken();
});

function taken(): typeof sent {
  const before = sent;
  sent = [];
  return before;
}

function forward(id: number, changes: Partial<Forward> = {}): Forward {
  return {
    ...{ type: 'Forward', id, leftMs: 50, groups: [OURS], count: 1, layout: [1], protocol: 2 },
    ...{ readOnly: false, readsFrom: 1, wholeStore: false, waits: false, participants: [5] },
    ...{ window: 1_000, body: Buffer.from('body'), ...changes },
  };
}

function replies(part: Part | undefined, changes: Partial<PartReplies> = {}): PartReplies {
  if (part === undefined) throw new Error('nothing was submitted');
  const { unit, part: number } = part;
  return {
    ...{ type: 'PartReplies', unit, part: number, from: 0, replies: Buffer.from('+OK\r\n') },
    ...{ ends: [], errors: [], answered: 1, last: true, ...changes },
  };
}

test('a part runs under a number that no client has, and its answer goes back', () => {
  parts.received(2, forward(7));
  const [part] = submitted;
  expect(part).toMatchObject({ bytes: Buffer.from('body'), leftMs: 50, groups: [OURS] });
  expect(part?.unit.connection).toBeLessThan(0);
  parts.answered(replies(part));
  expect(taken()).toMatchObject([[2, { type: 'ForwardReplies', id: 7, last: true }]]);
  expect(parts.size).toBe(0);
});

test('a frame that comes again runs nothing again', () => {
  parts.received(2, forward(7));
  parts.received(2, forward(7));
  parts.answered(replies(submitted[0]));
  parts.received(2, forward(7));
  parts.received(3, forward(7));
  expect([submitted.length, taken().length]).toEqual([2, 1]);
});

test('without room, or with slots of other groups, it is refused', () => {
  parts.received(2, forward(1, { participants: [100] }));
  for (const id of [2, 3, 4]) parts.received(2, forward(id));
  parts.answered(replies(submitted[0]));
  parts.received(2, forward(5, { body: Buffer.alloc(100) }));
  isTaken = false;
  parts.received(3, forward(6));
  expect(taken().flatMap(([, each]) => (each.type === 'ForwardRefused' ? each.id : []))).toEqual([
    1, 4, 5, 6,
  ]);
  expect(submitted.length).toBe(3);
});

test('credit reaches the store; what is over is given up there', () => {
  parts.received(2, forward(1));
  parts.received(2, forward(2, { waits: true }));
  const [long, waits] = submitted;
  parts.answered(replies(long, { last: false }));
  const waiting = { database: 0, keys: ['k'], type: 'list', again: undefined };
  parts.answered(replies(waits, { waiting }));
  parts.received(2, { type: 'ForwardCredit', id: 1, upTo: 9 });
  for (const id of [1, 2, 3]) parts.received(2, { type: 'ForwardOver', id });
  expect(flows).toEqual([
    { type: 'ReplyCredit', unit: long?.unit, part: 0, upTo: 9 },
    { type: 'RepliesAbandoned', unit: long?.unit, part: 0 },
    { type: 'StopWaiting', unit: waits?.unit },
  ]);
});

test('a peer whose link was lost is told what is lost with it', () => {
  parts.received(2, forward(1));
  parts.received(3, forward(1));
  parts.peerDown(2);
  parts.answered(replies(submitted[0], { last: false }));
  expect(flows.map(({ type }) => type)).toEqual(['RepliesAbandoned', 'RepliesAbandoned']);
  parts.onTick();
  expect(taken()).toEqual([]);
  parts.peerUp(2);
  expect(taken()).toEqual([
    [2, { type: 'ForwardsDropped', ids: [1] }],
    [2, { type: 'WaitsLost' }],
  ]);
  expect(parts.size).toBe(1);
});

test('an answer that does not leave is told as lost, and no more of them than parts may be open', () => {
  const ids = Array.from({ length: DROPPED_IDS_MAX + 1 }, (_, id) => id);
  const lost = (some: number[]): [number, ToEntry][] => [
    [3, { type: 'ForwardsDropped', ids: some }],
  ];
  hasRoom = false;
  parts.received(3, forward(1));
  parts.answered(replies(submitted[0]));
  hasRoom = true;
  parts.onTick();
  parts.onTick();
  expect(taken()).toEqual(lost([1]));
  parts.received(3, forward(2));
  const answer = { type: 'ForwardReplies', id: 2, body: Buffer.alloc(0), ...PLACES } as const;
  parts.notSent(3, [answer]);
  expect(flows.map(({ type }) => type)).toEqual(['RepliesAbandoned']);
  parts.onTick();
  expect(taken()).toEqual(lost([2]));
  parts.notSent(3, [{ type: 'ForwardsDropped', ids }]);
  parts.onTick();
  expect(taken()).toEqual(lost([0, 1]));
});

const PLACES = { from: 0, ends: [], errors: [], answered: 1, last: false };

test('news of keys go to those that are no members, writes to those that track them', () => {
  parts.received(3, { type: 'TracksWrites', isOn: true });
  parts.received(3, forward(8));
  const by = submitted[0]?.unit.connection;
  const keys = ['k'];
  parts.relay({ type: 'KeysWritten', group: OURS, keys, by });
  parts.relay({ type: 'KeysWritten', group: THEIRS, keys, by: 5 });
  parts.relay({ type: 'KeysReady', group: THEIRS, atUs: 1, keys: [] });
  const event = { channel: 'c', payload: 'p', isEverywhere: false };
  const events = [event, { ...event, isEverywhere: true }];
  parts.relay({ type: 'KeysChanged', group: OURS, events });
  parts.relay({ type: 'KeysChanged', group: OURS, events: events.slice(1) });
  parts.relay({ type: 'ScriptsLogged', lines: [] });
  expect(taken()).toEqual([
    [3, { type: 'KeysWritten', group: OURS, keys, by: 8 }],
    [3, { type: 'KeysWritten', group: THEIRS, keys, by: 0 }],
    [3, { type: 'KeysReady', group: THEIRS, atUs: 1, keys: [] }],
    [2, { type: 'KeysChanged', group: OURS, events: [event] }],
    [3, { type: 'KeysChanged', group: OURS, events: [event] }],
  ]);
  parts.peerDown(3);
  expect(tracks).toEqual([true, false, false].slice(0, tracks.length));
  expect(tracks.at(-1)).toBe(false);
});

test('a peer that was not told of written keys takes all for written', () => {
  parts.received(3, { type: 'TracksWrites', isOn: true });
  hasRoom = false;
  parts.relay({ type: 'KeysWritten', group: OURS, keys: ['k'], by: undefined });
  hasRoom = true;
  parts.onTick();
  expect(taken()).toEqual([[3, { type: 'WaitsLost' }]]);
});

test('when the actor ends, all peers are told', () => {
  parts.received(2, forward(1));
  parts.dropAll();
  expect(taken()).toEqual([[2, { type: 'ForwardsDropped', ids: [1] }]]);
});
