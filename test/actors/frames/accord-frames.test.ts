/** Requests of the protocol as frames: they come back as they were, and damage is as good as loss. */
import { describe, expect, test } from 'vitest';
import { bareOkFrame } from '../../../actors/accord/messages/bare-ok.ts';
import { TIMESTAMP_BYTES, ZERO } from '../../../actors/accord/primitives/timestamp.ts';
import {
  type FramedRequest,
  isFramedRequest,
  NO_SLOT,
  probeFrame,
  readFrame,
  requestFrame,
  requestFrameBytes,
  requestKeyOf,
} from '../../../actors/frames/accord-frames.ts';
import {
  checkFrame,
  encodeBareOk,
  FRAME_HEADER_BYTES,
  frameGeneration,
  frameKind,
  frameSlot,
  sealFrame,
  writeSlot,
} from '../../../bpf/frame/frame.ts';
import { SLOTS_MAX } from '../../../bpf/frame/layout.ts';
import { key } from '../../bpf/support.ts';

const GROUP = { range: 1, generation: 1 };
const id = { hlc: 1_700_000_000_123_456, flags: 2, node: 3, store: 0 };
const ballot = { hlc: 1_700_000_000_999_999, flags: 0, node: 2, store: 0 };
const executeAt = { ...id, hlc: id.hlc + 5, node: 2 };
const bytes = (...values: number[]): Uint8Array => Buffer.from(values);
const deps = Buffer.alloc(40, 7);

const requests: readonly FramedRequest[] = [
  { type: 'PreAccept', id, slots: bytes(1, 2, 3, 4), deps, body: bytes(9, 9, 9) },
  { type: 'PreAccept', id, slots: null, deps: bytes(), body: bytes() },
  { type: 'PreAccept', id, slots: bytes(), deps: bytes(), body: bytes(5) },
  { type: 'Accept', id, ballot, executeAt, deps },
  { type: 'Accept', id, ballot: ZERO, executeAt, deps: bytes() },
  { type: 'Commit', id, ballot, executeAt, deps },
  { type: 'Stable', id, executeAt, deps },
];

function sealed(request: FramedRequest, slot = { slot: 77, generation: 2 ** 40 + 5 }): Buffer {
  const frame = requestFrame(request, 2, 1, GROUP);
  writeSlot(frame, slot, 3);
  sealFrame(frame, key);
  return frame;
}

describe('a request', () => {
  test.each(requests.map((request) => [request.type, request] as const))('%s', (_type, request) => {
    const frame = sealed(request);
    expect(frame.length).toBe(requestFrameBytes(request));
    expect(checkFrame(frame, key)).toBeUndefined();
    expect([frameSlot(frame), frameGeneration(frame)]).toEqual([77, 2 ** 40 + 5]);
    const content = readFrame(frame);
    expect(content).toMatchObject({ type: 'request', group: GROUP, message: request });
  });

  test('leaves the definition of an Accept behind', () => {
    const whole = { ...(requests[3] as FramedRequest), slots: bytes(1, 2), body: bytes(3) };
    expect(readFrame(sealed(whole))).toMatchObject({ message: requests[3] });
  });

  test('is named by its reply, and no other is', () => {
    const names = new Set<string>();
    for (const round of ['PreAccept', 'Accept', 'Commit'] as const) {
      for (const each of [ZERO, ballot]) {
        if (round === 'PreAccept' && each === ballot) continue;
        const message = { type: round, id, ballot: each, executeAt, deps, slots: null, body: deps };
        const content = readFrame(sealed(message as FramedRequest));
        if (content?.type !== 'request') throw new Error('not a request');
        expect(requestKeyOf(bareOkFrame({ round, id, ballot: each }))).toBe(content.replyKey);
        names.add(content.replyKey);
      }
    }
    expect(names.size).toBe(5);
  });
});

describe('a reply', () => {
  test.each([
    ['PreAccept', ZERO],
    ['Accept', ballot],
    ['Commit', ballot],
  ] as const)('to %s says what the member has said', (round, its) => {
    const request = { type: round, id, ballot: its, executeAt, deps, slots: null, body: deps };
    const reply = encodeBareOk(sealed(request as FramedRequest), 4, key);
    const message = bareOkFrame({ round, id, ballot: its });
    expect(readFrame(reply)).toEqual({ type: 'reply', group: GROUP, message });
  });
});

describe('frames without a message', () => {
  test('a probe has the size that was asked for, and an answer without one', () => {
    const frame = probeFrame(2, 1, 9, 500, key);
    expect([frame.length, readFrame(frame)]).toEqual([500, { type: 'probe' }]);
    const answer = encodeBareOk(frame, 4, key);
    expect(answer.length).toBe(FRAME_HEADER_BYTES);
    expect(readFrame(answer)).toEqual({ type: 'probeOk', count: 9 });
  });

  test('a frame of an unknown kind, or one cut short', () => {
    for (const request of requests) {
      const frame = sealed(request);
      if (request.type === 'PreAccept') continue;
      const cut = frame.subarray(0, FRAME_HEADER_BYTES + TIMESTAMP_BYTES - 1);
      expect(readFrame(cut)).toBeUndefined();
    }
    const [preAccept] = requests;
    const frame = sealed(preAccept as FramedRequest);
    // Deps that reach beyond the end.
    frame.writeUInt32BE(1_000, FRAME_HEADER_BYTES + 4);
    expect(readFrame(frame)).toBeUndefined();
    expect(readFrame(frame.subarray(0, FRAME_HEADER_BYTES + 3))).toBeUndefined();
    const stranger = sealed(requests[6] as FramedRequest);
    stranger[FRAME_HEADER_BYTES] = 99;
    expect(frameKind(stranger)).toBeGreaterThan(0);
    expect(readFrame(stranger)).toBeUndefined();
  });

  test('only small requests travel so, and no slot is beyond all slots', () => {
    expect(isFramedRequest({ type: 'CheckStatus', id })).toBe(false);
    expect(NO_SLOT.slot).toBeGreaterThanOrEqual(SLOTS_MAX);
  });
});
