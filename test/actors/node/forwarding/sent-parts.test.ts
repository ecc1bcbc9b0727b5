import { beforeEach, describe, expect, test } from 'vitest';
import { noForwards } from '../../../../actors/node/forwarding/forwarding-counts.ts';
import type { ToEntry, ToMember } from '../../../../actors/node/forwarding/forwarding-message.ts';
import { SentParts } from '../../../../actors/node/forwarding/sent-parts.ts';
import { INDETERMINATE, REFUSED } from '../../../../actors/store/client-errors.ts';
import type { Part, StoreNews } from '../../../../transport/resp/connection/part.ts';

const GROUP = { range: 3, generation: 1 };
const MEMBERS = [2, 3, 4];
/** The first in the turn of range 3. */
const FIRST = 2;
const TIMEOUT_MS = 1_000;
const PARTS_MAX = 3;

const HERE = { range: 1, generation: 1 };
const ANOTHER = { range: 4, generation: 1 };

let here: Part[];
let nowMs: number;
let sent: [peer: number, message: ToMember][];
let told: StoreNews[];
let hasRoom: boolean;
let counts: ReturnType<typeof noForwards>;
let parts: SentParts;

beforeEach(() => {
  nowMs = 0;
  here = [];
  sent = [];
  told = [];
  hasRoom = true;
  counts = noForwards();
  parts = new SentParts({
    elsewhere: () => [GROUP],
    isElsewhere: ({ range }) => range !== HERE.range,
    submitHere: (part) => here.push(part) > 0,
    membersOf: () => MEMBERS,
    roundTripMs: () => Number.POSITIVE_INFINITY,
    nowMs: () => nowMs,
    timeoutMs: TIMEOUT_MS,
    ...{ partsMax: PARTS_MAX, bytesMax: 100, lastId: 10, counts },
    send: (peer, message) => {
      if (hasRoom) sent.push([peer, message]);
      return hasRoom;
    },
    toClients: (news) => told.push(news),
  });
});

function part(sequence: number, changes: Partial<Part> = {}): Part {
  return {
    unit: { connection: 7, sequence },
    ...{ part: 1, groups: [GROUP], bytes: Buffer.from('body'), count: 1, layout: [1] },
    ...{ protocol: 2, readOnly: false, readsFrom: 1, wholeStore: false, waits: false },
    ...{ participants: [5], window: 1_000, ...changes },
  };
}

/** Since the last call, without what is told of tracking. */
function taken(): string[] {
  const lines = sent.map(
    ([peer, { type, ...rest }]) => `${peer} ${type} ${'id' in rest ? rest.id : ''}`,
  );
  sent = [];
  return lines.filter((line) => !line.includes('TracksWrites'));
}

function answers(): unknown[] {
  const news = told.map((each) => {
    if (each.type === 'PartFailed') return each.line;
    return each.type === 'PartReplies' ? `replies ${each.replies.length}` : each.type;
  });
  told = [];
  return news;
}

function replies(id: number, changes: object = {}): ToEntry {
  const body = Buffer.from('+OK\r\n');
  const places = { from: 0, ends: [], errors: [], answered: 1, last: true };
  return { type: 'ForwardReplies', id, body, ...places, ...changes };
}

function up(...peers: number[]): void {
  for (const peer of peers) parts.peerUp(peer);
  taken();
  answers();
}

describe('a part of which this node is no member', () => {
  test('goes to one member, with the time that is left', () => {
    up(...MEMBERS);
    nowMs = 5;
    parts.submit(part(1));
    expect(sent).toMatchObject([[FIRST, { type: 'Forward', id: 11, leftMs: TIMEOUT_MS }]]);
    parts.received(FIRST, replies(11));
    expect(told).toMatchObject([
      { type: 'PartReplies', unit: { connection: 7, sequence: 1 }, part: 1, last: true },
    ]);
    expect(parts.size).toBe(0);
  });

  test('waits for a member to be connected, and not for ever', () => {
    parts.submit(part(1));
    nowMs = 400;
    parts.submit(part(2));
    expect([taken(), answers()]).toEqual([[], []]);
    nowMs = TIMEOUT_MS;
    parts.onTick();
    expect(answers()).toEqual([REFUSED.quorum]);
    parts.peerUp(4);
    expect(sent.at(-1)).toMatchObject([4, { type: 'Forward', leftMs: 400 }]);
  });

  test('is not given to the next one while it is under way, and is answered by that one alone', () => {
    up(...MEMBERS);
    parts.submit(part(1));
    taken();
    parts.received(3, replies(11));
    expect(answers()).toEqual([]);
    parts.received(FIRST, { type: 'ForwardFailed', id: 11, line: REFUSED.tooLarge });
    parts.received(FIRST, replies(11));
    expect(answers()).toEqual([REFUSED.tooLarge]);
  });
});

describe('a member that is lost', () => {
  test('leaves a write indeterminate', () => {
    up(...MEMBERS);
    parts.submit(part(1));
    taken();
    parts.peerDown(FIRST);
    expect(answers()).toContain(INDETERMINATE.member);
    expect([taken(), counts.indeterminate]).toEqual([[], 1]);
  });

  test('is told by itself, too', () => {
    up(...MEMBERS);
    parts.submit(part(1));
    parts.submit(part(2, { readOnly: true }));
    taken();
    parts.received(FIRST, { type: 'ForwardsDropped', ids: [11, 12, 99] });
    expect(answers()).toEqual([INDETERMINATE.member]);
    expect(taken()).toEqual(['3 Forward 13']);
  });

  test('lets a read go to another one, as another attempt', () => {
    up(...MEMBERS);
    parts.submit(part(1, { readOnly: true }));
    parts.peerDown(FIRST);
    expect(taken()).toEqual([`${FIRST} Forward 11`, '3 Forward 12']);
    parts.received(FIRST, replies(11));
    parts.received(3, replies(12));
    expect(answers()).toEqual(['WaitsLost', 'replies 5']);
    expect(counts).toMatchObject({ sent: 2, retried: 1 });
  });

  test('in the middle of a long answer loses the rest', () => {
    up(...MEMBERS);
    parts.submit(part(1, { readOnly: true }));
    parts.received(FIRST, replies(11, { last: false }));
    parts.peerDown(FIRST);
    expect(answers()).toEqual(['replies 5', 'WaitsLost', 'RepliesLost']);
  });
});

describe('a member that does not begin it', () => {
  test.each([
    ['has no room for it', { type: 'ForwardRefused', id: 11 } as const],
    ['says so', { type: 'ForwardFailed', id: 11, line: REFUSED.stopping } as const],
  ])('another one gets it, once it %s', (_why, refused) => {
    up(...MEMBERS);
    parts.submit(part(1));
    parts.received(FIRST, refused);
    expect(taken()).toEqual([`${FIRST} Forward 11`, '3 Forward 12']);
  });

  test('each is asked once; then the client hears of the last refusal', () => {
    up(...MEMBERS);
    parts.submit(part(1));
    for (const [at, peer] of [2, 3, 4].entries()) {
      parts.received(peer, { type: 'ForwardFailed', id: 11 + at, line: REFUSED.diskFull });
    }
    expect(answers()).toEqual([REFUSED.diskFull]);
  });

  test.each([INDETERMINATE.timeout, INDETERMINATE.restarted, REFUSED.moved])(
    'no other one gets what ended with: %s',
    (line) => {
      up(...MEMBERS);
      parts.submit(part(1));
      taken();
      parts.received(FIRST, { type: 'ForwardFailed', id: 11, line });
      expect([taken(), answers()]).toEqual([[], [line]]);
    },
  );

  test('what has not left goes to another one', () => {
    up(...MEMBERS);
    parts.submit(part(1));
    const [, message] = sent.at(-1) ?? [];
    parts.notSent(FIRST, message === undefined ? [] : [message]);
    expect(taken()).toEqual([`${FIRST} Forward 11`, '3 Forward 12']);
    hasRoom = false;
    parts.submit(part(2));
    expect(answers()).toEqual([REFUSED.busy]);
  });
});

describe('an answer in pieces', () => {
  test('passes on credit, and drops pieces that come again', () => {
    up(...MEMBERS);
    parts.submit(part(1));
    taken();
    const first = replies(11, { last: false });
    parts.received(FIRST, first);
    parts.received(FIRST, first);
    parts.flow({ type: 'ReplyCredit', unit: { connection: 7, sequence: 1 }, part: 1, upTo: 9 });
    expect(sent).toEqual([[FIRST, { type: 'ForwardCredit', id: 11, upTo: 9 }]]);
    parts.received(FIRST, replies(11, { from: 5 }));
    expect(answers()).toEqual(['replies 5', 'replies 5']);
  });

  test('of which one is missing ends the connection', () => {
    up(...MEMBERS);
    parts.submit(part(1));
    parts.received(FIRST, replies(11, { last: false }));
    parts.received(FIRST, replies(11, { from: 9 }));
    expect(answers()).toEqual(['replies 5', 'RepliesLost']);
  });

  test('that nobody reads is given up, here and there', () => {
    up(...MEMBERS);
    parts.submit(part(1));
    taken();
    parts.flow({ type: 'RepliesAbandoned', unit: { connection: 7, sequence: 1 }, part: 1 });
    parts.received(FIRST, replies(11, { last: false }));
    expect(taken()).toEqual([`${FIRST} ForwardOver 11`, `${FIRST} ForwardOver 11`]);
    expect(answers()).toEqual([]);
  });
});

describe('time and room', () => {
  test('a member may answer a little behind the deadline', () => {
    up(...MEMBERS);
    parts.submit(part(1));
    parts.submit(part(2, { readOnly: true }));
    nowMs = TIMEOUT_MS + 499;
    parts.onTick();
    expect(answers()).toEqual([]);
    nowMs += 1;
    parts.onTick();
    expect(answers()).toEqual([INDETERMINATE.timeout, REFUSED.read]);
    expect(taken().slice(-2)).toEqual([`${FIRST} ForwardOver 11`, `${FIRST} ForwardOver 12`]);
  });

  test('parts and bytes are bounded, but for a part alone', () => {
    up(...MEMBERS);
    parts.submit(part(1, { bytes: Buffer.alloc(1_000) }));
    parts.submit(part(2));
    expect(answers()).toEqual([REFUSED.busy]);
    parts.received(FIRST, replies(11));
    for (let sequence = 3; sequence <= 3 + PARTS_MAX; sequence += 1) parts.submit(part(sequence));
    expect(answers()).toEqual(['replies 5', REFUSED.busy]);
  });

  test('when this node ends, all are answered', () => {
    up(FIRST);
    parts.submit(part(1));
    parts.submit(part(2, { readOnly: true }));
    parts.failAll('waiting', 'under way');
    expect(answers()).toEqual(['under way', 'waiting']);
  });
});

describe('clients that wait', () => {
  const waiting = { database: 0, keys: ['k'], type: 'list', again: undefined };

  test('are taken back at the member, or try again when it is lost', () => {
    up(...MEMBERS);
    for (const connection of [7, 8]) {
      parts.submit(part(1, { unit: { connection, sequence: 1 }, waits: true }));
    }
    parts.received(FIRST, replies(11, { waiting }));
    parts.received(FIRST, replies(12, { waiting }));
    // Again: the wait goes on.
    parts.received(FIRST, replies(12, { waiting }));
    taken();
    parts.flow({ type: 'StopWaiting', unit: { connection: 7, sequence: 1 } });
    expect(taken()).toEqual([`${FIRST} ForwardOver 11`]);
    answers();
    parts.received(FIRST, { type: 'ForwardsDropped', ids: [11] });
    expect(answers()).toEqual([]);
    parts.received(FIRST, { type: 'ForwardsDropped', ids: [12] });
    expect(answers()).toEqual(['WaitsLost']);
  });

  test('a new attempt that finds nothing takes the place of the one before it', () => {
    up(...MEMBERS);
    parts.submit(part(1, { waits: true }));
    parts.received(FIRST, replies(11, { waiting }));
    parts.submit(part(2, { waits: true }));
    taken();
    parts.received(FIRST, replies(12, { waiting }));
    expect(taken()).toEqual([`${FIRST} ForwardOver 11`]);
  });

  test('may leave their place to another one', () => {
    up(...MEMBERS);
    parts.submit(part(1, { waits: true }));
    parts.received(FIRST, replies(11, { waiting }));
    taken();
    const to = { connection: 8, sequence: 3 };
    parts.flow({ type: 'PassWait', unit: { connection: 7, sequence: 1 }, to });
    parts.flow({ type: 'StopWaiting', unit: { connection: 7, sequence: 1 } });
    expect(taken()).toEqual([]);
    parts.flow({ type: 'StopWaiting', unit: to });
    expect(taken()).toEqual([`${FIRST} ForwardOver 11`]);
  });
});

describe('news of keys', () => {
  const written = { type: 'KeysWritten', group: GROUP, keys: ['k'], by: 11 } as const;
  const changed = { type: 'KeysChanged', group: GROUP, events: [] } as const;

  test('are taken from one member, and from all of keys that clients wait for', () => {
    up(...MEMBERS);
    parts.submit(part(1));
    for (const peer of MEMBERS) {
      parts.received(peer, written);
      parts.received(peer, changed);
    }
    expect(told).toEqual([
      { type: 'KeysWritten', group: GROUP, keys: ['k'], by: 7 },
      { type: 'KeysChanged', group: GROUP, events: [] },
    ]);
    answers();
    parts.received(4, { type: 'KeysReady', group: GROUP, atUs: 1, keys: [] });
    expect(answers()).toEqual(['KeysReady']);
  });

  test('may be missed where another member is followed, or has answered', () => {
    up(...MEMBERS);
    parts.flow({ type: 'TrackWrites', isOn: true });
    expect(sent).toEqual(MEMBERS.map((peer) => [peer, { type: 'TracksWrites', isOn: true }]));
    parts.submit(part(1, { readOnly: true }));
    parts.received(FIRST, { type: 'ForwardRefused', id: 11 });
    parts.received(3, replies(12));
    expect(answers()).toEqual(['replies 5', 'WaitsLost']);
    parts.peerDown(FIRST);
    expect(answers()).toEqual(['WaitsLost']);
    parts.received(3, changed);
    expect(answers()).toEqual(['KeysChanged']);
  });

  test('what could not be said of tracking is said again', () => {
    up(FIRST);
    hasRoom = false;
    parts.flow({ type: 'TrackWrites', isOn: true });
    hasRoom = true;
    parts.onTick();
    expect(sent).toEqual([[FIRST, { type: 'TracksWrites', isOn: true }]]);
  });
});

describe('a command that waits for keys of several groups', () => {
  const waiting = { database: 0, keys: ['k'], type: 'list', again: undefined };
  const several = (sequence: number, groups: Part['groups']): Part =>
    part(sequence, { waits: true, groups, participants: [5, 6] });

  test('is begun where a group is here, once a member of each other one has noted its keys', () => {
    up(...MEMBERS);
    parts.submit(several(1, [HERE, GROUP, ANOTHER]));
    expect(sent).toMatchObject([
      [FIRST, { type: 'Forward', groups: [GROUP], onlyNotes: true, participants: [] }],
      [3, { type: 'Forward', groups: [ANOTHER], onlyNotes: true, participants: [] }],
    ]);
    parts.received(3, replies(12, { waiting }));
    expect(here).toEqual([]);
    parts.received(FIRST, replies(11, { waiting }));
    expect(here).toMatchObject([{ groups: [HERE, GROUP, ANOTHER], isNoted: true, part: 1 }]);
    expect(answers()).toEqual([]);
    // They know of it until it has its answer, so the next attempt begins at once.
    taken();
    parts.submit(several(2, [HERE, GROUP, ANOTHER]));
    expect([taken(), here.length]).toEqual([[], 2]);
    parts.flow({ type: 'StopWaiting', unit: { connection: 7, sequence: 2 } });
    expect(taken()).toEqual(['3 ForwardOver 12', '2 ForwardOver 11']);
  });

  test('is handed to a member where none is here', () => {
    up(...MEMBERS);
    parts.submit(several(1, [GROUP, ANOTHER]));
    parts.received(3, replies(12, { waiting }));
    parts.received(FIRST, replies(11, { waiting }));
    expect(taken()).toEqual(['2 Forward 11', '3 Forward 12', '2 Forward 13']);
    parts.received(FIRST, replies(13, { waiting }));
    expect(answers()).toEqual(['replies 5']);
    parts.submit(several(2, [GROUP, ANOTHER]));
    parts.received(FIRST, replies(14, { waiting }));
    // The attempt before it is over, and what was noted stays.
    expect(taken()).toEqual(['2 Forward 14', '2 ForwardOver 13']);
  });

  test('is noted anew, and tried again, when a member that has noted it is lost', () => {
    up(...MEMBERS);
    parts.submit(several(1, [HERE, GROUP]));
    parts.received(FIRST, replies(11, { waiting }));
    // Its store has begun anew, or its range was divided.
    parts.received(FIRST, { type: 'WaitsLost' });
    expect(answers()).toEqual(['WaitsLost']);
    parts.submit(several(2, [HERE, GROUP]));
    expect(taken()).toEqual(['2 Forward 11', '2 ForwardOver 11', '2 Forward 12']);
    parts.received(FIRST, replies(12, { waiting }));
    parts.peerDown(FIRST);
    expect(answers()).toContain('WaitsLost');
    taken();
    parts.submit(several(3, [HERE, GROUP]));
    expect(taken()).toEqual(['3 Forward 13']);
  });

  test('goes on when it gets the place of another one while it is noted', () => {
    up(...MEMBERS);
    parts.submit(several(1, [HERE, GROUP]));
    parts.received(FIRST, replies(11, { waiting }));
    const to = { connection: 8, sequence: 1 };
    parts.submit({ ...several(1, [HERE, GROUP]), unit: to });
    parts.flow({ type: 'PassWait', unit: { connection: 7, sequence: 1 }, to });
    parts.received(FIRST, replies(12, { waiting }));
    expect(here.at(-1)?.unit).toEqual(to);
    taken();
    parts.flow({ type: 'StopWaiting', unit: to });
    expect(taken()).toEqual(['2 ForwardOver 11', '2 ForwardOver 12']);
  });

  test('is refused where it cannot be noted, and not noted for a client that is gone', () => {
    up(...MEMBERS);
    parts.submit(several(1, [HERE, GROUP, ANOTHER]));
    parts.received(FIRST, { type: 'ForwardFailed', id: 11, line: REFUSED.moved });
    expect(answers()).toEqual([REFUSED.moved]);
    taken();
    parts.received(3, replies(12, { waiting }));
    expect([taken(), here]).toEqual([['3 ForwardOver 12'], []]);
    parts.submit(several(2, [HERE, GROUP]));
    parts.flow({ type: 'StopWaiting', unit: { connection: 7, sequence: 2 } });
    taken();
    parts.received(FIRST, replies(13, { waiting }));
    expect([taken(), here]).toEqual([['2 ForwardOver 13'], []]);
  });
});
