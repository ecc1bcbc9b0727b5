/** A node among the others: what it tells, asks for, and hands out. */
import { expect, test } from 'vitest';
import { apply } from '../../../actors/meta/apply.ts';
import type { MetaState } from '../../../actors/meta/meta-state.ts';
import { Membership } from '../../../actors/node/membership.ts';
import {
  type Announcement,
  type MembershipMessage,
  nodeMessageOf,
  type TableAge,
} from '../../../actors/node/node-messages.ts';
import { type ClusterSettings, NO_SETTINGS } from '../../../storage/cluster-settings.ts';
import { FORM } from '../meta/form-sample.ts';

const AT = { hlc: 1, flags: 2, node: 1, store: 0 };
const PLACES = { host: 'h', port: 1, redis: 'h:2', admin: 'h:3', version: '1', behaviourMax: 1 };

function announced(incarnation: number, port = 1): Announcement {
  return { ...PLACES, port, incarnation };
}

class Bench {
  readonly sent: [peer: number, message: MembershipMessage][] = [];
  readonly tables: ClusterSettings[] = [];
  readonly places: string[] = [];
  readonly connected = new Set<number>([1, 2, 3]);
  state: MetaState | undefined = apply(undefined, FORM, AT).state;
  nowMs = 0;
  isMember: boolean;
  readonly membership: Membership;

  constructor(self: number) {
    this.connected.delete(self);
    this.isMember = self <= 3;
    this.membership = new Membership({
      ...{ self, announcement: announced(5), members: () => [1, 2, 3] },
      isMember: () => this.isMember,
      connected: this.connected,
      state: () => this.state,
      send: (peer, message) => this.sent.push([peer, message]),
      onTable: (table) => this.tables.push(table),
      onPlace: (peer, { port }) => this.places.push(`${peer} at ${port}`),
      nowMs: () => this.nowMs,
    });
  }

  tell(age: TableAge): MembershipMessage[] {
    this.sent.length = 0;
    this.membership.ageTold(2, age);
    return this.sent.map(([, message]) => message);
  }

  receive(peer: number, message: MembershipMessage): void {
    this.membership.received(peer, message);
  }
}

const TABLE = { type: 'Table', version: 3, values: [['maxmemory-policy', 'x']] } as const;

test('a node that orders no changes asks whoever knows a newer table, one at a time', () => {
  const bench = new Bench(4);
  const wanted = { type: 'TableWanted', version: 0, epoch: 1, view: 1 };
  expect(bench.tell({ version: 0, epoch: 1, view: 1 })).toEqual([]);
  expect(bench.tell({ version: 0, epoch: 2, view: 1 })).toEqual([wanted]);
  expect(bench.tell({ version: 1, epoch: 2, view: 1 })).toEqual([]);
  bench.nowMs = 500;
  expect(bench.tell({ version: 1, epoch: 1, view: 1 })).toEqual([wanted]);
  bench.receive(2, TABLE);
  expect(bench.tables).toEqual([{ version: 3, values: new Map(TABLE.values) }]);
  bench.membership.has(bench.tables[0] as ClusterSettings);
  expect(bench.tell({ version: 3, epoch: 1, view: 1 })).toEqual([]);
  expect(bench.tell({ version: 4, epoch: 1, view: 1 })).toHaveLength(1);
});

test('a member of the meta group has the table by its order alone', () => {
  const bench = new Bench(1);
  expect(bench.tell({ version: 9, epoch: 9, view: 1 })).toEqual([]);
  bench.receive(2, TABLE);
  expect(bench.tables).toEqual([]);
});

test('a member that a peer is a generation ahead of asks for the table: it may be replaced', () => {
  const bench = new Bench(1);
  expect(bench.tell({ version: 9, epoch: 9, view: 2 })).toEqual([
    { type: 'TableWanted', version: 0, epoch: 1, view: 1 },
  ]);
  bench.receive(2, TABLE);
  expect(bench.tables).toHaveLength(1);
  bench.receive(2, TABLE);
  expect(bench.tables).toHaveLength(1);
  // From then on it is like any other node that is none.
  bench.isMember = false;
  expect(bench.tell({ version: 0, epoch: 2, view: 1 })).toHaveLength(1);
});

test('any node hands out a table that is newer than the asked one', () => {
  const bench = new Bench(4);
  bench.membership.has({ ...NO_SETTINGS, version: 2 });
  bench.receive(5, { type: 'TableWanted', version: 1, epoch: 1, view: 1 });
  expect(bench.sent).toEqual([[5, { type: 'Table', version: 2, values: [] }]]);
  bench.receive(5, { type: 'TableWanted', version: 2, epoch: 1, view: 1 });
  expect(bench.sent).toHaveLength(1);
});

test('what nodes tell of themselves is due until the topology shows it', () => {
  const bench = new Bench(1);
  const told = { type: 'NodeAnnounced', ...announced(7, 70) } as const;
  bench.receive(2, told);
  expect(bench.places).toEqual(['2 at 70']);
  for (const id of [1, 2]) {
    const command = bench.membership.due;
    expect(command).toMatchObject({ type: 'NodeStarted', id });
    bench.state = command && apply(bench.state, command, AT).state;
  }
  expect(bench.membership.due).toBeUndefined();
  // An older start says nothing any more.
  bench.receive(2, { ...told, incarnation: 6, port: 60 });
  expect(bench.places).toHaveLength(1);
  expect(bench.membership.due).toBeUndefined();
  bench.receive(2, { ...told, incarnation: 8, port: 80 });
  expect(bench.membership.due).toMatchObject({ id: 2, incarnation: 8, port: 80 });
});

test('a node outside the meta group tells a member of it, until it is recorded', () => {
  const bench = new Bench(4);
  bench.membership.onTick();
  // It has not joined, as far as it knows.
  expect(bench.sent).toEqual([]);
  const join = { type: 'Join', joinId: 'a'.repeat(32), ...PLACES } as const;
  bench.state = apply(bench.state, join, AT).state;
  bench.membership.onTick();
  bench.membership.onTick();
  expect(bench.sent.map(([peer, { type }]) => [peer, type])).toEqual([[1, 'NodeAnnounced']]);
  bench.nowMs = 1_000;
  bench.connected.delete(1);
  bench.membership.onTick();
  expect(bench.sent.map(([peer]) => peer)).toEqual([1, 2]);
  const { due } = bench.membership;
  bench.state = due && apply(bench.state, due, AT).state;
  bench.nowMs = 2_000;
  bench.membership.onTick();
  expect(bench.sent).toHaveLength(2);
});

test.each([
  ['an age of nothing', { type: 'TableWanted', version: 1 }],
  ['an age below zero', { type: 'TableWanted', version: -1, epoch: 0, view: 1 }],
  ['a row of one part', { type: 'Table', version: 1, values: [['x']] }],
  ['a row of numbers', { type: 'Table', version: 1, values: [[1, 2]] }],
  ['a table of no rows', { type: 'Table', version: 1, values: 'x' }],
  ['no address', { type: 'NodeAnnounced', ...announced(1), host: '' }],
  ['no incarnation', { type: 'NodeAnnounced', ...announced(0.5) }],
  ['another type', { type: 'Else' }],
])('a message with %s is not sound', (_what, message) => {
  expect(nodeMessageOf(message)).toBeUndefined();
});
