/**
 * The peer link by itself, in virtual time: the frames of a turn, their limits, a network that
 * refuses them, damage, and the probes of the peer's clock.
 */
import { expect, test } from 'vitest';
import { MessageJudge } from '../../../actors/accord/messages/message-judge.ts';
import type { AccordMessage } from '../../../actors/accord/messages/messages.ts';
import { ClusterTime } from '../../../actors/accord/primitives/cluster-time.ts';
import { Inquiries } from '../../../actors/node/inquiries.ts';
import { type PeerLinkMessage, peerLinkActor } from '../../../actors/node/peer-link-actor.ts';
import { Router } from '../../../actors/node/router.ts';
import {
  type Orderers,
  SettingsWatch,
  TABLE_UNKNOWN,
} from '../../../actors/node/settings-watch.ts';
import type { ActorRef } from '../../../actors/runtime/actor-ref.ts';
import { ActorSystem } from '../../../actors/runtime/actor-system.ts';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import { Channel, decodeFrame, encodeFrame } from '../../../transport/peer/codec.ts';
import { VirtualScheduler } from '../../simulation/virtual-scheduler.ts';

const PEER = 2;
const GROUP = { range: 1, generation: 1 };
const OTHER = { range: 2, generation: 1 };
const NO_GROUP = { range: 0, generation: 0 };

interface Sent {
  readonly channel: number;
  readonly sections: ReadonlyArray<{ range: number; messages: readonly object[] }>;
}

const ORDERERS: Orderers = { view: 1, members: [new Set([1, PEER])], isMember: true };

class Bench {
  readonly scheduler = new VirtualScheduler();
  readonly settings = new SettingsWatch({
    connected: new Set([PEER]),
    ...{ self: 1, nodes: () => 2, orderers: () => ORDERERS },
    leaseMs: 2_000,
    onKnown: () => undefined,
    nowMs: () => this.scheduler.clock.monotonicMs(),
  });
  readonly inquiries = new Inquiries({
    send: (_peer, message) => this.link.tell({ type: 'SendInquiry', message }),
    nowMs: () => this.scheduler.clock.monotonicMs(),
    answer: (question, from, done) => {
      this.said.push(`asked by ${from}: ${Buffer.from(question).toString()}`);
      done(Buffer.from('answer'));
    },
  });
  readonly sent: Sent[] = [];
  readonly refused: string[] = [];
  readonly said: string[] = [];
  readonly link: ActorRef<PeerLinkMessage>;
  takes = true;
  readonly #system: ActorSystem;

  constructor() {
    const { scheduler } = this;
    const { clock } = scheduler;
    const onFailed = ({ error }: { readonly error: unknown }): void => {
      throw error;
    };
    const rng = new SeededRng(1);
    this.#system = new ActorSystem({ name: 'n', clock, rng, scheduler, onFailed });
    const judge = new MessageJudge({
      refusedMax: 2,
      disconnect: (_peer, reason) => this.said.push(`disconnect: ${reason}`),
      observe: { messageRefused: (_peer, type, reason) => this.refused.push(`${type} ${reason}`) },
    });
    const time = new ClusterTime({
      quorum: 2,
      wallUs: () => clock.wallUs(),
      monotonicMs: () => clock.monotonicMs(),
    });
    this.link = this.#system.root.child<PeerLinkMessage>({
      name: 'peer-2',
      shutdownMs: 100,
      mailboxMax: 10_000,
      start: (context) =>
        peerLinkActor(context, {
          peer: PEER,
          settings: this.settings,
          inquiries: this.inquiries,
          network: {
            start: () => undefined,
            send: (_peer, parts) => {
              if (this.takes) this.sent.push(decodeFrame(Buffer.concat(parts)) as Sent);
              return this.takes;
            },
            queuedBytes: () => 0,
            disconnect: () => undefined,
            close: () => undefined,
          },
          judge,
          router: new Router(judge, [], () => undefined),
          time,
          onNode: (peer, message) => this.said.push(`node ${peer}: ${message.type}`),
          age: () => ({ version: this.settings.version, epoch: 0, view: 1 }),
          onAgeTold: (peer, { epoch }) => this.said.push(`epoch ${peer}: ${epoch}`),
          onTick: () => undefined,
          onSnapshot: () => undefined,
          onForwarding: (peer, message) => this.said.push(`forwarding ${peer}: ${message.type}`),
          onNotForwarded: (peer, messages) =>
            this.said.push(`not sent to ${peer}: ${messages.map(({ type }) => type)}`),
          onPubSub: (peer, message) => this.said.push(`pubsub ${peer}: ${message.type}`),
          onClockCompared: (_peer, { offsetUs }) => this.said.push(`clock ${offsetUs}`),
          onUp: (peer) => this.said.push(`up ${peer}`),
          onDown: (peer, reason) => this.said.push(`down ${peer}: ${reason}`),
          onRefused: (peer, reason) => this.said.push(`refused ${peer}: ${reason}`),
        }),
    });
  }

  run(ms = 1): void {
    this.scheduler.run(this.scheduler.nowMs + ms);
  }

  /** Frames that the link has sent since the last call, without probes: groups and messages. */
  frames(): string[] {
    const frames = this.sent.filter(({ channel }) => channel === Channel.protocol);
    this.sent.length = 0;
    return frames.map(({ sections }) =>
      sections.map(({ range, messages }) => `${range}:${messages.length}`).join(' '),
    );
  }

  probes(): number[] {
    const admin = this.sent.filter(({ channel }) => channel === Channel.admin);
    this.sent.length = 0;
    return admin.flatMap(({ sections }) =>
      sections.flatMap(({ messages }) =>
        messages.flatMap((each) => {
          const { type, sentMs } = each as { readonly type: string; readonly sentMs: number };
          return type === 'ClockProbe' ? [sentMs] : [];
        }),
      ),
    );
  }

  receive(channel: Channel, message: object): void {
    const section = { ...(channel === Channel.admin ? NO_GROUP : GROUP), messages: [message] };
    const frame = Buffer.concat(encodeFrame(channel, [section]));
    this.link.tell({ type: 'Frame', frame });
    this.run();
  }

  describe(): unknown {
    const find = (each: unknown): unknown => {
      const {
        kind,
        description,
        children = [],
      } = each as {
        readonly kind: string;
        readonly description?: unknown;
        readonly children?: readonly unknown[];
      };
      return kind === 'actor' ? description : children.map(find).find((one) => one !== undefined);
    };
    return find(this.#system.inspect());
  }
}

function message(bodyBytes = 10): AccordMessage {
  const id = { hlc: 1, flags: 2, node: 1, store: 0 };
  const none = new Uint8Array(0);
  return { type: 'PreAccept', id, slots: none, deps: none, body: new Uint8Array(bodyBytes) };
}

test('the messages of a turn are one frame, in sections by group and in their order', () => {
  const bench = new Bench();
  for (const group of [GROUP, GROUP, OTHER, GROUP]) {
    bench.link.tell({ type: 'Send', group, message: message() });
  }
  bench.run();
  expect(bench.frames()).toEqual(['1:2 2:1 1:1']);
  bench.link.tell({ type: 'Send', group: OTHER, message: message() });
  bench.run();
  expect(bench.frames()).toEqual(['2:1']);
});

test('no frame has more than 1,024 messages (a turn has no more), or 8 MiB of content', () => {
  const bench = new Bench();
  for (let count = 0; count < 1_030; count += 1) {
    bench.link.tell({ type: 'Send', group: GROUP, message: message() });
  }
  bench.run();
  const counts = bench.frames().map((frame) => Number(frame.slice(2)));
  expect(Math.max(...counts)).toBeLessThanOrEqual(1_024);
  expect(counts.reduce((sum, count) => sum + count)).toBe(1_030);

  const bytes = 5 * 1024 * 1024;
  for (const size of [bytes, 10, bytes]) {
    bench.link.tell({ type: 'Send', group: GROUP, message: message(size) });
  }
  bench.run();
  expect(bench.frames()).toEqual(['1:2', '1:1']);
});

test('a frame that the network refuses is dropped and counted, and the next one goes out', () => {
  const bench = new Bench();
  bench.takes = false;
  for (let count = 0; count < 3; count += 1) {
    bench.link.tell({ type: 'Send', group: GROUP, message: message() });
  }
  bench.run();
  bench.takes = true;
  bench.link.tell({ type: 'Send', group: GROUP, message: message() });
  bench.run();
  expect(bench.frames()).toEqual(['1:1']);
  expect(bench.describe()).toMatchObject({ peer: PEER, dropped: 3, damaged: 0 });
});

test('an unreadable frame is counted and refused, and too many end the link', () => {
  const bench = new Bench();
  bench.link.tell({ type: 'Frame', frame: new Uint8Array([1, 2, 3]) });
  bench.run();
  expect([bench.refused, bench.said]).toEqual([['frame undecodable'], []]);
  bench.link.tell({ type: 'Frame', frame: new Uint8Array(40) });
  bench.run();
  expect(bench.describe()).toMatchObject({ damaged: 2 });
  expect(bench.said).toEqual([expect.stringContaining('disconnect: 2 of its messages')]);
});

test('a message for a group that is not here costs nothing but its count', () => {
  const bench = new Bench();
  bench.receive(Channel.protocol, message());
  expect(bench.describe()).toMatchObject({ unrouted: { channel: 0, group: 1 } });
  expect([bench.refused, bench.said]).toEqual([[], []]);
});

test('coming and going of the link is passed on with its reason', () => {
  const bench = new Bench();
  bench.link.tell({ type: 'Up' });
  bench.link.tell({ type: 'Down', reason: 'reset' });
  bench.link.tell({ type: 'Refused', reason: 'another cluster' });
  bench.run();
  expect(bench.said).toEqual(['up 2', 'down 2: reset', 'refused 2: another cluster']);
});

test('one probe of the clock is out at a time, and one without an answer is repeated', () => {
  const bench = new Bench();
  bench.link.tell({ type: 'Up' });
  bench.run();
  const [first] = bench.probes();
  expect(first).toBeDefined();
  bench.run(1_500);
  expect(bench.probes()).toEqual([]);
  bench.run(1_500);
  const [second, ...others] = bench.probes();
  expect([second !== undefined && second > (first ?? 0), others]).toEqual([true, []]);

  // An answer to the one that was given up says nothing any more.
  bench.settings.read(0);
  const wallUs = bench.scheduler.clock.wallUs();
  const answer = { type: 'ClockReading', wallUs, settings: 0, view: 1 };
  bench.receive(Channel.admin, { ...answer, sentMs: first });
  expect(bench.said).toEqual(['up 2']);
  expect([bench.settings.hasLease, bench.settings.hadLease]).toEqual([false, false]);
  bench.receive(Channel.admin, { ...answer, sentMs: second });
  expect([bench.settings.hasLease, bench.settings.hadLease]).toEqual([true, true]);
  expect(bench.said).toEqual(['up 2', expect.stringMatching(/^clock -?\d/)]);
  bench.run(600);
  expect(bench.probes()).toHaveLength(1);
});

test('a probe of the peer is answered; one without a time is refused', () => {
  const bench = new Bench();
  bench.receive(Channel.admin, { type: 'ClockProbe', sentMs: 7 });
  const reading = { type: 'ClockReading', sentMs: 7, settings: TABLE_UNKNOWN };
  const replies = bench.sent.flatMap(({ sections }) => sections.flatMap((each) => each.messages));
  expect(replies).toContainEqual(expect.objectContaining(reading));
  bench.receive(Channel.admin, { type: 'ClockProbe', sentMs: 'soon' });
  expect(bench.refused).toEqual(['unknown shape']);
});

test('a node without a first lease asks again as soon as a peer tells of its table', () => {
  const bench = new Bench();
  bench.link.tell({ type: 'Up' });
  bench.run();
  const answer = { type: 'ClockReading', view: 1, wallUs: bench.scheduler.clock.wallUs() };
  bench.settings.read(0);
  const unknown = { ...answer, settings: TABLE_UNKNOWN, sentMs: bench.probes()[0] };
  bench.receive(Channel.admin, unknown);
  const told = { type: 'SettingsVersion', version: 0, epoch: 1, view: 1 };
  bench.receive(Channel.admin, told);
  const [again] = bench.probes();
  expect(again).toBeDefined();
  bench.receive(Channel.admin, { ...answer, settings: 0, sentMs: again });
  bench.receive(Channel.admin, told);
  expect([bench.settings.hadLease, bench.probes()]).toEqual([true, []]);
});

test('tells how far it knows the settings of the cluster, again and again, and takes note', () => {
  const bench = new Bench();
  const tell = (message: PeerLinkMessage): void => {
    bench.link.tell(message);
    bench.run();
  };
  tell({ type: 'Up' });
  const told = (): number[] =>
    bench.sent
      .flatMap(({ sections }) => sections.flatMap(({ messages }) => messages as object[]))
      .flatMap((message) => ('version' in message ? [Number(message.version)] : []));
  tell({ type: 'SettingsChanged' });
  expect(told()).toEqual([]);
  bench.settings.changed({ version: 3, values: new Map() });
  tell({ type: 'SettingsChanged' });
  expect(told()).toEqual([3]);
  tell({ type: 'Probe' });
  expect(told()).toEqual([3, 3]);
  expect(bench.settings.isHeld(3)).toBe(false);
  bench.receive(Channel.admin, { type: 'SettingsVersion', version: 3, epoch: 2, view: 1 });
  expect(bench.settings.isHeld(3)).toBe(true);
  expect(bench.said).toContain('epoch 2: 2');
  bench.receive(Channel.admin, { type: 'SettingsVersion', version: 'x', epoch: 2, view: 1 });
  expect(bench.settings.isHeld(4)).toBe(false);
});

test('carries questions for people on the admin channel, and refuses what is none', () => {
  const bench = new Bench();
  const body = Buffer.from('who are you?');
  bench.receive(Channel.admin, { type: 'Inquiry', id: 5, body });
  bench.run();
  expect(bench.said).toEqual(['asked by 2: who are you?']);
  const sent = bench.sent.filter(({ channel }) => channel === Channel.admin);
  const messages = sent.flatMap(({ sections }) => sections.flatMap((each) => each.messages));
  const answer = { type: 'InquiryAnswer', id: 5, body: Buffer.from('answer') };
  expect(messages).toContainEqual(answer);
  bench.receive(Channel.admin, { type: 'Inquiry', id: 5 });
  bench.run();
  expect(bench.refused).toEqual(['unknown shape']);
});
