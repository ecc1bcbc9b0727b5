import { describe, expect, test } from 'vitest';
import type { Defect } from '../../../../actors/accord/messages/field-validation.ts';
import type { AccordMessage } from '../../../../actors/accord/messages/messages.ts';
import { MESSAGE_TYPES, MessageValidator } from '../../../../actors/accord/messages/validation.ts';
import { depsOf, encodeDeps } from '../../../../actors/accord/primitives/deps.ts';
import {
  encodeParticipants,
  participantsOf,
  WHOLE_STORE,
} from '../../../../actors/accord/primitives/participants.ts';
import { encodeSpanningBody } from '../../../../actors/accord/primitives/spanning-body.ts';
import { Status } from '../../../../actors/accord/primitives/status.ts';
import { rejected, type Timestamp, ZERO } from '../../../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../../../actors/accord/topology/group.ts';
import { firstGroup } from '../first-group.ts';

const SELF = 1;
const PEER = 2;
const NOW_US = 2 ** 50;
const HLC_US_MAX = NOW_US + 2 ** 41;
const group = new Group(firstGroup([1, 2, 3], [1, 2, 3]));
const OPTIONS = {
  self: SELF,
  group,
  nodes: new Set([1, 2, 3, 7]),
  limits: { bodyBytesMax: 100, idsMax: 3, aheadUsMax: 2 ** 41 },
  nowUs: () => NOW_US,
  isBody: (bytes: Uint8Array): boolean => bytes[0] !== 0xff,
};
const validator = new MessageValidator(OPTIONS);

function at(hlc: number, node = PEER, flags = 2): Timestamp {
  return { hlc, flags, node, store: 0 };
}

function idsOf(...ids: Timestamp[]): Uint8Array {
  return encodeDeps(depsOf(ids));
}

const id = at(1_000);
const own = at(1_000, SELF);
const executeAt = at(1_500, 3);
/** Of a recovery by the peer, and by this node. */
const ballot = at(2_000, PEER, 0);
const ownBallot = at(2_000, SELF, 0);
const before = at(3_000, 0, 0);
const base = at(500, 0, 0);
const deps = idsOf(at(900), at(900, 3), at(950, 1));
const definition = { slots: encodeParticipants(participantsOf([3, 700])), body: new Uint8Array(5) };
const recovered = {
  type: 'RecoverOk',
  id,
  ballot: ownBallot,
  status: Status.PreAccepted,
  accepted: ZERO,
  executeAt: at(1_200, PEER),
  coordinated: null,
  local: deps,
  votedFast: false,
  rejectsFastPath: false,
  wait: idsOf(at(1)),
  noWait: idsOf(),
  reads: null,
  ...definition,
} as const satisfies AccordMessage;

/** Over several groups: this one, and another one of which node 7 is a member. */
const SPANNING = 6;
const FAR_NODE = 7;
const several = at(1_000, FAR_NODE, SPANNING);
const ownSeveral = at(1_000, SELF, SPANNING);
const severalAt = at(1_500, FAR_NODE, SPANNING);
const severalDefinition = {
  slots: encodeParticipants(participantsOf([3])),
  body: encodeSpanningBody(
    [
      { group: group.id, participants: participantsOf([3]) },
      { group: { range: group.id.range + 1, generation: 4 }, participants: WHOLE_STORE },
    ],
    new Uint8Array(5),
  ),
};
const reads = new Uint8Array(9);
const farBallot = at(2_000, FAR_NODE, 0);

/** At least one sound message of each type. */
const SOUND: readonly AccordMessage[] = [
  { type: 'PreAccept', id, deps, ...definition },
  {
    type: 'PreAccept',
    id,
    deps: idsOf(),
    slots: encodeParticipants(WHOLE_STORE),
    body: definition.body,
  },
  { type: 'PreAcceptOk', id: own, vote: own, deps: null },
  { type: 'PreAcceptOk', id: own, vote: at(1_100, PEER), deps },
  { type: 'PreAcceptOk', id: own, vote: rejected(at(10, PEER)), deps },
  { type: 'Accept', id, ballot: ZERO, executeAt, deps },
  { type: 'Accept', id: own, ballot, executeAt, deps, ...definition },
  { type: 'AcceptOk', id: own, ballot: ZERO, deps },
  { type: 'AcceptOk', id, ballot: ownBallot, deps: idsOf() },
  { type: 'AcceptInvalidate', id, ballot: ZERO },
  { type: 'AcceptInvalidateOk', id: own, ballot: ZERO },
  { type: 'Commit', id, ballot, executeAt: id, deps },
  { type: 'CommitOk', id, ballot: ownBallot },
  { type: 'Stable', id: at(1_000, 3), executeAt, deps },
  { type: 'Stable', id, executeAt, deps, ...definition },
  { type: 'CommitInvalidate', id },
  { type: 'Nack', id, round: 'Commit', ballot: ownBallot, reason: 'promised', promised: ballot },
  { type: 'BeginRecovery', id: own, ballot },
  { type: 'BeginRecovery', id, ballot, ...definition },
  recovered,
  { ...recovered, executeAt: id, votedFast: true },
  { ...recovered, status: Status.Accepted, accepted: ballot, executeAt, coordinated: deps },
  { ...recovered, status: Status.Applied, executeAt, coordinated: deps, local: null },
  { type: 'CheckStatus', id },
  {
    type: 'StatusReply',
    id,
    status: Status.NotDefined,
    promised: ballot,
    accepted: ZERO,
    executeAt: null,
    deps: null,
    reads: null,
  },
  {
    type: 'StatusReply',
    id,
    status: Status.Stable,
    promised: ZERO,
    accepted: ZERO,
    executeAt,
    deps,
    reads: null,
    ...definition,
  },
  { type: 'ReadBarrier', token: 2 ** 40, redundantBefore: ZERO, after: ZERO },
  { type: 'ReadBarrierOk', token: 1, ids: deps, behind: false },
  { type: 'AppliedHint', ids: deps, redundantBefore: before, retains: true, asks: false },
  { type: 'RejectBefore', base: ZERO, before },
  { type: 'RejectBeforeOk', base, before, ids: deps, end: before },
  { type: 'AppliedList', base, before: id, ids: deps },
  { type: 'Fetch', ids: deps },
  { type: 'CatchUp', from: base },
  { type: 'Read', id: at(1_000, PEER, SPANNING), ballot: ZERO },
  { type: 'Read', id: several, ballot },
  { type: 'ReadOk', id: ownSeveral, ballot: ZERO, entries: reads, reads: null },
  { type: 'ReadOk', id: several, ballot: ownBallot, entries: null, reads },
  { type: 'Apply', id: several, ballot, executeAt: severalAt, deps, reads, ...severalDefinition },
  { type: 'ApplyOk', id: ownSeveral, ballot: ZERO },
  { type: 'InformDurable', id: several },
  { type: 'Stable', id: several, executeAt: severalAt, deps: idsOf(at(900), at(950, 7, 6)) },
];

function judge(message: object, from = PEER): Defect | undefined {
  return validator.judge(from, message);
}

function sound<T extends AccordMessage['type']>(type: T): Extract<AccordMessage, { type: T }> {
  return SOUND.find((message) => message.type === type) as Extract<AccordMessage, { type: T }>;
}

test('there is a sound message of each type, and all of them pass', () => {
  expect(new Set(SOUND.map(({ type }) => type))).toEqual(new Set(MESSAGE_TYPES));
  for (const message of SOUND) expect([message, judge(message)]).toEqual([message, undefined]);
});

describe('shape', () => {
  test('a field that is missing or nonsense, in every message', () => {
    for (const message of SOUND) {
      for (const field of Object.keys(message)) {
        for (const nonsense of [undefined, 'text', {}, [], 1.5, -1, Number.NaN]) {
          const wrong = { ...message, [field]: nonsense };
          expect([message.type, field, nonsense, judge(wrong) !== undefined]).toEqual([
            message.type,
            field,
            nonsense,
            true,
          ]);
        }
      }
    }
  });

  test('fields of a later release are taken off, up to a number of them', () => {
    const later = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`later${i}`, { of: i }]));
    for (const message of SOUND) {
      const taken = { ...message, ...later(16) };
      expect([judge(taken), taken]).toEqual([undefined, message]);
      expect(judge({ ...message, ...later(17) })).toBe('shape');
    }
  });

  test('half a definition', () => {
    for (const message of SOUND) {
      if (!('body' in message)) continue;
      const { body: _body, ...slotsOnly } = message;
      const { slots: _slots, ...bodyOnly } = message;
      expect(judge(slotsOnly)).toBeDefined();
      expect(judge(bodyOnly)).toBeDefined();
    }
  });

  test('types that peers do not send', () => {
    for (const type of [
      'Coordinate',
      'BeginRead',
      'LookAfter',
      'constructor',
      '__proto__',
      1,
      null,
    ]) {
      expect(judge({ type, id })).toBe('type');
    }
  });

  test('null for an id, a bound, a token', () => {
    expect(judge({ ...sound('PreAccept'), id: null })).toBe('shape');
    expect(judge({ ...sound('CatchUp'), from: null })).toBe('shape');
    expect(judge({ ...sound('ReadBarrier'), token: null })).toBe('shape');
  });
});

describe('transactions over several groups', () => {
  const preAccept = { type: 'PreAccept', id: several, deps: idsOf(), ...severalDefinition };

  test('are asked for by any node, and answered by members only', () => {
    expect(validator.judge(FAR_NODE, preAccept)).toBeUndefined();
    expect(validator.judge(8, preAccept)).toBe('sender');
    const read = { type: 'Read', id: several, ballot: farBallot };
    expect(validator.judge(FAR_NODE, read)).toBeUndefined();
    const answer = { type: 'ApplyOk', id: ownSeveral, ballot: ZERO };
    expect(validator.judge(FAR_NODE, answer)).toBe('sender');
    expect(validator.judge(FAR_NODE, { type: 'PreAccept', id, deps, ...definition })).toBe(
      'sender',
    );
  });

  test('name this group in their body, whose rest is commands', () => {
    const others = [4, 5].map((range) => {
      return { group: { range, generation: 1 }, participants: WHOLE_STORE } as const;
    });
    const elsewhere = encodeSpanningBody(others, new Uint8Array(5));
    expect(validator.judge(FAR_NODE, { ...preAccept, body: elsewhere })).toBe('encoding');
    const parts = [{ group: group.id, participants: WHOLE_STORE } as const, ...others];
    const nonsense = encodeSpanningBody(parts, Uint8Array.of(0xff));
    expect(validator.judge(FAR_NODE, { ...preAccept, body: nonsense })).toBe('encoding');
    expect(validator.judge(FAR_NODE, { ...preAccept, body: new Uint8Array(1) })).toBe('encoding');
    // One group alone has no such messages.
    expect(judge({ type: 'Read', id, ballot: ZERO })).toBe('sense');
    expect(judge({ type: 'InformDurable', id })).toBe('sense');
  });

  test('tell what was read from PreApplied on, and never before', () => {
    const fact = { promised: ZERO, accepted: ZERO, executeAt: severalAt, deps };
    const reply = { type: 'StatusReply', id: several, ...fact, ...severalDefinition };
    expect(judge({ ...reply, status: Status.PreApplied, reads })).toBeUndefined();
    expect(judge({ ...reply, status: Status.PreApplied, reads: null })).toBe('sense');
    expect(judge({ ...reply, status: Status.Stable, reads })).toBe('sense');
    const single = { ...fact, executeAt, id, ...definition, type: 'StatusReply' };
    expect(judge({ ...single, status: Status.Applied, reads })).toBe('sense');
    const both = { entries: reads, reads };
    expect(judge({ type: 'ReadOk', id: ownSeveral, ballot: ZERO, ...both })).toBe('sense');
  });
});

describe('timestamps', () => {
  test.each<[Defect, Partial<Timestamp>]>([
    ['member', { node: 9 }],
    ['member', { node: 0 }],
    ['range', { hlc: 0 }],
    ['range', { hlc: -5 }],
    ['range', { hlc: 1.5 }],
    ['range', { hlc: HLC_US_MAX + 1 }],
    ['range', { hlc: 2 ** 53 - 1 }],
    ['range', { hlc: Number.POSITIVE_INFINITY }],
    ['range', { flags: 0 }],
    ['range', { flags: 2 | 0x4000 }],
    ['range', { flags: 2 | 0x8000 }],
    ['range', { store: -1 }],
    ['range', { store: 0.5 }],
    ['range', { store: 2 ** 16 }],
  ])('%s: %j, alone and inside a list', (defect, changes) => {
    expect(judge({ type: 'CheckStatus', id: { ...id, ...changes } })).toBe(defect);
    const { hlc = 1 } = changes;
    // A list has no room for such values in its bytes.
    if (!Number.isSafeInteger(hlc) || hlc < 0 || 'store' in changes) return;
    expect(judge({ type: 'Fetch', ids: idsOf({ ...id, ...changes }) })).toBe(defect);
  });

  test('are believed up to a time that is far ahead of the clock', () => {
    expect(judge({ type: 'CheckStatus', id: at(HLC_US_MAX) })).toBeUndefined();
    expect(judge({ type: 'Fetch', ids: idsOf(at(HLC_US_MAX)) })).toBeUndefined();
    expect(judge({ type: 'CatchUp', from: at(HLC_US_MAX + 1, 0, 0) })).toBe('range');
  });

  test('a ballot has no kind, a bound may be one of no node', () => {
    expect(judge({ ...sound('AcceptInvalidate'), ballot: { ...ballot, flags: 2 } })).toBe('range');
    expect(judge({ type: 'CatchUp', from: at(5, 0, 2) })).toBe('member');
    expect(judge({ type: 'CatchUp', from: at(5, 9, 0) })).toBe('range');
    expect(judge({ type: 'CatchUp', from: { ...base, store: 1 } })).toBe('range');
  });
});

describe('encodings', () => {
  test('ids: two stores of a node have two ids of one time, in ascending order', () => {
    const [first, second] = [at(5), { ...at(5), store: 1 }];
    expect(judge({ type: 'Fetch', ids: idsOf(first, second) })).toBeUndefined();
    const turned = Buffer.concat([idsOf(second), idsOf(first)]);
    expect(judge({ type: 'Fetch', ids: turned })).toBe('encoding');
    expect(judge({ type: 'Fetch', ids: Buffer.concat([idsOf(second), idsOf(second)]) })).toBe(
      'encoding',
    );
  });

  test('slots: whole, ascending, without repeats', () => {
    const withSlots = (...bytes: number[]): Defect | undefined =>
      judge({ ...sound('PreAccept'), slots: Uint8Array.from(bytes) });
    expect(withSlots(1, 0, 2, 0)).toBeUndefined();
    expect(withSlots(1, 2, 3)).toBe('encoding');
    expect(withSlots(1, 0, 1, 0)).toBe('encoding');
    expect(withSlots(0, 1, 1, 0)).toBe('encoding');
  });

  test('slots: those of the group alone', () => {
    // Redis slots 64 to 128: the conflict slots 256 to 512.
    const descriptor = {
      ...firstGroup([SELF, PEER, 3], [SELF, PEER, 3]),
      fromSlot: 64,
      toSlot: 128,
    };
    const others = new MessageValidator({ ...OPTIONS, group: new Group(descriptor) });
    const withSlots = (...slots: number[]): Defect | undefined => {
      const encoded = encodeParticipants(participantsOf(slots));
      return others.judge(PEER, { ...sound('PreAccept'), slots: encoded });
    };
    expect(withSlots(256, 300, 511)).toBeUndefined();
    expect(withSlots()).toBeUndefined();
    expect(withSlots(255, 256)).toBe('range');
    expect(withSlots(511, 512)).toBe('range');
    expect(others.judge(PEER, { ...sound('PreAccept'), slots: null })).toBeUndefined();
  });

  test('ids: whole, ascending, without repeats, not too many', () => {
    const one = idsOf(at(900));
    const two = idsOf(at(950));
    expect(judge({ type: 'Fetch', ids: Buffer.concat([one, two]) })).toBeUndefined();
    expect(judge({ type: 'Fetch', ids: Buffer.concat([two, one]) })).toBe('encoding');
    expect(judge({ type: 'Fetch', ids: Buffer.concat([one, one]) })).toBe('encoding');
    expect(judge({ type: 'Fetch', ids: one.subarray(1) })).toBe('encoding');
    expect(judge({ type: 'Fetch', ids: idsOf(at(1), at(2), at(3), at(4)) })).toBe('size');
    const later = idsOf(at(2 ** 40, 1), at(2 ** 40, 2), at(2 ** 40 + 2 ** 32, 1));
    expect(judge({ type: 'Fetch', ids: later })).toBeUndefined();
  });

  test('commands: whole, not too many bytes', () => {
    expect(judge({ ...sound('PreAccept'), body: Uint8Array.from([0xff]) })).toBe('encoding');
    expect(judge({ ...sound('PreAccept'), body: new Uint8Array(101) })).toBe('size');
  });
});

describe('permitted senders', () => {
  test('members only, and not this node itself', () => {
    expect(judge(sound('CheckStatus'), 9)).toBe('sender');
    expect(judge(sound('CheckStatus'), SELF)).toBe('sender');
  });

  test('requests come from the owner of the ballot, answers go to it', () => {
    for (const type of ['PreAccept', 'Accept', 'AcceptInvalidate', 'Commit'] as const) {
      expect([type, judge(sound(type), 3)]).toEqual([type, 'sender']);
    }
    expect(judge({ ...sound('AcceptInvalidate'), id: own, ballot })).toBeUndefined();
    expect(judge({ ...sound('AcceptInvalidate'), id: own })).toBe('sender');
    expect(judge({ ...sound('BeginRecovery'), ballot: ownBallot })).toBe('sender');
    expect(judge({ ...sound('BeginRecovery'), id, ballot: ZERO })).toBe('sense');
    for (const type of [
      'AcceptOk',
      'AcceptInvalidateOk',
      'CommitOk',
      'Nack',
      'RecoverOk',
    ] as const) {
      expect([type, judge({ ...sound(type), id, ballot })]).toEqual([type, 'sender']);
    }
    expect(judge({ ...sound('PreAcceptOk'), id, vote: id })).toBe('sender');
  });

  test('a vote is t0 or a time of the voter, later unless it refuses', () => {
    const ok = sound('PreAcceptOk');
    expect(judge({ ...ok, vote: at(1_100, 3) })).toBe('sender');
    expect(judge({ ...ok, vote: at(900, PEER) })).toBe('sense');
    expect(judge({ ...ok, vote: rejected(own) })).toBe('sense');
    expect(judge({ ...recovered, executeAt: at(1_200, 3) })).toBe('sender');
  });

  test('facts come from anybody, of anybody', () => {
    expect(judge(sound('Stable'), 3)).toBeUndefined();
    expect(judge({ type: 'CommitInvalidate', id: at(1, 3) })).toBeUndefined();
  });
});

describe('fields that must agree', () => {
  test('nothing executes before its t0, nor depends on what is not below it', () => {
    for (const type of ['Accept', 'Commit', 'Stable'] as const) {
      expect(judge({ ...sound(type), executeAt: at(999) })).toBe('sense');
      expect(judge({ ...sound(type), executeAt: severalAt })).toBe('sense');
      expect(judge({ ...sound(type), deps: idsOf(executeAt) })).toBe('sense');
    }
    expect(judge({ ...sound('PreAccept'), deps: idsOf(id) })).toBe('sense');
    expect(judge({ ...sound('PreAcceptOk'), deps: idsOf(at(1_001)) })).toBe('sense');
  });

  test('a recovery reply has all its fields', () => {
    const accepted = { ...recovered, status: Status.Accepted, executeAt, coordinated: deps };
    expect(judge({ ...accepted, executeAt: null })).toBe('sense');
    expect(judge({ ...accepted, executeAt: rejected(executeAt) })).toBe('sense');
    expect(judge({ ...accepted, coordinated: null })).toBe('sense');
    expect(judge({ ...accepted, local: null })).toBe('sense');
    expect(judge({ ...recovered, votedFast: true })).toBe('sense');
    expect(judge({ ...recovered, executeAt: null })).toBe('sense');
    expect(judge({ ...recovered, status: Status.Truncated })).toBe('sense');
    const { slots: _slots, body: _body, ...undefinedOne } = recovered;
    expect(judge(undefinedOne)).toBe('sense');
    expect(judge({ ...undefinedOne, status: Status.AcceptedInvalidate })).toBeUndefined();
  });

  test('a status is told with all that belongs to it, and with nothing else', () => {
    const [unknown, stable] = SOUND.filter(({ type }) => type === 'StatusReply');
    expect(judge({ ...unknown, deps })).toBe('sense');
    expect(judge({ ...unknown, executeAt })).toBe('sense');
    expect(judge({ ...unknown, status: Status.Applied })).toBe('sense');
    expect(judge({ ...stable, deps: null })).toBe('sense');
    expect(judge({ ...stable, status: Status.Committed })).toBe('sense');
    expect(judge({ ...unknown, status: 10 })).toBe('range');
  });

  test('lists lie within their bounds', () => {
    expect(judge({ ...sound('RejectBefore'), base: before })).toBe('sense');
    expect(judge({ ...sound('RejectBeforeOk'), base: at(901, 0, 0) })).toBe('sense');
    expect(judge({ ...sound('RejectBeforeOk'), end: base })).toBe('sense');
    expect(judge({ ...sound('RejectBeforeOk'), before: base })).toBe('sense');
    expect(judge({ ...sound('AppliedList'), before: at(950, 0, 0) })).toBe('sense');
    expect(judge({ ...sound('AppliedList'), base: id })).toBe('sense');
  });
});
