/**
 * The quorum actor by itself: what goes as a frame and what over the link, who answers how, the
 * order of large and small, and what happens at its limits. The path is a list of what was sent.
 */
import { afterEach, describe, expect, test } from 'vitest';
import { bareOkFrame } from '../../../actors/accord/messages/bare-ok.ts';
import { MessageJudge } from '../../../actors/accord/messages/message-judge.ts';
import type { AccordMessage, PreAccept } from '../../../actors/accord/messages/messages.ts';
import { MessageValidator } from '../../../actors/accord/messages/validation.ts';
import { ZERO } from '../../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../../actors/accord/topology/group.ts';
import {
  NO_SLOT,
  probeFrame,
  readFrame,
  requestFrame,
} from '../../../actors/frames/accord-frames.ts';
import {
  type QuorumActorMessage,
  quorumActor,
  REQUEST_BYTES_MAX,
  REQUESTS_MAX,
} from '../../../actors/frames/quorum-actor.ts';
import { VoteSlots } from '../../../actors/frames/vote-slots.ts';
import type { ActorRef } from '../../../actors/runtime/actor-ref.ts';
import { ActorSystem } from '../../../actors/runtime/actor-system.ts';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import { TraceRecorder } from '../../../actors/runtime/trace/trace-recorder.ts';
import { UserspaceQuorumNotifier } from '../../../bpf/count/quorum-notifier.ts';
import {
  encodeBareOk,
  FRAME_HEADER_BYTES,
  frameSlot,
  sealFrame,
  writeSlot,
} from '../../../bpf/frame/frame.ts';
import type { FramePath } from '../../../bpf/path/frame-path.ts';
import { key } from '../../bpf/support.ts';
import { VirtualScheduler } from '../../simulation/virtual-scheduler.ts';
import { firstGroup } from '../accord/first-group.ts';

const SELF = 1;
const group = new Group(firstGroup([1, 2, 3], [1, 2, 3]));
let hlc = 1;

function preAccept(bodyBytes = 10): PreAccept {
  hlc += 1;
  const id = { hlc, flags: 2, node: SELF, store: 0 };
  const none = new Uint8Array(0);
  return { type: 'PreAccept', id, slots: none, deps: none, body: new Uint8Array(bodyBytes) };
}

interface Told {
  readonly type: string;
  readonly answers?: readonly unknown[];
}

class Bench {
  readonly scheduler = new VirtualScheduler();
  readonly toAll: Uint8Array[] = [];
  readonly toOne: Array<readonly [sender: number, frame: Uint8Array]> = [];
  readonly links: Array<readonly [peer: number, type: string]> = [];
  readonly delivered: Array<readonly [from: number, message: object]> = [];
  readonly told: Told[] = [];
  readonly notifier = new UserspaceQuorumNotifier({ firstGeneration: 1 });
  readonly slots = new VoteSlots(group, SELF);
  readonly actor: ActorRef<QuorumActorMessage>;
  closed = 0;
  readonly disconnected: Array<[peer: number, reason: string]> = [];
  takesRequests = true;
  /** Paths that are asked for, where they do not open at once. */
  readonly openings: Array<() => void> = [];
  readonly #system: ActorSystem;

  constructor(opensLater = false) {
    const { clock } = this.scheduler;
    this.#system = new ActorSystem({
      name: 'node-1',
      clock,
      rng: new SeededRng(1),
      scheduler: this.scheduler,
      recorder: new TraceRecorder({ clock, node: SELF }),
      onFailed: ({ error }) => {
        throw error;
      },
    });
    const path: FramePath = {
      notifier: this.notifier,
      key: () => key,
      frameBytesMax: 1_472,
      sendGroup: (frame) => {
        this.toAll.push(Buffer.from(frame));
        return this.takesRequests;
      },
      send: (frame, sender) => {
        this.toOne.push([sender, Buffer.from(frame)]);
        return true;
      },
      refresh: () => undefined,
      close: () => {
        this.closed += 1;
      },
    };
    const coordinator = {
      path: 'coordinator',
      tell: (message: Told) => {
        this.told.push(message);
        return true;
      },
    };
    const judge = new MessageJudge({
      refusedMax: 1,
      disconnect: (peer, reason) => void this.disconnected.push([peer, reason]),
      observe: {},
    });
    const validator = new MessageValidator({
      self: SELF,
      group,
      nowUs: () => 1e15,
      isBody: () => true,
    });
    this.actor = this.#system.root.child<QuorumActorMessage>({
      name: 'quorum',
      shutdownMs: 100,
      mailboxMax: 100_000,
      start: (context) =>
        quorumActor(context, {
          self: SELF,
          groups: () => [{ id: group.id, slots: this.slots, coordinator }],
          source: {
            members: group.members,
            open: (_onFrame, onOpened) => {
              if (opensLater) this.openings.push(() => onOpened(path));
              else onOpened(path);
            },
          },
          connected: () => new Set([2, 3]),
          deliver: (from, _group, message) => {
            const isSound = judge.accepts(validator, from, message);
            if (isSound) this.delivered.push([from, message]);
            return isSound;
          },
          toLink: (peer, _group, message) => void this.links.push([peer, message.type]),
          observe: {},
        }),
    });
    this.run(1);
  }

  run(ms: number): void {
    this.scheduler.run(this.scheduler.nowMs + ms);
  }

  /** The members answer probes; `peers` of them. */
  hear(...peers: number[]): void {
    for (const peer of peers) {
      const sender = peer - 1;
      const frame = encodeBareOk(probeFrame(0, 1, 1, 200, key), sender, key);
      this.actor.tell({ type: 'Frame', frame, sender });
    }
    this.run(1);
    this.toOne.length = 0;
  }

  send(message: AccordMessage, ...to: number[]): void {
    for (const peer of to) this.actor.tell({ type: 'Send', group: group.id, to: peer, message });
    this.run(1);
  }

  vote(peer: number, request: Uint8Array): void {
    this.notifier.receive(encodeBareOk(request, peer - 1, key));
    this.notifier.flush();
    this.run(1);
  }

  stop(): void {
    this.#system.shutdown([this.#system.stopActorsPhase(1_000)], () => undefined);
    this.run(2_000);
  }
}

let bench = new Bench();
afterEach(() => {
  bench.stop();
  bench = new Bench();
});

describe('requests', () => {
  test('travel over the links until the members have answered a probe, and after silence', () => {
    bench.send(preAccept(), 2, 3);
    expect([bench.toAll.length, bench.links.length]).toEqual([0, 2]);
    bench.hear(2, 3);
    bench.send(preAccept(), 2, 3);
    expect([bench.toAll.length, bench.links.length]).toEqual([1, 2]);
    bench.run(5_000);
    bench.send(preAccept(), 2, 3);
    expect([bench.toAll.length, bench.links.length]).toEqual([1, 4]);
  });

  test('are probed for at full size', () => {
    const probes = bench.toOne.filter(([, frame]) => readFrame(frame)?.type === 'probe');
    expect(probes.map(([sender, frame]) => [sender, frame.length])).toEqual([
      [1, 1_472],
      [2, 1_472],
    ]);
  });

  test('a member without frames gets the message by its link, the others frames', () => {
    bench.hear(3);
    bench.send(preAccept(), 2, 3);
    expect(bench.toAll).toEqual([]);
    expect(bench.toOne.map(([sender]) => sender)).toEqual([2]);
    expect(bench.links).toEqual([[2, 'PreAccept']]);
  });

  test('a member that is down does not hinder the others', () => {
    bench.hear(2, 3);
    bench.actor.tell({ type: 'PeerDown', peer: 3 });
    bench.send(preAccept(), 2, 3);
    expect([bench.toAll.length, bench.links.length]).toEqual([1, 0]);
  });

  test('a repetition, and one to some members only, travel over the links', () => {
    bench.hear(2, 3);
    const message = preAccept();
    bench.send(message, 2, 3);
    bench.send(message, 2, 3);
    bench.send(preAccept(), 3);
    expect(bench.toAll).toHaveLength(1);
    expect(bench.links.map(([peer]) => peer)).toEqual([2, 3, 3]);
  });

  test('small ones do not overtake a large one before it is answered or late', () => {
    bench.hear(2, 3);
    const large = preAccept(REQUEST_BYTES_MAX);
    bench.send(large, 2, 3);
    bench.send(preAccept(), 2, 3);
    expect([bench.toAll.length, bench.links.length]).toEqual([0, 4]);
    const { id } = large;
    bench.send({ type: 'Stable', id, executeAt: id, deps: new Uint8Array(0) }, 2, 3);
    bench.send(preAccept(), 2, 3);
    // The Stable stays on the way of its transaction.
    expect([bench.toAll.length, bench.links.length]).toEqual([1, 6]);
    bench.send(preAccept(REQUEST_BYTES_MAX), 2, 3);
    bench.run(600);
    bench.send(preAccept(), 2, 3);
    expect(bench.toAll).toHaveLength(2);
  });

  test('a frame that the path does not take goes over the links', () => {
    bench.hear(2, 3);
    bench.takesRequests = false;
    bench.send(preAccept(), 2, 3);
    expect(bench.links).toHaveLength(2);
  });

  test('a Stable goes as a frame, without the definition, when its PreAccept did; else by link', () => {
    bench.hear(2, 3);
    const known = preAccept();
    bench.send(known, 2, 3);
    const { id, slots, body } = known;
    const stable = { type: 'Stable', id, executeAt: id, deps: Buffer.alloc(0) } as const;
    bench.actor.tell({ type: 'Send', group: group.id, to: 2, message: stable });
    bench.actor.tell({ type: 'Send', group: group.id, to: 3, message: { ...stable, slots, body } });
    bench.run(1);
    expect(bench.toAll).toHaveLength(2);
    expect(readFrame(bench.toAll[1] as Uint8Array)).toMatchObject({ message: stable });
    const unknown = { ...stable, id: preAccept().id };
    bench.send(unknown, 2, 3);
    bench.send({ ...unknown, slots, body }, 2, 3);
    expect(bench.toAll).toHaveLength(2);
    expect(bench.links.map(([peer]) => peer)).toEqual([2, 3, 2, 3]);
  });
});

describe('votes', () => {
  test('a quorum becomes one message; without one in time, what was counted does', () => {
    bench.hear(2, 3);
    const message = preAccept();
    bench.send(message, 2, 3);
    const [frame = new Uint8Array(0)] = bench.toAll;
    bench.vote(2, frame);
    expect(bench.told).toEqual([]);
    bench.vote(3, frame);
    const answer = { round: 'PreAccept', id: message.id, ballot: ZERO };
    expect(bench.told).toEqual([
      { type: 'Quorum', group: group.id, answers: [{ ...answer, members: 0b110 }] },
    ]);
    const late = preAccept();
    bench.send(late, 2, 3);
    bench.vote(3, bench.toAll[1] as Uint8Array);
    bench.run(600);
    const rest = { ...answer, id: late.id, members: 0b100 };
    expect(bench.told.slice(1)).toEqual([{ type: 'Quorum', group: group.id, answers: [rest] }]);
    expect(bench.slots.armed).toBe(0);
  });

  test('a group with other members than the fan-out set travels over the links', () => {
    bench.hear(2, 3);
    const other = { range: 2, generation: 1 };
    for (const peer of [2, 3]) {
      bench.actor.tell({ type: 'Send', group: other, to: peer, message: preAccept() });
    }
    bench.run(1);
    expect([bench.toAll.length, bench.links.length]).toEqual([0, 2]);
  });

  test('counts are reported when the actor ends', () => {
    bench.hear(2, 3);
    bench.send(preAccept(), 2, 3);
    bench.vote(2, bench.toAll[0] as Uint8Array);
    bench.stop();
    expect(bench.told).toHaveLength(1);
    expect(bench.closed).toBe(1);
  });
});

describe('requests of peers', () => {
  const id = { hlc: 900, flags: 2, node: 2, store: 0 };

  function request(of = id): Buffer {
    const none = new Uint8Array(0);
    const message = { type: 'PreAccept', id: of, slots: none, deps: none, body: none } as const;
    const frame = requestFrame(message, 1, 1, group.id);
    writeSlot(frame, { slot: 5, generation: 6 }, 2);
    sealFrame(frame, key);
    return frame;
  }

  test('are delivered, and answered plainly once by the way that they came', () => {
    bench.hear(2, 3);
    bench.actor.tell({ type: 'Frame', frame: request(), sender: 1 });
    bench.run(1);
    expect(bench.delivered).toMatchObject([[2, { type: 'PreAccept', id }]]);
    const reply = bareOkFrame({ round: 'PreAccept', id, ballot: ZERO });
    bench.send(reply, 2);
    bench.send(reply, 2);
    const [[sender, frame] = [0, new Uint8Array(0)]] = bench.toOne;
    expect([sender, frame.length, frameSlot(frame)]).toEqual([1, FRAME_HEADER_BYTES, 5]);
    expect(bench.links).toEqual([[2, 'PreAcceptOk']]);
  });

  test('an answer that says more goes over the link', () => {
    bench.actor.tell({ type: 'Frame', frame: request(), sender: 1 });
    bench.toOne.length = 0;
    bench.send({ type: 'PreAcceptOk', id, vote: { ...id, hlc: 901 }, deps: null }, 2);
    expect(bench.toOne).toEqual([]);
    expect(bench.links).toEqual([[2, 'PreAcceptOk']]);
  });

  test('the oldest of too many is answered over the link', () => {
    for (let at = 0; at <= REQUESTS_MAX; at += 1) {
      bench.actor.tell({ type: 'Frame', frame: request({ ...id, hlc: 1_000 + at }), sender: 1 });
    }
    bench.run(50);
    bench.toOne.length = 0;
    for (const at of [0, 1]) {
      const asked = { ...id, hlc: 1_000 + at };
      bench.send(bareOkFrame({ round: 'PreAccept', id: asked, ballot: ZERO }), 2);
    }
    expect([bench.toOne.length, bench.links.length]).toEqual([1, 1]);
  });

  test('one that a peer may not send is dropped, and closes the link after some', () => {
    bench.hear(2, 3);
    bench.actor.tell({ type: 'Frame', frame: request({ ...id, node: 3 }), sender: 1 });
    bench.run(1);
    expect(bench.delivered).toEqual([]);
    expect(bench.disconnected).toEqual([[2, expect.stringContaining('PreAccept, sender')]]);
    const stray = encodeBareOk(request({ ...id, node: 3 }), 1, key);
    bench.actor.tell({ type: 'Frame', frame: stray, sender: 1 });
    bench.run(1);
    expect(bench.delivered).toEqual([]);
    expect(bench.disconnected).toHaveLength(2);
  });

  test('a probe is answered, and what makes no sense is counted and dropped', () => {
    bench.hear(2, 3);
    const sender = 2;
    bench.actor.tell({ type: 'Frame', frame: probeFrame(sender, 1, 4, 300, key), sender });
    bench.actor.tell({ type: 'Frame', frame: request(), sender: 14 });
    bench.run(1);
    expect(bench.toOne.map(([to, frame]) => [to, readFrame(frame)])).toEqual([
      [2, { type: 'probeOk', count: 4 }],
    ]);
    expect(bench.delivered).toEqual([]);
    expect(NO_SLOT.slot).toBe(0xffffffff);
  });
});

describe('a path', () => {
  test('that its incarnation does not live to hear of is closed', () => {
    const late = new Bench(true);
    expect(late.openings).toHaveLength(1);
    late.actor.tell({
      type: 'Send',
      group: group.id,
      to: 2,
      message: undefined as unknown as AccordMessage,
    });
    late.openings[0]?.();
    late.run(5_000);
    expect([late.openings.length, late.closed]).toEqual([2, 1]);
    late.openings[1]?.();
    late.run(1);
    late.stop();
    expect(late.closed).toBe(2);
  });
});
