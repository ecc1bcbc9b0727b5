import { expect, test } from 'vitest';
import { forwardingMessageOf } from '../../../../actors/node/forwarding/forwarding-message.ts';
import { requestOf } from '../../../../storage/request.ts';
import { Channel, decodeFrame, encodeFrame } from '../../../../transport/peer/codec.ts';

const group = { range: 1, generation: 1 };
const FORWARD = {
  ...{ type: 'Forward', id: 1, leftMs: 4.5, groups: [group], count: 1, layout: [1], protocol: 3 },
  ...{ readOnly: true, readsFrom: 0, wholeStore: false, waits: false, participants: [65_535] },
  ...{ window: 10, body: requestOf(['GET', 'k']) },
};
const REPLIES = {
  ...{ type: 'ForwardReplies', id: 1, body: Buffer.from('+OK\r\n'), from: 0, ends: [1] },
  ...{ errors: [0], codes: ['ERR'], answered: 1, last: true },
  waiting: { database: 0, keys: ['\xff'], type: 'list', again: undefined },
};
const READY = { database: 0, key: 'k', type: 'list', added: 1, left: 1, isGone: false };
const SOUND: readonly object[] = [
  FORWARD,
  REPLIES,
  { type: 'ForwardRefused', id: 1 },
  { type: 'ForwardFailed', id: 1, line: 'ERR' },
  { type: 'ForwardLost', id: 1 },
  { type: 'ForwardCredit', id: 1, upTo: 2 },
  { type: 'ForwardOver', id: 1 },
  { type: 'ForwardsDropped', ids: [1, 2] },
  { type: 'TracksWrites', isOn: false },
  { type: 'KeysReady', group, atUs: 5, keys: [READY] },
  { type: 'KeysWritten', group, keys: ['k'], by: 0 },
  { type: 'KeysWritten', group, keys: 'all', by: 0 },
  { type: 'KeysChanged', group, events: [{ channel: 'c', payload: 'p', isEverywhere: false }] },
  { type: 'WaitsLost' },
];

test('all messages travel in a frame, and are sound behind it', () => {
  const frame = Buffer.concat(
    encodeFrame(Channel.forwarding, [{ range: 0, generation: 0, messages: SOUND }]),
  );
  const messages = decodeFrame(frame).sections.flatMap((section) => section.messages);
  expect(messages.map((each) => forwardingMessageOf(each))).toEqual(SOUND);
});

test.each([
  ['an unknown type', { type: 'toString' }],
  ['no id', { type: 'ForwardOver' }],
  ['no groups', { ...FORWARD, groups: [] }],
  ['a slot that is none', { ...FORWARD, participants: [65_536] }],
  ['half a command', { ...FORWARD, body: FORWARD.body.subarray(0, 9) }],
  ['a layout of other commands', { ...FORWARD, layout: [2] }],
  ['no time', { ...FORWARD, leftMs: Number.NaN }],
  ['another protocol', { ...FORWARD, protocol: 1 }],
  ['replies that are none', { ...REPLIES, body: 'OK' }],
  ['a wait for nothing', { ...REPLIES, waiting: {} }],
  ['an id that is none', { type: 'ForwardsDropped', ids: [-1] }],
  ['keys that are none', { type: 'KeysWritten', group, keys: [1], by: 0 }],
  ['no group', { type: 'KeysReady', group: null, atUs: 0, keys: [] }],
  [
    'an event that goes everywhere anyway',
    { type: 'KeysChanged', group, events: [{ channel: 'c', payload: 'p', isEverywhere: true }] },
  ],
  ['an event of nothing', { type: 'KeysChanged', group, events: [{}] }],
])('%s is refused', (_what, message) => {
  expect(forwardingMessageOf(message)).toBeUndefined();
});
