/**
 * Votes that are counted below the actors decide what the same votes decide one by one: two
 * coordinators see the same world, one of them through vote slots, and must want the same things
 * done at every step, whatever comes twice, late, for another ballot, or just when time runs out.
 */
import { describe, expect, test } from 'vitest';
import {
  Coordinator,
  type CoordinatorEffect,
} from '../../../actors/accord/coordinate/coordinator.ts';
import {
  type BareOk,
  type BareOkRound,
  bareOkFrame,
  countedBefore,
  isBareOk,
} from '../../../actors/accord/messages/bare-ok.ts';
import type { AccordMessage } from '../../../actors/accord/messages/messages.ts';
import { encodeDeps } from '../../../actors/accord/primitives/deps.ts';
import { HybridClock } from '../../../actors/accord/primitives/hybrid-clock.ts';
import { Flags, keyOf, type TxnId, ZERO } from '../../../actors/accord/primitives/timestamp.ts';
import { Group } from '../../../actors/accord/topology/group.ts';
import {
  type FramedRequest,
  NO_SLOT,
  readFrame,
  replyKindOf,
  requestFrame,
} from '../../../actors/frames/accord-frames.ts';
import { VoteSlots } from '../../../actors/frames/vote-slots.ts';
import { SeededRng } from '../../../actors/runtime/ports/seeded-rng.ts';
import { UserspaceQuorumNotifier } from '../../../bpf/count/quorum-notifier.ts';
import { consumes } from '../../../bpf/count/slot-model.ts';
import { encodeBareOk, frameRound, sealFrame, writeSlot } from '../../../bpf/frame/frame.ts';
import { PEER_GROUP } from '../../../bpf/path/frame-path.ts';
import { firstGroup } from '../../actors/accord/first-group.ts';
import { key } from '../support.ts';

const SELF = 1;
const SLOW_PATH_MS = 20;
const SOME_SLOTS = Uint16Array.of(7);
const BODY = Uint8Array.of(1, 2, 3);

/** A coordinator and how a reply reaches it. */
interface Side {
  readonly coordinator: Coordinator;
  reply(from: number, message: AccordMessage): void;
  plain(from: number, request: Request): void;
  /** A request leaves for all peers. */
  asked(request: Request): void;
  ended(id: TxnId): void;
  tick(nowMs: number): void;
  /** After every step, as at the end of a turn. */
  stepEnd(): void;
  peerDown(peer: number, nowMs: number): void;
}

interface Request {
  readonly round: BareOkRound;
  readonly id: TxnId;
  readonly ballot: TxnId;
  /** Of the side that counts. */
  frame: Buffer;
}

function newCoordinator(group: Group, now: () => number): Coordinator {
  const clock = new HybridClock({
    node: SELF,
    store: 0,
    nowUs: () => Math.floor(now() * 1_000),
    reserveUs: 1e12,
  });
  // How long is waited must not depend on what was decided a moment before.
  const limits = { slowPathMs: SLOW_PATH_MS, slowPathMsMax: SLOW_PATH_MS };
  return new Coordinator({ self: SELF, group, clock, limits });
}

function oneByOne(group: Group, now: () => number): Side {
  const coordinator = newCoordinator(group, now);
  return {
    coordinator,
    reply: (from, message) => coordinator.handle(from, message, now()),
    plain: (from, request) => coordinator.handle(from, bareOkFrame(request), now()),
    asked: () => undefined,
    ended: () => undefined,
    tick: (nowMs) => coordinator.tick(nowMs),
    stepEnd: () => undefined,
    peerDown: (peer, nowMs) => coordinator.peerDown(peer, nowMs),
  };
}

/** As the coordinator's shell and the quorum actor do it. */
function counted(group: Group, now: () => number): Side & { readonly slots: VoteSlots } {
  const coordinator = newCoordinator(group, now);
  const slots = new VoteSlots(group, SELF);
  let { expected } = coordinator;
  const notifier = new UserspaceQuorumNotifier({ slots: 3, firstGeneration: 1 });
  slots.attach(notifier);
  const answered = (answers: readonly BareOk[]): void => {
    for (const answer of answers) coordinator.answeredBarely(answer, now());
  };
  notifier.onQuorum = (batch) => {
    for (const answer of slots.quorums(batch, now(), () => undefined)) {
      if (!coordinator.answeredBarely(answer, now())) continue;
      const more = slots.leave(keyOf(answer.id));
      if (more !== undefined) coordinator.answeredBarely(more, now());
    }
  };
  const reply = (from: number, message: AccordMessage): void => {
    const answer = countedBefore(slots, SELF, from, message);
    if (answer !== undefined) coordinator.answeredBarely(answer, now());
    coordinator.handle(from, message, now());
  };
  return {
    coordinator,
    slots,
    reply,
    plain(from, request) {
      const frame = encodeBareOk(request.frame, group.members.indexOf(from), key);
      const verdict = notifier.receive(frame);
      if (verdict === 'quorum') notifier.flush();
      if (consumes(verdict)) return;
      const content = readFrame(frame);
      if (content?.type !== 'reply') throw new Error('not a reply');
      reply(from, content.message);
    },
    asked(request) {
      const { round, id, ballot, frame } = request;
      const counted = { replyKind: replyKindOf(round), frameRound: frameRound(frame) };
      const armed = slots.begin({ round, id, ballot, ...counted }, now());
      writeSlot(frame, armed?.slot ?? NO_SLOT, armed?.need);
      sealFrame(frame, key);
    },
    ended: (id) => slots.end(id),
    tick(nowMs) {
      answered(slots.takeAll(nowMs - coordinator.patienceMs));
      coordinator.tick(nowMs);
    },
    stepEnd() {
      const fewer = (expected & ~coordinator.expected) !== 0;
      expected = coordinator.expected;
      slots.expect(expected);
      if (fewer) answered(slots.leaveAll());
    },
    peerDown(peer, nowMs) {
      answered(slots.leaveAll());
      coordinator.peerDown(peer, nowMs);
    },
  };
}

class World {
  readonly rng: SeededRng;
  readonly group: Group;
  readonly sides: readonly [Side, Side];
  readonly decided: Record<string, number> = {};
  nowMs = 1_000;
  readonly #requests: Request[] = [];
  readonly #open = new Map<string, Request>();

  constructor(seed: number) {
    this.rng = new SeededRng(seed);
    const replicas = this.#pick([2, 3, 5, 5, 7]);
    const members = Array.from({ length: replicas }, (_, index) => index + 1);
    const slow = replicas - Math.floor((replicas - 1) / 2);
    const electorate = slow + Math.floor(this.rng.next() * (replicas - slow + 1));
    // The electorate need not hold this node.
    const electors = this.rng.next() < 0.5 ? members.toReversed() : members;
    this.group = new Group(firstGroup(members, electors.slice(0, electorate)));
    const now = (): number => this.nowMs;
    this.sides = [oneByOne(this.group, now), counted(this.group, now)];
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.rng.next() * from.length)] as T;
  }

  #both(run: (side: Side) => void): void {
    for (const side of this.sides) {
      run(side);
      side.stepEnd();
    }
    const [one, other] = this.sides.map((side) => byTransaction(side.coordinator.takeEffects()));
    expect(other).toEqual(one);
    this.#perform(one ?? []);
  }

  #perform(effects: readonly CoordinatorEffect[]): void {
    for (const effect of effects) {
      if (effect.type === 'Decided') {
        this.decided[effect.path] = (this.decided[effect.path] ?? 0) + 1;
        this.#open.delete(keyOf(effect.id));
        for (const side of this.sides) side.ended(effect.id);
      } else if (effect.type === 'Send') {
        const { message } = effect;
        if (message.type === 'Coordinate') this.#ask('PreAccept', message.id, ZERO);
        if (message.type !== 'Accept' && message.type !== 'Commit') continue;
        this.#ask(message.type, message.id, message.ballot);
      }
    }
  }

  #ask(round: BareOkRound, id: TxnId, ballot: TxnId): void {
    const known = this.#open.get(keyOf(id));
    // A repetition goes over TCP.
    if (known?.round === round) return;
    const deps = new Uint8Array(0);
    const message: FramedRequest =
      round === 'PreAccept'
        ? { type: round, id, deps, slots: null, body: BODY }
        : { type: round, id, ballot, executeAt: id, deps };
    const frame = requestFrame(message, 0, PEER_GROUP, this.group.id);
    const request = { round, id, ballot, frame };
    this.#requests.push(request);
    this.#open.set(keyOf(id), request);
    for (const side of this.sides) side.asked(request);
  }

  step(): void {
    const dice = this.rng.next();
    const peer = this.#pick(this.group.members.filter((member) => member !== SELF));
    const open = [...this.#open.values()];
    if (open.length < 4 && dice < 0.15) {
      this.#both(({ coordinator }) => coordinator.coordinate(SOME_SLOTS, BODY, this.nowMs));
    } else if (dice < 0.6 && this.#requests.length > 0) {
      // Mostly of now, sometimes an old one, of a phase or a generation that is over.
      const request =
        open.length > 0 && this.rng.next() < 0.8 ? this.#pick(open) : this.#pick(this.#requests);
      this.#both((side) => side.plain(peer, request));
    } else if (dice < 0.75 && open.length > 0) {
      const message = this.#otherReply(this.#pick(open));
      this.#both((side) => side.reply(peer, message));
    } else if (dice < 0.9 && open.length > 0) {
      const message = this.#ownReply(this.#pick(open));
      this.#both((side) => side.reply(SELF, message));
    } else if (dice < 0.97) {
      this.nowMs += this.#pick([0.1, 1, 19, 20, 21, 300]);
      this.#both((side) => side.tick(this.nowMs));
    } else if (dice < 0.985) {
      this.#both((side) => side.peerDown(peer, this.nowMs));
    } else {
      this.#both(({ coordinator }) => coordinator.peerUp(peer));
    }
  }

  /** An answer that says more than yes, or the same over TCP. */
  #otherReply({ round, id, ballot }: Request): AccordMessage {
    const dice = this.rng.next();
    const later = { ...id, hlc: id.hlc + 1 + Math.floor(dice * 5), node: 2 };
    const other = encodeDeps([{ ...id, hlc: id.hlc - 1 }]);
    if (dice < 0.3) return bareOkFrame({ round, id, ballot });
    if (dice < 0.4) return nack(round, id, ballot, 'promised');
    if (dice < 0.45) return nack(round, id, ballot, 'insufficient');
    if (round === 'Accept') return { type: 'AcceptOk', id, ballot, deps: other };
    if (round === 'Commit') return { type: 'CommitOk', id, ballot };
    if (dice < 0.6) return { type: 'PreAcceptOk', id, vote: id, deps: other };
    if (dice < 0.8) return { type: 'PreAcceptOk', id, vote: later, deps: null };
    const vote = { ...later, flags: later.flags | Flags.REJECTED };
    return { type: 'PreAcceptOk', id, vote, deps: other };
  }

  #ownReply({ round, id, ballot }: Request): AccordMessage {
    const deps = encodeDeps([{ ...id, hlc: id.hlc - 2 }]);
    if (round !== 'PreAccept') return bareOkFrame({ round, id, ballot });
    const vote = this.rng.next() < 0.8 ? id : { ...id, hlc: id.hlc + 3 };
    return { type: 'PreAcceptOk', id, vote, deps };
  }
}

function nack(
  round: BareOkRound,
  id: TxnId,
  ballot: TxnId,
  reason: 'promised' | 'insufficient',
): AccordMessage {
  return { type: 'Nack', id, round, ballot, reason, promised: ZERO };
}

/** At a tick, transactions may be looked at in another order; within each, order matters. */
function byTransaction(effects: readonly CoordinatorEffect[]): CoordinatorEffect[] {
  const keyed = effects.map((effect) => {
    const of = effect.type === 'Send' ? effect.message : effect;
    return { effect, name: 'id' in of ? keyOf(of.id) : '' };
  });
  keyed.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  return keyed.map(({ effect }) => effect);
}

describe('counted votes and votes one by one', () => {
  test('want the same done at every step', () => {
    const paths: Record<string, number> = {};
    for (let seed = 1; seed <= 150; seed += 1) {
      const world = new World(seed);
      try {
        for (let step = 0; step < 150; step += 1) world.step();
      } catch (error) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      for (const [path, count] of Object.entries(world.decided)) {
        paths[path] = (paths[path] ?? 0) + count;
      }
    }
    // Else the worlds have shown nothing.
    expect(paths['fast']).toBeGreaterThan(100);
    expect(paths['slow']).toBeGreaterThan(100);
  });

  test('a plain answer of other members, another ballot or another phase changes nothing', () => {
    const group = new Group(firstGroup([1, 2, 3], [1, 2, 3]));
    const { coordinator } = oneByOne(group, () => 5);
    const id = coordinator.coordinate(SOME_SLOTS, BODY, 5);
    coordinator.takeEffects();
    const ballot = { ...id, hlc: id.hlc + 1 };
    coordinator.answeredBarely({ round: 'PreAccept', id, ballot, members: 0b110 }, 5);
    coordinator.answeredBarely({ round: 'Commit', id, ballot: ZERO, members: 0b110 }, 5);
    coordinator.answeredBarely({ round: 'PreAccept', id, ballot: ZERO, members: 0b111000 }, 5);
    coordinator.handle(1, { type: 'PreAcceptOk', id, vote: id, deps: new Uint8Array(0) }, 5);
    expect(coordinator.takeEffects()).toEqual([]);
    coordinator.answeredBarely({ round: 'PreAccept', id, ballot: ZERO, members: 0b110 }, 5);
    const decided = coordinator.takeEffects().find((effect) => effect.type === 'Decided');
    expect(decided).toMatchObject({ path: 'fast' });
  });
});

describe('messages that may be counted', () => {
  const id = { hlc: 50, flags: Flags.WRITE, node: 1, store: 0 };

  test.each([
    ['t0 and nothing else', id, null, true],
    ['deps of its own', id, new Uint8Array(0), false],
    ['a later time', { ...id, hlc: 51 }, null, false],
    ['a refusal', { ...id, flags: id.flags | Flags.REJECTED }, null, false],
  ])('a vote for %s: %s', (_name, vote, deps, plain) => {
    expect(isBareOk({ type: 'PreAcceptOk', id, vote, deps })).toBe(plain);
  });

  test('an AcceptOk without new deps, and every CommitOk', () => {
    const deps = encodeDeps([id]);
    expect(isBareOk({ type: 'AcceptOk', id, ballot: ZERO, deps })).toBe(false);
    expect(isBareOk(bareOkFrame({ round: 'Accept', id, ballot: ZERO }))).toBe(true);
    expect(isBareOk(bareOkFrame({ round: 'Commit', id, ballot: ZERO }))).toBe(true);
    expect(isBareOk(nack('Accept', id, ZERO, 'promised'))).toBe(false);
  });
});
